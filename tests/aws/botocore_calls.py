"""The API calls by which AWS's provider makes what a program registers, checked against botocore's models of them.

Table-driven: an input goes to the parameter of its own name, whatever the case, unless CALLS says otherwise. An input
that goes nowhere fails, and so does a value that the model does not take: unknown members, missing ones, types, enums,
patterns, lengths and ranges. Limits that AWS states only in prose are in PROSE.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import botocore.session
import botocore.validate
from botocore.model import Shape, StructureShape

from tests.aws.recorded import AwsResource, with_references
from tests.aws.samples import REGION


class When(StrEnum):
    """Of a resource's life."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call.

    operation: `service:Operation`. when: whether it makes, changes or deletes the resource.
    inputs: the parameter of each input that does not go to the one of its own name, as a path such as a[0].b.
    takes_rest: whether all inputs that no call names go to this one. rest_in: the parameter that they are members of.
    fixed: parameters that the provider gives. known: parameters that are outputs of the resource, `id` among them.
    if_true, if_given: the input that decides whether the call is made.
    answers: where in the answer the resource's outputs are, as paths such as a.b.
    unplayed: why moto is not asked, or "".
    """

    operation: str
    when: When = When.CREATE
    inputs: Mapping[str, str] = field(default_factory=dict)
    takes_rest: bool = False
    rest_in: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    if_true: str = ""
    if_given: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    unplayed: str = ""

    @property
    def service(self) -> str:
        return self.operation.partition(":")[0]

    @property
    def name(self) -> str:
        return self.operation.partition(":")[2]


@dataclass(frozen=True)
class Request:
    """A call with its parameters."""

    call: Call
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        return self.call.operation


_DELETE_BUCKET: Final = "the provider empties the bucket itself before it deletes it"

PROVIDER_ONLY: Final[Mapping[str, Mapping[str, str]]] = {
    "aws:ec2/securityGroup:SecurityGroup": {"egress": "an empty list: the provider removes what it later finds"},
    "aws:iam/role:Role": {"forceDetachPolicies": "the provider detaches policies itself before it deletes the role"},
    "aws:s3/bucket:Bucket": {"forceDestroy": _DELETE_BUCKET},
    "aws:secretsmanager/secret:Secret": {"forceOverwriteReplicaSecret": "of replicas, which no program here has"},
}
"""Inputs that no call has, and why."""

_INSTANCE: Final = {"identifier": "DBInstanceIdentifier"}
_KEY: Final = {"KeyId": "id"}
_RULE: Final = {
    "description": "IpPermissions[0].UserIdGroupPairs[0].Description",
    "fromPort": "IpPermissions[0].FromPort",
    "ipProtocol": "IpPermissions[0].IpProtocol",
    "referencedSecurityGroupId": "IpPermissions[0].UserIdGroupPairs[0].GroupId",
    "securityGroupId": "GroupId",
    "tags": "TagSpecifications[0].Tags",
    "toPort": "IpPermissions[0].ToPort",
}
_RULE_TAGGED: Final = {"TagSpecifications[0].ResourceType": "security-group-rule"}

CALLS: Final[Mapping[str, Sequence[Call]]] = {
    "aws:cloudwatch/logGroup:LogGroup": (
        Call(operation="logs:CreateLogGroup", inputs={"name": "logGroupName"}, takes_rest=True),
        Call(
            operation="logs:PutRetentionPolicy",
            inputs={"name": "logGroupName", "retentionInDays": "retentionInDays"},
            if_given="retentionInDays",
        ),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        Call(operation="cloudwatch:PutMetricAlarm", inputs={"name": "AlarmName"}, takes_rest=True),
    ),
    "aws:ec2/securityGroup:SecurityGroup": (
        Call(
            operation="ec2:CreateSecurityGroup",
            inputs={"tags": "TagSpecifications[0].Tags"},
            fixed={"TagSpecifications[0].ResourceType": "security-group"},
            known={"GroupName": "id"},
            takes_rest=True,
            answers={"id": "GroupId"},
        ),
        # AWS gives every group a rule that lets everything out; the provider takes it away.
        Call(
            operation="ec2:RevokeSecurityGroupEgress",
            known={"GroupId": "id"},
            fixed={"IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]},
        ),
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": (
        Call(
            operation="eks:CreatePodIdentityAssociation",
            takes_rest=True,
            unplayed="moto does not have it",
        ),
    ),
    "aws:iam/policy:Policy": (
        Call(
            operation="iam:CreatePolicy",
            inputs={"policy": "PolicyDocument"},
            known={"PolicyName": "id"},
            takes_rest=True,
            answers={"arn": "Policy.Arn", "id": "Policy.Arn"},
        ),
    ),
    "aws:iam/role:Role": (
        Call(
            operation="iam:CreateRole",
            inputs={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
            known={"RoleName": "id"},
            takes_rest=True,
            answers={"arn": "Role.Arn", "id": "Role.RoleName", "name": "Role.RoleName"},
        ),
    ),
    "aws:iam/rolePolicy:RolePolicy": (
        Call(
            operation="iam:PutRolePolicy",
            inputs={"name": "PolicyName", "policy": "PolicyDocument", "role": "RoleName"},
            known={"PolicyName": "id"},
        ),
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": (
        Call(operation="iam:AttachRolePolicy", inputs={"role": "RoleName"}, takes_rest=True),
    ),
    "aws:kms/alias:Alias": (Call(operation="kms:CreateAlias", inputs={"name": "AliasName"}, takes_rest=True),),
    "aws:kms/key:Key": (
        Call(
            operation="kms:CreateKey",
            inputs={"customerMasterKeySpec": "KeySpec"},
            takes_rest=True,
            answers={"arn": "KeyMetadata.Arn", "id": "KeyMetadata.KeyId", "keyId": "KeyMetadata.KeyId"},
        ),
        Call(
            operation="kms:EnableKeyRotation",
            inputs={"rotationPeriodInDays": "RotationPeriodInDays"},
            known=_KEY,
            if_true="enableKeyRotation",
        ),
        Call(
            operation="kms:ScheduleKeyDeletion",
            when=When.DELETE,
            inputs={"deletionWindowInDays": "PendingWindowInDays"},
            known=_KEY,
        ),
    ),
    "aws:kms/keyPolicy:KeyPolicy": (
        Call(operation="kms:PutKeyPolicy", fixed={"PolicyName": "default"}, takes_rest=True),
    ),
    "aws:rds/instance:Instance": (
        Call(
            operation="rds:CreateDBInstance",
            inputs=_INSTANCE
            | {
                "backupWindow": "PreferredBackupWindow",
                "caCertIdentifier": "CACertificateIdentifier",
                "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
                "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
                "instanceClass": "DBInstanceClass",
                "maintenanceWindow": "PreferredMaintenanceWindow",
                "parameterGroupName": "DBParameterGroupName",
                "password": "MasterUserPassword",
                "performanceInsightsEnabled": "EnablePerformanceInsights",
                "username": "MasterUsername",
            },
            takes_rest=True,
            answers={"arn": "DBInstance.DBInstanceArn", "address": "DBInstance.Endpoint.Address"},
        ),
        Call(
            operation="rds:RestoreDBInstanceFromDBSnapshot",
            inputs=_INSTANCE | {"snapshotIdentifier": "DBSnapshotIdentifier"},
            if_given="snapshotIdentifier",
            unplayed="it would make the instance a second time",
        ),
        Call(
            operation="rds:ModifyDBInstance",
            when=When.CHANGE,
            inputs=_INSTANCE
            | {
                "allowMajorVersionUpgrade": "AllowMajorVersionUpgrade",
                "applyImmediately": "ApplyImmediately",
            },
        ),
        Call(
            operation="rds:DeleteDBInstance",
            when=When.DELETE,
            inputs=_INSTANCE
            | {
                "deleteAutomatedBackups": "DeleteAutomatedBackups",
                "finalSnapshotIdentifier": "FinalDBSnapshotIdentifier",
                "skipFinalSnapshot": "SkipFinalSnapshot",
            },
        ),
    ),
    "aws:rds/parameterGroup:ParameterGroup": (
        Call(
            operation="rds:CreateDBParameterGroup",
            inputs={"family": "DBParameterGroupFamily", "name": "DBParameterGroupName"},
            known={"DBParameterGroupName": "id"},
            takes_rest=True,
        ),
        Call(
            operation="rds:ModifyDBParameterGroup",
            inputs={"parameters": "Parameters"},
            known={"DBParameterGroupName": "id"},
        ),
    ),
    "aws:rds/subnetGroup:SubnetGroup": (
        Call(
            operation="rds:CreateDBSubnetGroup",
            inputs={"description": "DBSubnetGroupDescription", "name": "DBSubnetGroupName"},
            known={"DBSubnetGroupName": "id"},
            takes_rest=True,
        ),
    ),
    "aws:s3/bucket:Bucket": (
        Call(
            operation="s3:CreateBucket",
            inputs={"objectLockEnabled": "ObjectLockEnabledForBucket"},
            fixed={"CreateBucketConfiguration.LocationConstraint": REGION},
            known={"Bucket": "id"},
            takes_rest=True,
        ),
        Call(
            operation="s3:PutBucketTagging",
            inputs={"tags": "Tagging.TagSet"},
            known={"Bucket": "id"},
            if_given="tags",
        ),
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        Call(
            operation="s3:PutBucketLifecycleConfiguration",
            inputs={"rules": "LifecycleConfiguration.Rules"},
            takes_rest=True,
        ),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (
        Call(
            operation="s3:PutBucketOwnershipControls",
            inputs={"rule": "OwnershipControls.Rules[0]"},
            takes_rest=True,
        ),
    ),
    "aws:s3/bucketMetric:BucketMetric": (
        Call(
            operation="s3:PutBucketMetricsConfiguration",
            inputs={"bucket": "Bucket", "name": "MetricsConfiguration.Id"},
            takes_rest=True,
            rest_in="MetricsConfiguration",
            known={"Id": "id"},
            unplayed="moto does not know it",
        ),
    ),
    "aws:s3/bucketPolicy:BucketPolicy": (Call(operation="s3:PutBucketPolicy", takes_rest=True),),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        Call(
            operation="s3:PutPublicAccessBlock",
            inputs={"bucket": "Bucket"},
            takes_rest=True,
            rest_in="PublicAccessBlockConfiguration",
        ),
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        Call(
            operation="s3:PutBucketEncryption",
            inputs={"rules": "ServerSideEncryptionConfiguration.Rules"},
            takes_rest=True,
        ),
    ),
    "aws:s3/bucketVersioning:BucketVersioning": (Call(operation="s3:PutBucketVersioning", takes_rest=True),),
    "aws:secretsmanager/secret:Secret": (
        Call(
            operation="secretsmanager:CreateSecret",
            takes_rest=True,
            known={"Name": "id"},
            answers={"arn": "ARN", "id": "ARN"},
        ),
        Call(
            operation="secretsmanager:PutResourcePolicy",
            inputs={"policy": "ResourcePolicy"},
            known={"SecretId": "id"},
            if_given="policy",
        ),
        Call(
            operation="secretsmanager:DeleteSecret",
            when=When.DELETE,
            inputs={"recoveryWindowInDays": "RecoveryWindowInDays"},
            known={"SecretId": "id"},
        ),
    ),
    "aws:secretsmanager/secretPolicy:SecretPolicy": (
        Call(
            operation="secretsmanager:PutResourcePolicy",
            inputs={"policy": "ResourcePolicy", "secretArn": "SecretId"},
            takes_rest=True,
        ),
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": (
        Call(operation="secretsmanager:PutSecretValue", takes_rest=True),
    ),
    # Between security groups alone: no rule here names addresses.
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        Call(operation="ec2:AuthorizeSecurityGroupEgress", inputs=_RULE, fixed=_RULE_TAGGED),
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        Call(operation="ec2:AuthorizeSecurityGroupIngress", inputs=_RULE, fixed=_RULE_TAGGED),
    ),
}
"""By Pulumi type, the calls by which the provider makes, changes and deletes a resource."""

# Members of lists whose names differ by more than their case.
_MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "rds:ModifyDBParameterGroup": {"name": "ParameterName", "value": "ParameterValue"},
}

# docs.aws.amazon.com: AWSEC2/latest/APIReference, CreateSecurityGroup and IpRange (in a VPC); AmazonRDS/latest/
# APIReference, CreateDBInstance, and UserGuide, USER_Tagging; IAM/latest/APIReference, CreateRole.
_EC2_TEXT: Final = r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}"
_RDS_NAME: Final = r"[A-Za-z](-?[A-Za-z0-9])*"
_RDS_TAG: Final = r"(?!aws:|rds:)[\w\s.:/=+\-@]*"
PROSE: Final[Mapping[str, str]] = {
    "ec2:CreateSecurityGroup GroupDescription": _EC2_TEXT,
    "ec2:CreateSecurityGroup GroupName": r"(?!sg-)" + _EC2_TEXT,
    "ec2:AuthorizeSecurityGroupIngress IpPermissions[].UserIdGroupPairs[].Description": _EC2_TEXT,
    "rds:CreateDBInstance DBInstanceIdentifier": rf"(?=.{{1,63}}$){_RDS_NAME}",
    "rds:CreateDBInstance DBName": r"[A-Za-z_][A-Za-z0-9_]{0,62}",
    "rds:CreateDBInstance MasterUsername": r"[A-Za-z][A-Za-z0-9_]{0,15}",
    "rds:CreateDBInstance MasterUserPassword": r"[!#-.0-?A-~]{8,128}",
    "rds:CreateDBInstance PreferredBackupWindow": r"\d\d:\d\d-\d\d:\d\d",
    "rds:CreateDBInstance PreferredMaintenanceWindow": r"[a-z]{3}:\d\d:\d\d-[a-z]{3}:\d\d:\d\d",
    "rds:CreateDBInstance MonitoringInterval": r"0|1|5|10|15|30|60",
    "rds:CreateDBInstance EnableCloudwatchLogsExports[]": r"postgresql|upgrade|iam-db-auth-error",
    "rds:CreateDBInstance StorageType": r"gp2|gp3|io1|io2|standard",
    "rds:CreateDBInstance Tags[].Key": _RDS_TAG,
    "rds:CreateDBInstance Tags[].Value": _RDS_TAG,
    "rds:CreateDBSubnetGroup DBSubnetGroupName": r"[a-z0-9 ._-]{1,255}",
    "rds:CreateDBParameterGroup DBParameterGroupName": rf"(?=.{{1,255}}$){_RDS_NAME}",
    "rds:DeleteDBInstance FinalDBSnapshotIdentifier": rf"(?=.{{1,255}}$){_RDS_NAME}",
    "kms:ScheduleKeyDeletion PendingWindowInDays": r"[7-9]|[12]\d|30",
    "logs:PutRetentionPolicy retentionInDays": (
        r"1|3|5|7|14|30|60|90|120|150|180|365|400|545|731|1096|1827|2192|2557|2922|3288|3653"
    ),
    "cloudwatch:PutMetricAlarm TreatMissingData": r"breaching|notBreaching|ignore|missing",
    "cloudwatch:PutMetricAlarm Period": r"10|20|30|[1-9]\d*",
}
"""Limits that the models lack, by operation and path: what the whole value must match."""


def requests(
    resource: AwsResource, inputs: Mapping[str, Any] | None = None, outputs: Mapping[str, str] | None = None
) -> list[Request]:
    """The calls of a resource's whole life. Raises KeyError for a type, ValueError for an input, that CALLS lacks.

    inputs, outputs: other ones than the recorder's.
    """
    inputs = resource.inputs if inputs is None else inputs
    outputs = resource.outputs if outputs is None else outputs
    calls = CALLS[resource.type]
    local = PROVIDER_ONLY.get(resource.type, {})
    named = {key for call in calls for key in (*call.inputs, call.if_true)}
    # The provider asks for no tags where there are none.
    inputs = {key: value for key, value in inputs.items() if (key, value) != ("tags", {})}
    rest = {key: value for key, value in inputs.items() if key not in named and key not in local}
    takers = [call for call in calls if call.takes_rest]
    if rest and not takers:
        raise ValueError(f"{resource}: no call takes {', '.join(sorted(rest))}")
    made = []
    for call in calls:
        if (call.if_true and not inputs.get(call.if_true)) or (call.if_given and inputs.get(call.if_given) is None):
            continue
        parameters: dict[str, Any] = {}
        shape = _input_shape(call.operation)
        for path, value in call.fixed.items():
            _put(parameters, path, value)
        for path, output in call.known.items():
            _put(parameters, path, outputs[output])
        for key, path in call.inputs.items():
            if key in inputs:
                _put(parameters, path, _shaped(inputs[key], _member(shape, path), call.operation))
        if call.takes_rest:
            for key, value in rest.items():
                path = _path_of(resource, call, shape, key)
                _put(parameters, path, _shaped(value, _member(shape, path), call.operation))
        made.append(Request(call, parameters))
    return made


def problems(request: Request) -> list[str]:
    """What botocore's model, and AWS's prose, say against a call; empty where they take it."""
    shape = _input_shape(request.call.operation)
    report = botocore.validate.ParamValidator().validate(request.parameters, shape)
    found = [report.generate_report()] if report.has_errors() else []
    for path, member, value in _scalars(request.parameters, shape, ""):
        found += [f"{path}: {problem}" for problem in _limits(member, value)]
        prose = PROSE.get(f"{request.call.operation} {re.sub(r'[0-9]+', '', path)}")
        if prose is not None and not re.fullmatch(prose, str(value)):
            found.append(f"{path}: {value!r} does not match {prose}")
    return [f"{request}: {problem}" for problem in found]


def play(resources: Sequence[AwsResource], session: Any) -> dict[str, dict[str, str]]:
    """Makes the resources with a boto3 session (moto's), in order. Returns the outputs of each, by URN.

    References to other resources become what AWS answered for those.
    """
    by_urn = {resource.urn: resource for resource in resources}
    outputs: dict[str, dict[str, str]] = {}
    for resource in resources:
        inputs = with_references(resource, by_urn, lambda target, name: outputs[target.urn][name])
        own = outputs[resource.urn] = dict(resource.outputs)
        for call in CALLS[resource.type]:
            if call.when is not When.CREATE or call.unplayed:
                continue
            for request in requests(resource, inputs, own):
                if request.call is call:
                    client = session.client(call.service)
                    answer = getattr(client, botocore.xform_name(call.name))(**request.parameters)
                    own |= {name: _answered(answer, path) for name, path in call.answers.items()}
    return outputs


def _answered(answer: Any, path: str) -> Any:
    return functools.reduce(lambda found, key: found[key], path.split("."), answer)


@functools.cache
def _input_shape(operation: str) -> StructureShape:
    service, _, name = operation.partition(":")
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(name).input_shape
    assert shape is not None, operation
    return shape


def _path_of(resource: AwsResource, call: Call, shape: StructureShape, key: str) -> str:
    """The parameter of an input's own name. Raises ValueError where the call has none."""
    inner = _member(shape, call.rest_in) if call.rest_in else shape
    found = [member for member in inner.members if member.lower() == key.lower()]
    if not found:
        raise ValueError(f"{resource}: neither CALLS nor {call.operation} itself has a parameter for {key}")
    return f"{call.rest_in}.{found[0]}" if call.rest_in else found[0]


def _steps(path: str) -> Iterator[str | int]:
    """a[0].b as "a", 0, "b"."""
    for part in path.split("."):
        name, *indices = re.split(r"[\[\]]+", part.rstrip("]"))
        yield name
        yield from map(int, indices)


def _member(shape: Any, path: str) -> Any:
    """The shape at a path. Raises KeyError for a member that the model lacks."""
    for step in _steps(path):
        shape = shape.member if isinstance(step, int) else shape.members[step]
    return shape


def _put(parameters: dict[str, Any], path: str, value: Any) -> None:
    """Sets the value at a path, and makes what is on the way."""
    steps = list(_steps(path))
    place: Any = parameters
    for step, following in itertools.pairwise(steps):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if len(place) == step:
                place.append(empty)
            place = place[step]
        else:
            place = place.setdefault(step, empty)
    if isinstance(steps[-1], int):
        place.append(value)
    else:
        place[steps[-1]] = value


def _shaped(value: Any, shape: Any, operation: str) -> Any:
    """A value of Pulumi's in the form of a shape: members by their name, whatever its case, and maps as pairs."""
    if isinstance(value, list) and shape.type_name == "list":
        return [_shaped(item, shape.member, operation) for item in value]
    if isinstance(value, dict) and shape.type_name == "list":
        # Tags and dimensions: their key is Key, TagKey or Name, their value Value or TagValue.
        members = list(shape.member.members)
        assert len(members) == 2, f"expected pairs, got {shape.member}"
        name, content = sorted(members, key=lambda member: member.endswith("Value"))
        return [{name: key, content: item} for key, item in value.items()]
    if isinstance(value, dict) and shape.type_name == "structure":
        renamed = _MEMBERS.get(operation, {})
        spelt = {member.lower(): member for member in shape.members}
        found = {}
        for key, item in value.items():
            member = renamed.get(key) or spelt.get(key.lower(), key)
            # What the model lacks stays under its own name, and the validator says so.
            found[member] = _shaped(item, shape.members[member], operation) if member in shape.members else item
        return found
    return value


def _scalars(value: Any, shape: Shape, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Each value with its shape and path, the containers of other values too."""
    if path:
        yield path, shape, value
    if isinstance(value, dict) and shape.type_name == "structure":
        members = getattr(shape, "members", {})
        for key, item in value.items():
            if key in members:
                yield from _scalars(item, members[key], f"{path}.{key}".lstrip("."))
    elif isinstance(value, dict) and shape.type_name == "map":
        for key, item in value.items():
            yield f"{path} {key}", shape.key, key
            yield f"{path} {key}", shape.value, item
    elif isinstance(value, list) and shape.type_name == "list":
        for index, item in enumerate(value):
            yield from _scalars(item, shape.member, f"{path}[{index}]")


def _limits(shape: Any, value: Any) -> Iterator[str]:
    """What the model says and ParamValidator does not ask: enums, patterns, the upper ends."""
    metadata = shape.metadata
    if isinstance(value, str):
        enum = metadata.get("enum")
        if enum and value not in enum:
            yield f"{value!r} is none of {', '.join(enum)}"
        pattern = metadata.get("pattern")
        if pattern and not re.fullmatch(_python(pattern), value, re.DOTALL):
            yield f"{value!r} does not match {pattern}"
    size = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if isinstance(value, str | list | dict) and shape.type_name in ("string", "list", "map"):
        size = len(value)
    if size is not None and not metadata.get("min", size) <= size <= metadata.get("max", size):
        yield f"{size} is not within {metadata.get('min', '…')} to {metadata.get('max', '…')}"


def _python(pattern: str) -> str:
    """A pattern of Java's as one of Python's: classes of letters, digits and white space."""
    for java, python in ((r"\p{L}", r"\w"), (r"\p{N}", r"\w"), (r"\p{Z}", r"\s")):
        pattern = pattern.replace(java, python)
    return pattern
