"""The IAM policies of the role that deploys `prod`: all that the program needs, and nothing else.

RIGHTS is what the AWS provider asks for over a resource's life. It is written down from the source of Terraform's
provider, which Pulumi's is made of, and from the dependent actions of AWS's service authorization reference; it was not
run against AWS.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import botocore.session
import pytest
from botocore import xform_name

from tests.cases import each
from tests.policy import programs as policies
from tests.samples import ROOT, StackConfig, prod

if TYPE_CHECKING:
    from tests.conftest import Recorder, Registration

DOCS: Final = ROOT / "docs"
EVERY_DAY: Final = ("deploying-role.json", "deploying-role-database.json")
"""Two, because IAM takes no more than MAX_CHARACTERS for one."""
NEW: Final = "deploying-role-new.json"
"""For an update that makes keys or associations: it tags what has no tag yet."""
TEARDOWN: Final = "deploying-role-teardown.json"
DRILL: Final = "deploying-role-drill.json"
"""For drills, which delete the instance that they have made."""
POLICIES: Final = (*EVERY_DAY, NEW, TEARDOWN, DRILL)
BOUNDARY: Final = "deploying-role-boundary.json"
"""Of the roles that the program makes."""
READING: Final = "reading-role.json"
"""Of previews and drift checks."""
MAX_CHARACTERS: Final = 6144
"""Of a managed policy, without white space (docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
VALUES: Final = {"REGION": "ap-southeast-1", "ACCOUNT": "123456789012", "CLUSTER": "example", "STACK": "prod"}
"""Of the placeholders; the region is a long one."""

BOUNDARY_ARN: Final = "arn:aws:iam::123456789012:policy/airflow-deploying-role-boundary"
TASK_POLICY: Final = "arn:aws:iam::123456789012:policy/airflow-tasks/sales"

PROGRAMS: Final[Mapping[str, Callable[[], StackConfig]]] = {
    "prod": prod,
    "prod with all that needs rights": lambda: prod().with_(
        {
            "awsPermissionsBoundary": BOUNDARY_ARN,
            "taskPolicyArns": [TASK_POLICY],
            "workerGroups": [{"name": "gpu", "taskPolicyArns": [TASK_POLICY]}, {"name": "big"}],
            "secretsManagerPrefix": "airflow-secrets/prod",
            "backupStore": "bucket",
            "verificationDag": "probe",
            "verificationAlarmTopicArn": prod().values["airflow:databaseAlarmTopicArn"],
        }
    ),
    "prod by IRSA": policies.PROGRAMS["prod by IRSA and KEDA"],
}


@dataclass(frozen=True, kw_only=True)
class Life:
    """IAM actions over a resource's life; with those that AWS asks for beside the one that is called.

    delete: nothing for what a destroy retains. arns: of the resource, and of what an action names beside it.
    """

    create: tuple[str, ...]
    read: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    arns: Callable[[Registration], tuple[str, ...]] = field(default=lambda _: ())

    @property
    def actions(self) -> frozenset[str]:
        return frozenset({*self.create, *self.read, *self.update, *self.delete})


def generated(resource: Registration) -> str:
    """The name that the provider makes of a logical one."""
    return f"{resource.name}-0123abc"


def rds(*kinds: str) -> Callable[[Registration], tuple[str, ...]]:
    def arns(resource: Registration) -> tuple[str, ...]:
        name = resource.inputs.get("identifier") or generated(resource)
        return tuple(f"arn:aws:rds:REGION:ACCOUNT:{kind}:{name}" for kind in kinds)

    return arns


def bucket(_: Registration) -> tuple[str, ...]:
    return ("arn:aws:s3:::airflow-task-logs-0123abc",)


def key(_: Registration) -> tuple[str, ...]:
    return ("arn:aws:kms:REGION:ACCOUNT:key/01234567-89ab-cdef-0123-456789abcdef",)


def alias(resource: Registration) -> tuple[str, ...]:
    return (*key(resource), f"arn:aws:kms:REGION:ACCOUNT:{resource.inputs['name']}")


def role(resource: Registration) -> tuple[str, ...]:
    return (f"arn:aws:iam::ACCOUNT:role/{generated(resource)}",)


def secret(_: Registration) -> tuple[str, ...]:
    name = prod().values["airflow:keyEscrow"]
    return (f"arn:aws:secretsmanager:REGION:ACCOUNT:secret:{name}-AbCdEf", *key(_))


def instance(resource: Registration) -> tuple[str, ...]:
    identifier = resource.inputs["identifier"]
    return (
        *rds("db")(resource),
        f"arn:aws:rds:REGION:ACCOUNT:snapshot:{identifier}-final-0123",
        "arn:aws:rds:REGION:ACCOUNT:subgrp:airflow-postgres-0123abc",
        "arn:aws:rds:REGION:ACCOUNT:pg:airflow-postgres-0123abc",
        "arn:aws:rds:REGION:ACCOUNT:og:default:postgres-17",
        "arn:aws:iam::ACCOUNT:role/airflow-postgres-monitoring-0123abc",
        "arn:aws:iam::ACCOUNT:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
        *key(resource),
    )


_RDS_TAGS: Final = ("rds:AddTagsToResource", "rds:RemoveTagsFromResource")
_THROUGH_RDS: Final = ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")

RIGHTS: Final[Mapping[str, Life]] = {
    "aws:cloudwatch/logGroup:LogGroup": Life(
        create=("logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:TagResource"),
        read=("logs:DescribeLogGroups", "logs:ListTagsForResource"),
        update=("logs:AssociateKmsKey", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"),
        delete=("logs:DeleteLogGroup",),
        arns=lambda resource: (f"arn:aws:logs:REGION:ACCOUNT:log-group:{resource.inputs['name']}:*",),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Life(
        create=("cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"),
        read=("cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"),
        update=("cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"),
        delete=("cloudwatch:DeleteAlarms",),
        arns=lambda resource: (f"arn:aws:cloudwatch:REGION:ACCOUNT:alarm:{resource.inputs['name']}",),
    ),
    "aws:ec2/securityGroup:SecurityGroup": Life(
        # AWS gives every new group a rule that lets everything out; the provider takes it away.
        create=("ec2:CreateSecurityGroup", "ec2:CreateTags", "ec2:RevokeSecurityGroupEgress"),
        read=("ec2:DescribeSecurityGroups",),
        update=("ec2:CreateTags", "ec2:DeleteTags"),
        delete=("ec2:DescribeNetworkInterfaces", "ec2:DeleteSecurityGroup"),
        arns=lambda _: (
            "arn:aws:ec2:REGION:ACCOUNT:security-group/sg-0a000000",
            "arn:aws:ec2:REGION:ACCOUNT:vpc/vpc-0a000000",
        ),
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Life(
        create=("eks:CreatePodIdentityAssociation", "eks:TagResource", "iam:GetRole", "iam:PassRole"),
        read=("eks:DescribePodIdentityAssociation",),
        update=("eks:TagResource", "eks:UntagResource", "eks:UpdatePodIdentityAssociation"),
        delete=("eks:DeletePodIdentityAssociation",),
        arns=lambda _: (
            "arn:aws:eks:REGION:ACCOUNT:cluster/CLUSTER",
            "arn:aws:eks:REGION:ACCOUNT:podidentityassociation/CLUSTER/a-0123",
            "arn:aws:iam::ACCOUNT:role/airflow-task-logs-0123abc",
        ),
    ),
    "aws:iam/role:Role": Life(
        create=("iam:CreateRole", "iam:TagRole"),
        read=("iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
        update=(
            "iam:PutRolePermissionsBoundary",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRoleDescription",
        ),
        delete=("iam:DeleteRole", "iam:ListInstanceProfilesForRole"),
        arns=role,
    ),
    "aws:iam/rolePolicy:RolePolicy": Life(
        create=("iam:PutRolePolicy",),
        read=("iam:GetRolePolicy",),
        update=("iam:PutRolePolicy",),
        delete=("iam:DeleteRolePolicy",),
        arns=role,
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Life(
        create=("iam:AttachRolePolicy",),
        read=("iam:ListAttachedRolePolicies",),
        delete=("iam:DetachRolePolicy",),
        arns=role,
    ),
    "aws:kms/alias:Alias": Life(
        create=("kms:CreateAlias",),
        read=("kms:ListAliases",),
        update=("kms:UpdateAlias",),
        delete=("kms:DeleteAlias",),
        arns=alias,
    ),
    "aws:kms/key:Key": Life(
        create=("kms:CreateKey", "kms:EnableKeyRotation", "kms:TagResource"),
        read=("kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"),
        update=("kms:PutKeyPolicy", "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription"),
        delete=("kms:ScheduleKeyDeletion",),
        arns=key,
    ),
    "aws:rds/instance:Instance": Life(
        create=(
            "rds:CreateDBInstance",
            "rds:RestoreDBInstanceFromDBSnapshot",
            "rds:RestoreDBInstanceToPointInTime",
            # What a restore does not take is changed afterwards, and the group of parameters wants a restart.
            "rds:ModifyDBInstance",
            "rds:RebootDBInstance",
            "rds:AddTagsToResource",
            "iam:CreateServiceLinkedRole",
            "iam:PassRole",
            *_THROUGH_RDS,
        ),
        read=("rds:DescribeDBInstances", "rds:ListTagsForResource"),
        update=("rds:ModifyDBInstance", "iam:PassRole", *_RDS_TAGS, *_THROUGH_RDS),
        delete=("rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DeleteDBInstance"),
        arns=instance,
    ),
    "aws:rds/parameterGroup:ParameterGroup": Life(
        create=("rds:CreateDBParameterGroup", "rds:ModifyDBParameterGroup", "rds:AddTagsToResource"),
        read=("rds:DescribeDBParameterGroups", "rds:DescribeDBParameters", "rds:ListTagsForResource"),
        update=("rds:ModifyDBParameterGroup", "rds:ResetDBParameterGroup", *_RDS_TAGS),
        delete=("rds:DeleteDBParameterGroup",),
        arns=rds("pg"),
    ),
    "aws:rds/subnetGroup:SubnetGroup": Life(
        create=("rds:CreateDBSubnetGroup", "rds:AddTagsToResource"),
        read=("rds:DescribeDBSubnetGroups", "rds:ListTagsForResource"),
        update=("rds:ModifyDBSubnetGroup", *_RDS_TAGS),
        delete=("rds:DeleteDBSubnetGroup",),
        arns=rds("subgrp"),
    ),
    "aws:s3/bucket:Bucket": Life(
        # Tags by the S3 Control API, or by the older one where a region lacks it
        # (github.com/hashicorp/terraform-provider-aws/pull/45251).
        create=("s3:CreateBucket", "s3:TagResource", "s3:PutBucketTagging"),
        read=(
            "s3:GetAccelerateConfiguration",
            "s3:GetBucketAcl",
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketPolicy",
            "s3:GetBucketRequestPayment",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetBucketWebsite",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetReplicationConfiguration",
            "s3:ListBucket",
            "s3:ListTagsForResource",
        ),
        update=("s3:PutBucketTagging", "s3:TagResource", "s3:UntagResource"),
        delete=("s3:DeleteBucket",),
        arns=bucket,
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Life(
        create=("s3:PutLifecycleConfiguration",),
        read=("s3:GetLifecycleConfiguration",),
        update=("s3:PutLifecycleConfiguration",),
        delete=("s3:PutLifecycleConfiguration",),
        arns=bucket,
    ),
    "aws:s3/bucketMetric:BucketMetric": Life(
        create=("s3:PutMetricsConfiguration",),
        read=("s3:GetMetricsConfiguration",),
        update=("s3:PutMetricsConfiguration",),
        delete=("s3:PutMetricsConfiguration",),
        arns=bucket,
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Life(
        create=("s3:PutBucketOwnershipControls",),
        read=("s3:GetBucketOwnershipControls",),
        update=("s3:PutBucketOwnershipControls",),
        delete=("s3:PutBucketOwnershipControls",),
        arns=bucket,
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Life(
        create=("s3:PutBucketPolicy",),
        read=("s3:GetBucketPolicy",),
        update=("s3:PutBucketPolicy",),
        delete=("s3:DeleteBucketPolicy",),
        arns=bucket,
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Life(
        create=("s3:PutBucketPublicAccessBlock",),
        read=("s3:GetBucketPublicAccessBlock",),
        update=("s3:PutBucketPublicAccessBlock",),
        delete=("s3:PutBucketPublicAccessBlock",),
        arns=bucket,
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Life(
        create=("s3:PutEncryptionConfiguration",),
        read=("s3:GetEncryptionConfiguration",),
        update=("s3:PutEncryptionConfiguration",),
        delete=("s3:PutEncryptionConfiguration",),
        arns=bucket,
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Life(
        create=("s3:PutBucketVersioning",),
        read=("s3:GetBucketVersioning",),
        update=("s3:PutBucketVersioning",),
        delete=("s3:PutBucketVersioning",),
        arns=bucket,
    ),
    "aws:secretsmanager/secret:Secret": Life(
        create=("secretsmanager:CreateSecret", "secretsmanager:TagResource", "kms:Decrypt", "kms:GenerateDataKey"),
        read=("secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"),
        update=("secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:UpdateSecret"),
        arns=secret,
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Life(
        create=("secretsmanager:PutSecretValue", "kms:Decrypt", "kms:GenerateDataKey"),
        read=("secretsmanager:GetSecretValue", "kms:Decrypt"),
        arns=secret,
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Life(
        create=("ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags"),
        read=("ec2:DescribeSecurityGroupRules",),
        update=("ec2:CreateTags", "ec2:DeleteTags", "ec2:ModifySecurityGroupRules"),
        delete=("ec2:RevokeSecurityGroupIngress",),
        arns=lambda _: (
            "arn:aws:ec2:REGION:ACCOUNT:security-group/sg-0a000000",
            "arn:aws:ec2:REGION:ACCOUNT:security-group-rule/sgr-0a000000",
        ),
    ),
}
"""By Pulumi type."""

_RDS: Final = "arn:aws:rds:REGION:ACCOUNT"
AT_ONCE: Final[Mapping[str, tuple[str, ...]]] = {
    "ec2:AuthorizeSecurityGroupIngress": (
        "arn:aws:ec2:REGION:ACCOUNT:security-group/sg-0a000000",
        "arn:aws:ec2:REGION:ACCOUNT:security-group-rule/sgr-0a000000",
    ),
    "ec2:CreateSecurityGroup": (
        "arn:aws:ec2:REGION:ACCOUNT:security-group/sg-0a000000",
        "arn:aws:ec2:REGION:ACCOUNT:vpc/vpc-0a000000",
    ),
    "kms:CreateAlias": ("arn:aws:kms:REGION:ACCOUNT:alias/airflow-prod", "arn:aws:kms:REGION:ACCOUNT:key/0123"),
    "rds:AddTagsToResource": (f"{_RDS}:db:airflow-prod", f"{_RDS}:snapshot:airflow-prod-final-0123"),
    "rds:CreateDBInstance": (
        f"{_RDS}:db:airflow-prod",
        f"{_RDS}:og:default:postgres-17",
        f"{_RDS}:pg:airflow-postgres-0123abc",
        f"{_RDS}:subgrp:airflow-postgres-0123abc",
    ),
    "rds:CreateDBSnapshot": (f"{_RDS}:db:airflow-prod", f"{_RDS}:snapshot:airflow-prod-final-0123"),
    "rds:RestoreDBInstanceToPointInTime": (
        f"{_RDS}:db:airflow-prod",
        f"{_RDS}:db:airflow-prod-2",
        f"{_RDS}:og:default:postgres-17",
        f"{_RDS}:pg:airflow-postgres-0123abc",
        f"{_RDS}:subgrp:airflow-postgres-0123abc",
    ),
    "rds:RestoreDBInstanceFromDBSnapshot": (
        f"{_RDS}:db:airflow-prod-2",
        f"{_RDS}:og:default:postgres-17",
        f"{_RDS}:pg:airflow-postgres-0123abc",
        f"{_RDS}:snapshot:airflow-prod-moment",
        f"{_RDS}:snapshot:rds:airflow-prod-2026-01-31-02-05",
        f"{_RDS}:subgrp:airflow-postgres-0123abc",
    ),
}
"""Actions for which AWS asks about each of several resources."""

IRREVOCABLE: Final = frozenset(
    {"kms:ScheduleKeyDeletion", "logs:DeleteLogGroup", "rds:DeleteDBInstance", "s3:DeleteBucket"}
)
"""What loses data or keys: no update of every day does it."""

OTHER_NAMES: Final = {
    "s3:GetAccelerateConfiguration": "GetBucketAccelerateConfiguration",
    "s3:GetBucketObjectLockConfiguration": "GetObjectLockConfiguration",
    "s3:GetBucketPublicAccessBlock": "GetPublicAccessBlock",
    "s3:GetEncryptionConfiguration": "GetBucketEncryption",
    "s3:GetLifecycleConfiguration": "GetBucketLifecycleConfiguration",
    "s3:GetMetricsConfiguration": "GetBucketMetricsConfiguration",
    "s3:GetReplicationConfiguration": "GetBucketReplication",
    "s3:ListBucket": "HeadBucket",
    "s3:PutBucketPublicAccessBlock": "PutPublicAccessBlock",
    "s3:PutEncryptionConfiguration": "PutBucketEncryption",
    "s3:PutLifecycleConfiguration": "PutBucketLifecycleConfiguration",
    "s3:PutMetricsConfiguration": "PutBucketMetricsConfiguration",
}
"""Actions that IAM names otherwise than the API its operation."""
OF_S3_CONTROL: Final = frozenset({"s3:ListTagsForResource", "s3:TagResource", "s3:UntagResource"})
WITHOUT_RIGHT: Final = "sts:GetCallerIdentity"
"""Everybody may call it, whatever the policies say
(docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html)."""
PERMISSION_ALONE: Final = frozenset({"iam:PassRole"})
"""Actions that no operation has the name of."""


@functools.cache
def statements(*names: str) -> list[dict[str, Any]]:
    """Nobody may change them."""
    found: list[dict[str, Any]] = []
    for name in names:
        found += json.loads(filled((DOCS / name).read_text()))["Statement"]
    return found


def filled(text: str) -> str:
    for placeholder, value in VALUES.items():
        text = text.replace(placeholder, value)
    return text


def listed(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def actions(*names: str) -> set[str]:
    return {action for statement in statements(*names) for action in listed(statement["Action"])}


def allowed(action: str, arns: Iterable[str], *names: str) -> bool:
    """Whether a statement lets the action be done to one of these; conditions are looked at elsewhere."""
    return any(
        action in listed(statement["Action"])
        and any(fnmatch.fnmatchcase(filled(arn), pattern) for arn in arns for pattern in listed(statement["Resource"]))
        for statement in statements(*names)
    )


@pytest.fixture(params=PROGRAMS)
def resources(request: pytest.FixtureRequest, registered: Callable[..., Recorder]) -> list[Registration]:
    """What a program registers in AWS."""
    recorder = registered(PROGRAMS[request.param]())
    return [found for found in recorder.every() if found.type.startswith("aws:")]


# What the program makes


def test_every_type_that_the_program_registers_has_its_rights(resources: list[Registration]) -> None:
    sometimes = {"aws:eks/podIdentityAssociation:PodIdentityAssociation", "aws:s3/bucketMetric:BucketMetric"}
    registered = {resource.type for resource in resources}
    assert registered | sometimes == set(RIGHTS), "a new type needs its rights in RIGHTS, and then in the policies"


def test_every_resource_can_be_made_read_changed_and_deleted(resources: list[Registration]) -> None:
    for resource in resources:
        life = RIGHTS[resource.type]
        arns = (*life.arns(resource), "*")
        for action in life.actions:
            assert allowed(action, arns, *POLICIES), f"{action} of {resource}"
        for action in {*life.read, *life.update}:
            assert allowed(action, arns, *EVERY_DAY), f"{action} of {resource} in an update"
        for action in life.create:
            assert allowed(action, arns, *EVERY_DAY, NEW), f"{action} of {resource} in an update that makes it"


def test_the_boundary_of_the_stack_is_that_of_every_role(resources: list[Registration]) -> None:
    found = {resource.inputs.get("permissionsBoundary") for resource in resources if resource.type.endswith(":Role")}
    with_tasks = any(resource.inputs.get("policyArn") == TASK_POLICY for resource in resources)
    assert found == ({BOUNDARY_ARN} if with_tasks else {None})


@each("action", AT_ONCE)
def test_action_is_allowed_on_each_resource_that_it_names(action: str) -> None:
    for arn in AT_ONCE[action]:
        assert allowed(action, [arn], *POLICIES), arn


def test_what_a_destroy_retains_needs_no_right_to_delete_it(resources: list[Registration]) -> None:
    for resource in resources:
        if not RIGHTS[resource.type].delete:
            assert resource.request.retainOnDelete, resource
    assert not [action for action in actions(*POLICIES) if action.startswith("secretsmanager:Delete")]


def test_an_update_of_every_day_cannot_lose_data_or_keys() -> None:
    assert actions(TEARDOWN) == IRREVOCABLE | {"rds:CreateDBSnapshot"}, "with a last snapshot"
    assert actions(DRILL) == {"rds:DeleteDBInstance"}
    assert listed(statements(DRILL)[0]["Resource"]) == [filled(f"{_RDS}:db:airflow-STACK-drill-*")]
    assert not actions(*EVERY_DAY) & IRREVOCABLE
    for action in actions(*EVERY_DAY):
        assert not re.search(r":(Disable|Schedule|DeleteObject|DeleteSecret|RestoreSecret)", action), action


def test_tags_that_the_policies_ask_for_are_those_of_prod() -> None:
    tags = json.loads(prod().values["airflow:awsTags"])
    asked = set()
    for statement in statements(*POLICIES):
        for condition in statement.get("Condition", {}).values():
            for name, value in condition.items():
                if found := re.fullmatch(r"aws:(?:Request|Resource)Tag/(\w+)", name):
                    asked.add((found[1], value))
    assert asked == {("application", "airflow"), ("stack", "prod")}
    assert asked <= set(tags.items())


# What the program asks before it plans


@functools.cache
def lookups() -> Mapping[str, str]:
    """The source of each `aws_call` of the program, by the IAM action that it names."""
    paths = (*(ROOT / "components").rglob("*.py"), ROOT / "settings" / "aws_lookup.py")
    return dict(found for path in paths if "aws_call" in path.read_text() for found in lookups_of(path))


def lookups_of(path: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(path.read_text())
    constants = {
        str(getattr(target, "id", "")): statement.value.value
        for statement in tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Constant)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "aws_call":
            action = node.args[0]
            named = action.value if isinstance(action, ast.Constant) else constants[getattr(action, "id", "")]
            yield str(named), ast.unparse(node)


def test_every_lookup_is_allowed_and_called_by_its_name() -> None:
    found = lookups()
    assert {"eks:DescribeCluster", "rds:DescribeDBInstances", "secretsmanager:GetSecretValue"} <= set(found)
    for action, source in found.items():
        assert xform_name(action.partition(":")[2]) in source, action
        assert action == WITHOUT_RIGHT or action in actions(*EVERY_DAY), action


def test_every_action_is_needed_by_a_resource_a_lookup_or_a_verb() -> None:
    needed = {action for life in RIGHTS.values() for action in life.actions} | set(lookups()) | of_verbs()
    assert actions(*POLICIES) == needed - {WITHOUT_RIGHT}


def of_verbs() -> set[str]:
    """What the verbs of backups ask of RDS, and `recover` of all that a killed update was making."""
    source = (ROOT / "automation" / "snapshots" / "rds.py").read_text()
    found = {f"rds:{name}" for name in re.findall(r"_(?:call|all)\(\s*\"(\w+)\"", source)}
    assert {"rds:CreateDBSnapshot", "rds:DescribeDBInstanceAutomatedBackups", "rds:DeleteDBInstance"} <= found
    source = (ROOT / "automation" / "recovery" / "aws_creates.py").read_text()
    looks = set(re.findall(r"\"([a-z0-9]+:[A-Z]\w+)\"", source))
    for action in looks:
        name = action.partition(":")[2]
        assert f'"{xform_name(OTHER_NAMES.get(action, name))}"' in source, action
    assert {"eks:ListPodIdentityAssociations", "kms:ListAliases", "tag:GetResources"} <= looks
    return found | looks


# The documents


MISTAKES: Final = {
    f"{action} on {resource}": {"Effect": "Allow", "Action": action, "Resource": resource}
    for action, resource in (("rds:MakeDBInstance", "*"), ("kms:CreateGrant", "arn:aws:s3:::b"))
}


@pytest.fixture(scope="module")
def linted() -> Mapping[str, list[str]]:
    """What CloudFormation's linter says of each policy, and of each mistake. One call: it loads all rules anew."""
    # Imported here: it loads a whole library of algebra, and no other file needs it.
    from cfnlint.api import lint
    from cfnlint.config import ManualArgs

    documents = {name: json.loads(filled((DOCS / name).read_text())) for name in (*POLICIES, BOUNDARY, READING)}
    documents |= {name: {"Version": "2012-10-17", "Statement": [made]} for name, made in MISTAKES.items()}
    resources = {
        f"Policy{number}": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
        for number, document in enumerate(documents.values())
    }
    # Informational rules too: one of them says that a resource does not fit its action.
    config = ManualArgs(regions=["eu-central-1"], include_checks=["I"])
    found = lint(json.dumps({"Resources": resources}), config=config)
    assert {match.path[1] for match in found} <= resources.keys()
    by_name = zip(documents, resources, strict=True)
    return {name: [str(match) for match in found if match.path[1] == resource] for name, resource in by_name}


@each("name", [*POLICIES, BOUNDARY, READING])
def test_policy_is_one_that_iam_takes(name: str, linted: Mapping[str, list[str]]) -> None:
    document = json.loads(filled((DOCS / name).read_text()))
    assert document["Version"] == "2012-10-17"
    assert len(json.dumps(document, separators=(",", ":"))) <= MAX_CHARACTERS
    assert linted[name] == []


def test_linter_sees_what_iam_would_not_take(linted: Mapping[str, list[str]]) -> None:
    """The test above could pass because nothing is looked at."""
    assert all(linted[name] for name in MISTAKES)


def test_statements_allow_named_actions_and_have_names_of_their_own() -> None:
    for name in POLICIES:
        found = statements(name)
        names = [statement["Sid"] for statement in found]
        assert sorted(names) == sorted(set(names))
        for statement in found:
            assert statement["Effect"] == "Allow"
            assert listed(statement["Action"]) == sorted(set(listed(statement["Action"])))
            assert not [action for action in listed(statement["Action"]) if set(action) & set("*?")]


def test_only_what_has_no_resource_is_allowed_everywhere() -> None:
    from cfnlint.data import AdditionalSpecs
    from cfnlint.helpers import load_resource

    reference = load_resource(AdditionalSpecs, "Policies.json")
    for statement in statements(*POLICIES):
        if "*" not in listed(statement["Resource"]):
            continue
        for action in listed(statement["Action"]):
            service, _, name = action.partition(":")
            of_a_new_key = "aws:RequestTag/application" in json.dumps(statement.get("Condition", {}))
            assert of_a_new_key or not reference[service]["Actions"][name.lower()].get("Resources"), action


def test_roles_are_passed_to_the_services_that_they_are_for_alone() -> None:
    passed = {
        statement["Condition"]["StringEquals"]["iam:PassedToService"]: listed(statement["Resource"])
        for statement in statements(*POLICIES)
        if "iam:PassRole" in listed(statement["Action"])
    }
    assert {service: [arn.rpartition("/")[2] for arn in arns] for service, arns in passed.items()} == {
        "monitoring.rds.amazonaws.com": ["airflow-postgres-monitoring-*"],
        "pods.eks.amazonaws.com": ["airflow-task-logs-*", "airflow-tasks-*"],
    }


def test_only_policies_that_are_meant_for_it_are_attached_to_a_role() -> None:
    """Whoever may attach any policy to a role of pods may give himself every right."""
    attached = {
        statement["Sid"]: condition["iam:PolicyARN"]
        for statement in statements(*POLICIES)
        if "iam:AttachRolePolicy" in listed(statement["Action"])
        for condition in statement["Condition"].values()
        if "iam:PolicyARN" in condition
    }
    assert attached.keys() == {"MonitoringPolicy", "TaskPolicies"}
    assert attached["MonitoringPolicy"] == "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
    assert fnmatch.fnmatchcase(TASK_POLICY, attached["TaskPolicies"])
    for foreign in ("iam::aws:policy/AdministratorAccess", "iam::123456789012:policy/airflow-deploying-role"):
        assert not fnmatch.fnmatchcase(f"arn:aws:{foreign}", attached["TaskPolicies"])


def test_every_action_is_an_operation_of_the_api() -> None:
    session = botocore.session.Session()
    for action in sorted(actions(*POLICIES) - PERMISSION_ALONE):
        service, _, name = action.partition(":")
        named = "s3control" if action in OF_S3_CONTROL else "resourcegroupstaggingapi" if service == "tag" else service
        model = session.get_service_model(named)
        operation = OTHER_NAMES.get(action, name)
        # IAM compares names without case, and writes some otherwise than the API: GetBucketCORS.
        assert operation.lower() in {known.lower() for known in model.operation_names}, action


def test_placeholders_are_those_that_the_page_fills_in() -> None:
    page = (DOCS / "production.md").read_text()
    for name in (*POLICIES, BOUNDARY):
        text = (DOCS / name).read_text()
        assert set(re.findall(r"\b[A-Z]{4,}\b", text)) <= set(VALUES), name
        assert f"({name})" in page
    for placeholder in VALUES:
        assert f"s/{placeholder}/" in page
