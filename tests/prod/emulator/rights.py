"""What IAM asks for before AWS does an operation: actions, each on one resource, with the keys of conditions.

From AWS's service authorization reference, for the operations that this stack's providers call. What AWS asks beside
the action of the same name is in `_beside`: tags of something new, roles that are passed, keys that a service uses.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.prod.emulator.operations import Operation

ACCOUNT: Final = "123456789012"
KEY_OF_WHAT_EXISTS: Final = "key/of-what-exists"
"""For the key of a secret or a snapshot that a request names without it."""

_S3_NAMES: Final = {
    "CreateMultipartUpload": "PutObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
}
"""Operations of S3 that IAM names otherwise."""

_PREFIXES: Final = {"s3control": "s3", "resourcegroupstaggingapi": "tag"}
_WITHOUT_RESOURCE: Final = re.compile(
    r"ec2:Describe\w+|eks:ListClusters|kms:ListAliases|logs:DescribeLogGroups|sts:\w+"
)
_TAGGING: Final = {
    "cloudwatch": "cloudwatch:TagResource",
    "ec2": "ec2:CreateTags",
    "eks": "eks:TagResource",
    "iam": "iam:TagRole",
    "kms": "kms:TagResource",
    "logs": "logs:TagResource",
    "rds": "rds:AddTagsToResource",
    "s3": "s3:TagResource",
    "secretsmanager": "secretsmanager:TagResource",
}
"""The action that AWS asks for where a request makes something with tags."""
_NEW_INSTANCE: Final = ("CreateDBInstance", "RestoreDBInstanceFromDBSnapshot", "RestoreDBInstanceToPointInTime")
_MAKING: Final = re.compile(r"Create(?!Tags\b)\w+|PutMetricAlarm|AuthorizeSecurityGroupIngress|Restore\w+")

TagsOf = Callable[[str], Mapping[str, str]]
"""Returns the tags of a resource by its ARN."""


@dataclass(frozen=True, kw_only=True)
class Right:
    """What somebody needs for an operation."""

    action: str
    """Such as `iam:PassRole`."""
    resource: str
    """The ARN, or `*` for an action that has none."""
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """The keys that conditions can name, such as `iam:PassedToService`; several values for those of several."""


def rights(operation: Operation, tags_of: TagsOf) -> tuple[Right, ...]:
    """Return all that IAM asks for before the operation; nothing for one that everybody may call."""
    if operation.service == "sts":
        return ()
    prefix = _PREFIXES.get(operation.service, operation.service)
    name = _S3_NAMES.get(operation.name, operation.name) if operation.service == "s3" else operation.name
    given = {f"aws:RequestTag/{key}": value for key, value in tags(operation).items()}
    found = [
        Right(action=f"{prefix}:{name}", resource=arn, context=_context(operation, arn, given, tags_of))
        for arn in _resources(operation, f"{prefix}:{name}")
    ]
    return (*found, *_beside(operation, given))


def tags(operation: Operation) -> dict[str, str]:
    """Return the tags in a request, however its service writes them."""
    said = operation.parameters.get("Tags", operation.parameters.get("tags", {}))
    if isinstance(said, Mapping):
        return {str(key): str(value) for key, value in said.items()} or dict(_numbered(operation.parameters))
    return {str(tag.get("Key", tag.get("TagKey"))): str(tag.get("Value", tag.get("TagValue"))) for tag in said}


def _numbered(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the tags of a form, such as `Tags.member.1.Key`."""
    for key, value in parameters.items():
        if re.fullmatch(r"(?:Tags\.(?:member|Tag)|TagSpecification\.1\.Tag|Tag)\.\d+\.Key", key):
            yield str(value), str(parameters.get(f"{key[:-4]}.Value", ""))


def _context(
    operation: Operation, arn: str, given: Mapping[str, str], tags_of: TagsOf
) -> dict[str, str | tuple[str, ...]]:
    owned = {f"aws:ResourceTag/{key}": value for key, value in tags_of(arn).items()}
    said = operation.parameters
    extra = {
        # Of the request; that of a role which exists is in `asked_of`.
        "iam:PermissionsBoundary": said.get("PermissionsBoundary"),
        "iam:PolicyARN": said.get("PolicyArn"),
        "s3:prefix": said.get("prefix"),
        "aws:ResourceAccount": ACCOUNT if _is_of_a_bucket_that_exists(operation) else None,
    }
    several = {"cloudwatch:AlarmActions": tuple(_values(said, "AlarmActions", "InsufficientDataActions", "OKActions"))}
    return {
        **owned,
        **given,
        **{key: str(value) for key, value in extra.items() if value is not None},
        **(several if operation.name == "PutMetricAlarm" else {}),
    }


def _is_of_a_bucket_that_exists(operation: Operation) -> bool:
    return operation.service in ("s3", "s3control") and operation.name != "CreateBucket"


def _resources(operation: Operation, action: str) -> tuple[str, ...]:
    if _WITHOUT_RESOURCE.fullmatch(action) or operation.name == "CreateKey":
        return ("*",)
    return tuple(dict.fromkeys(_named(operation))) or ("*",)


def _named(operation: Operation) -> Iterator[str]:
    """Yield the ARNs of what a request names."""
    said, service = operation.parameters, operation.service

    def arn(rest: str, *, region: str = operation.region, account: str = ACCOUNT, of: str = service) -> str:
        return f"arn:aws:{of}:{region}:{account}:{rest}"

    def each(kind: str, *keys: str) -> Iterator[str]:
        for key in keys:
            for found in _values(said, key):
                alias = found.startswith("alias/")
                yield found if found.startswith("arn:") else arn(found if alias else f"{kind}{found}")

    if service == "s3":
        bucket = arn(str(said.get("Bucket", "*")), region="", account="")
        yield f"{bucket}/{said['Key']}" if "Key" in said else bucket
    elif service == "s3control":
        yield str(said["resourceArn"])
    elif service == "kms":
        yield from each("key/", "KeyId", "TargetKeyId")
        if operation.name == "Decrypt" and "KeyId" not in said:
            # AWS finds the key by the ciphertext; moto's begins with the key's ID.
            yield arn(f"key/{base64.b64decode(said['CiphertextBlob'])[:36].decode()}")
        yield from each("", "AliasName")
    elif service == "iam":
        yield from (arn(f"role/{name}", region="") for name in _values(said, "RoleName"))
    elif service == "logs":
        yield from each("log-group:", "logGroupName", "resourceArn")
    elif service == "cloudwatch":
        yield from each("alarm:", "AlarmName", "AlarmNames", "ResourceARN")
    elif service == "secretsmanager":
        yield from (name if ":" in name else arn(f"secret:{name}-AbCdEf") for name in _values(said, "SecretId", "Name"))
    elif service == "eks":
        association = f"podidentityassociation/{said.get('name')}/{said.get('associationId')}"
        whole = association if "associationId" in said else f"cluster/{said.get('name')}"
        yield str(said["resourceArn"]) if "resourceArn" in said else arn(whole)
    elif service == "rds":
        yield from each("db:", "DBInstanceIdentifier", "TargetDBInstanceIdentifier", "SourceDBInstanceIdentifier")
        yield from each("pg:", "DBParameterGroupName")
        yield from each("subgrp:", "DBSubnetGroupName")
        yield from each("snapshot:", "DBSnapshotIdentifier")
        yield from each("", "ResourceName")
        if operation.name in _NEW_INSTANCE:
            yield arn("og:default:postgres-17")
        if operation.name == "DescribeDBSnapshots" and "DBSnapshotIdentifier" not in said:
            yield arn("snapshot:*")
        if operation.name == "DescribeDBInstances" and "DBInstanceIdentifier" not in said:
            yield arn("db:*")
    elif service == "ec2":
        yield from _of_ec2(operation, arn)


def _of_ec2(operation: Operation, arn: Callable[[str], str]) -> Iterator[str]:
    said = operation.parameters
    if operation.name == "CreateSecurityGroup":
        yield from (arn("security-group/new"), arn(f"vpc/{said['VpcId']}"))
    yield from (arn(f"security-group/{group}") for group in _values(said, "GroupId"))
    if operation.name in ("AuthorizeSecurityGroupIngress", "ModifySecurityGroupRules"):
        yield arn("security-group-rule/new")
    for resource in _values(said, "ResourceId"):
        kind = "security-group-rule" if resource.startswith("sgr-") else "security-group"
        yield arn(f"{kind}/{resource}")


def _values(said: Mapping[str, Any], *keys: str) -> Iterator[str]:
    for key in keys:
        for name, value in said.items():
            if name == key or re.fullmatch(rf"{key}\.(?:member\.)?\d+", name):
                yield from (value if isinstance(value, list) else [str(value)])


def _beside(operation: Operation, given: Mapping[str, str]) -> Iterator[Right]:
    """Yield what AWS asks for beside the action of the operation's name."""
    said, service, name = operation.parameters, operation.service, operation.name
    if given and service in _TAGGING and _MAKING.fullmatch(name):
        for arn in _tagged(operation):
            context = {**given, "ec2:CreateAction": name} if service == "ec2" else given
            yield Right(action=_TAGGING[service], resource=arn, context=context)
    if role := said.get("MonitoringRoleArn"):
        yield _passed(str(role), "monitoring.rds.amazonaws.com")
    if service == "eks" and "roleArn" in said:
        yield from (
            _passed(str(said["roleArn"]), "pods.eks.amazonaws.com"),
            Right(action="iam:GetRole", resource=str(said["roleArn"])),
        )
    if service == "rds" and name in _NEW_INSTANCE:
        yield Right(
            action="iam:CreateServiceLinkedRole",
            resource=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
            context={"iam:AWSServiceName": "rds.amazonaws.com"},
        )
        yield from _through(operation, ("CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKey"))
    if service == "rds" and name == "DeleteDBInstance" and "FinalDBSnapshotIdentifier" in said:
        database, snapshot = (
            f"arn:aws:rds:{operation.region}:{ACCOUNT}:{kind}:{said[key]}"
            for kind, key in (("db", "DBInstanceIdentifier"), ("snapshot", "FinalDBSnapshotIdentifier"))
        )
        yield from (Right(action="rds:CreateDBSnapshot", resource=arn) for arn in (database, snapshot))
        yield Right(action="rds:AddTagsToResource", resource=snapshot)
    if service == "rds" and name == "CreateDBSnapshot":
        # It gets the tags of its instance.
        snapshot = f"arn:aws:rds:{operation.region}:{ACCOUNT}:snapshot:{said['DBSnapshotIdentifier']}"
        yield Right(action="rds:AddTagsToResource", resource=snapshot)
    if service == "secretsmanager" and name in ("CreateSecret", "PutSecretValue"):
        yield from _through(operation, ("Decrypt", "GenerateDataKey"))
    if service == "secretsmanager" and name == "GetSecretValue":
        yield from _through(operation, ("Decrypt",))


def _tagged(operation: Operation) -> Iterable[str]:
    region, name = operation.region, operation.parameters.get("name")
    new = {
        "ec2": f"arn:aws:ec2:{region}:{ACCOUNT}:security-group"
        + ("-rule/new" if operation.name.startswith("Authorize") else "/new"),
        "eks": f"arn:aws:eks:{region}:{ACCOUNT}:podidentityassociation/{name}/new",
        "kms": "*",
    }
    if operation.service == "rds":
        kinds = r":(?:og|snapshot):" if operation.name.startswith(("CreateDBI", "Restore")) else r"^$"
        found = [arn for arn in _named(operation) if not re.search(kinds, arn)]
        return found[:1]
    return [new[operation.service]] if operation.service in new else list(_named(operation))


def _passed(role: str, service: str) -> Right:
    return Right(action="iam:PassRole", resource=role, context={"iam:PassedToService": service})


def _through(operation: Operation, names: Iterable[str]) -> Iterator[Right]:
    """Yield what a service does with a key in the name of its caller."""
    said = operation.parameters.get("KmsKeyId") or "key/of-what-exists"
    key = str(said) if str(said).startswith("arn:") else f"arn:aws:kms:{operation.region}:{ACCOUNT}:{said}"
    context = {
        "kms:ViaService": f"{operation.service}.{operation.region}.amazonaws.com",
        "kms:GrantIsForAWSResource": "true",
    }
    for name in names:
        yield Right(action=f"kms:{name}", resource=key, context=context)
