"""What the deploying role's policies let it do: attacks that they refuse, and calls that an update needs.

The evaluator is that of the emulated AWS (tests/prod/emulator/policies.py). It knows no policy of a key or bucket, and
no service control policy. Which keys of the context AWS sends is taken from its service authorization reference;
nothing was run against AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.prod.emulator.policies import given_by
from tests.prod.emulator.rights import Right
from tests.test_deploying_role import BOUNDARY, DRILL, EVERY_DAY, NEW, TEARDOWN, filled, statements

OWN: Final = {"aws:ResourceTag/application": "airflow", "aws:ResourceTag/stack": "prod"}
OF_STAGING: Final = {"aws:ResourceTag/application": "airflow", "aws:ResourceTag/stack": "staging"}
OF_PROD_EU: Final = {"aws:ResourceTag/application": "airflow", "aws:ResourceTag/stack": "prod-eu"}
OF_OTHERS: Final = {"aws:ResourceTag/application": "payments"}
TAGS: Final = {"aws:RequestTag/application": "airflow", "aws:RequestTag/stack": "prod"}
BOUNDED: Final = {"iam:PermissionsBoundary": "arn:aws:iam::ACCOUNT:policy/airflow-deploying-role-boundary"}
MONITORING: Final = {"iam:PolicyARN": "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"}
KEY: Final = "arn:aws:kms:REGION:ACCOUNT:key/0123"
ROLE: Final = "arn:aws:iam::ACCOUNT:role/airflow-task-logs-0123abc"
MONITOR: Final = "arn:aws:iam::ACCOUNT:role/airflow-postgres-monitoring-0123abc"
TASKS: Final = "arn:aws:iam::ACCOUNT:role/airflow-tasks-0123abc"
TASK_POLICY: Final = {"iam:PolicyARN": "arn:aws:iam::ACCOUNT:policy/airflow-tasks/read-sales"}
POD: Final = "arn:aws:eks:REGION:ACCOUNT:podidentityassociation/CLUSTER/a-0123"
CLUSTER: Final = "arn:aws:eks:REGION:ACCOUNT:cluster/CLUSTER"
RDS: Final = "arn:aws:rds:REGION:ACCOUNT"
SECRET: Final = "arn:aws:secretsmanager:REGION:ACCOUNT:secret"
GROUP: Final = "arn:aws:ec2:REGION:ACCOUNT:security-group/sg-0a"
RULE: Final = "arn:aws:ec2:REGION:ACCOUNT:security-group-rule/sgr-0a"
HERE: Final = {"aws:ResourceAccount": "ACCOUNT"}
ELSEWHERE: Final = {"aws:ResourceAccount": "999999999999"}
BUCKET: Final = "arn:aws:s3:::airflow-task-logs-0123abc"
PARAMETERS: Final = f"{RDS}:pg:airflow-postgres-9f9f9f9"
ESCROW: Final = f"{SECRET}:airflow/prod/keys-AbCdEf"
LOGS: Final = "arn:aws:logs:REGION:ACCOUNT:log-group:/aws/rds/instance"
ALARM: Final = "arn:aws:cloudwatch:REGION:ACCOUNT:alarm"
TOPIC: Final = "arn:aws:sns:REGION:ACCOUNT:airflow-alarms"
THROUGH_SECRETS: Final = {"kms:ViaService": "secretsmanager.REGION.amazonaws.com"}
_SECRET_ARN: Final = "kms:EncryptionContext:SecretARN"
THROUGH_RDS: Final = {"kms:ViaService": "rds.REGION.amazonaws.com"}


@dataclass(frozen=True)
class Call:
    """A call of AWS's API, and what IAM is asked about it."""

    why: str
    """What it would do."""
    action: str
    """The IAM action."""
    resource: str = "*"
    """The ARN that IAM is asked about."""
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """The keys of conditions."""
    policies: tuple[str, ...] = EVERY_DAY
    """The policies that are attached."""


def actions(*arns: str) -> dict[str, tuple[str, ...]]:
    """What an alarm does, by one that is allowed and those given: when it is raised, and when it ends."""
    return {"cloudwatch:AlarmActions": (TOPIC, *arns)}


def permitted(call: Call, *policies: str) -> bool:
    context = {
        name: filled(value) if isinstance(value, str) else tuple(map(filled, value))
        for name, value in call.context.items()
    }
    right = Right(action=call.action, resource=filled(call.resource), context=context)
    return given_by(right, statements(*(policies or call.policies))) is not None


MAKING: Final = (*EVERY_DAY, NEW)
ENDING: Final = (*EVERY_DAY, TEARDOWN)
DRILLING: Final = (*EVERY_DAY, DRILL)

ATTACKS: Final = (
    Call("tag another team's key as one's own", "kms:TagResource", KEY, {**TAGS, **OF_OTHERS}),
    Call("tag a key without tags as one's own", "kms:TagResource", KEY, TAGS),
    Call("the same while keys are made", "kms:TagResource", KEY, {**TAGS, **OF_OTHERS}, MAKING),
    Call("the same with another stack's key", "kms:TagResource", KEY, {**TAGS, **OF_STAGING}, MAKING),
    Call(
        "the same with a key that has an alias",
        "kms:TagResource",
        KEY,
        {**TAGS, "kms:ResourceAliases": "alias/x"},
        MAKING,
    ),
    Call("rewrite another team's key policy", "kms:PutKeyPolicy", KEY, OF_OTHERS),
    Call("rewrite another stack's key policy", "kms:PutKeyPolicy", KEY, OF_STAGING),
    Call("rewrite the policy of a key without tags", "kms:PutKeyPolicy", KEY, {}),
    Call("the same while keys are made", "kms:PutKeyPolicy", KEY, TAGS, MAKING),
    Call("delete a key on any day", "kms:ScheduleKeyDeletion", KEY, OWN),
    Call("delete another team's key on the day of a tear-down", "kms:ScheduleKeyDeletion", KEY, OF_OTHERS, ENDING),
    Call("delete a key without tags on that day", "kms:ScheduleKeyDeletion", KEY, {}, ENDING),
    Call("disable a key", "kms:DisableKey", KEY, OWN),
    Call("decrypt directly", "kms:Decrypt", KEY, OWN),
    Call("decrypt another stack's escrow", "kms:Decrypt", KEY, {**OF_STAGING, **THROUGH_SECRETS}),
    Call("decrypt another team's secret", "kms:Decrypt", KEY, {**OF_OTHERS, **THROUGH_SECRETS}),
    Call("grant another team's key to oneself", "kms:CreateGrant", KEY, {**OF_OTHERS, **THROUGH_RDS}),
    Call("grant one's own key to a person", "kms:CreateGrant", KEY, {**OWN, "kms:GrantIsForAWSResource": "false"}),
    Call("give another team's key an alias", "kms:CreateAlias", KEY, OF_OTHERS),
    Call("repoint another team's alias", "kms:UpdateAlias", "arn:aws:kms:REGION:ACCOUNT:alias/payments"),
    Call("repoint another stack's alias", "kms:UpdateAlias", "arn:aws:kms:REGION:ACCOUNT:alias/airflow-staging"),
    Call("make a key without tags", "kms:CreateKey", "*", {}, MAKING),
    Call("make a key on any day", "kms:CreateKey", "*", TAGS),
    Call("read another stack's escrow", "secretsmanager:GetSecretValue", f"{SECRET}:airflow/staging/keys-AbCdEf"),
    Call("read another team's secret", "secretsmanager:GetSecretValue", f"{SECRET}:payments/db-AbCdEf"),
    Call(
        "read a stack's escrow whose name begins alike",
        "secretsmanager:GetSecretValue",
        f"{SECRET}:airflow/prod2/keys-A",
    ),
    Call("overwrite another stack's escrow", "secretsmanager:PutSecretValue", f"{SECRET}:airflow/staging/keys-AbCdEf"),
    Call("delete the escrow", "secretsmanager:DeleteSecret", f"{SECRET}:airflow/prod/keys-AbCdEf"),
    Call("open the escrow to others", "secretsmanager:PutResourcePolicy", f"{SECRET}:airflow/prod/keys-AbCdEf"),
    Call("repoint another team's association", "eks:UpdatePodIdentityAssociation", POD, OF_OTHERS),
    Call("repoint an association without tags", "eks:UpdatePodIdentityAssociation", POD, {}),
    Call("delete another team's association", "eks:DeletePodIdentityAssociation", POD, OF_OTHERS),
    Call("tag another team's association as one's own", "eks:TagResource", POD, {**TAGS, **OF_OTHERS}),
    Call("the same while associations are made", "eks:TagResource", POD, {**TAGS, **OF_OTHERS}, MAKING),
    Call("give another team's pods one's role", "eks:CreatePodIdentityAssociation", CLUSTER, TAGS),
    Call("become an administrator of the cluster", "eks:CreateAccessEntry", CLUSTER, TAGS, MAKING),
    Call(
        "read what DAGs read, as the deploying role",
        "secretsmanager:GetSecretValue",
        f"{SECRET}:airflow-secrets/prod/connections/warehouse-AbCdEf",
    ),
    Call("make a role without a boundary", "iam:CreateRole", ROLE, TAGS),
    Call(
        "make a role with another boundary",
        "iam:CreateRole",
        ROLE,
        {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    Call("give a role without a boundary a policy", "iam:PutRolePolicy", ROLE),
    Call("take the boundary away", "iam:DeleteRolePermissionsBoundary", ROLE, BOUNDED),
    Call(
        "put another boundary",
        "iam:PutRolePermissionsBoundary",
        ROLE,
        {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    Call(
        "attach administrator rights",
        "iam:AttachRolePolicy",
        MONITOR,
        {**BOUNDED, "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    Call("attach a policy to the role of task logs", "iam:AttachRolePolicy", ROLE, {**BOUNDED, **MONITORING}),
    Call(
        "attach administrator rights to a role of tasks",
        "iam:AttachRolePolicy",
        TASKS,
        {**BOUNDED, "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    Call("attach a policy of tasks to a role without a boundary", "iam:AttachRolePolicy", TASKS, TASK_POLICY),
    Call("change another team's role", "iam:PutRolePolicy", "arn:aws:iam::ACCOUNT:role/payments", BOUNDED),
    Call(
        "change the boundary itself",
        "iam:CreatePolicyVersion",
        "arn:aws:iam::ACCOUNT:policy/airflow-deploying-role-boundary",
    ),
    Call("rewrite whom another stack's role trusts", "iam:UpdateAssumeRolePolicy", ROLE, OF_STAGING),
    Call("give another stack's role a policy", "iam:PutRolePolicy", TASKS, {**BOUNDED, **OF_STAGING}),
    Call("give another stack's tasks a right", "iam:AttachRolePolicy", TASKS, {**BOUNDED, **TASK_POLICY, **OF_STAGING}),
    Call("tag another stack's role as one's own", "iam:TagRole", ROLE, {**TAGS, **OF_STAGING}),
    Call("delete another stack's role", "iam:DeleteRole", MONITOR, OF_STAGING),
    Call("pass the role to a machine", "iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}),
    Call(
        "pass another team's role to pods",
        "iam:PassRole",
        "arn:aws:iam::ACCOUNT:role/admin",
        {"iam:PassedToService": "pods.eks.amazonaws.com"},
    ),
    Call("make a user", "iam:CreateUser", "arn:aws:iam::ACCOUNT:user/me"),
    Call("change another stack's database", "rds:ModifyDBInstance", f"{RDS}:db:airflow-staging"),
    Call("change one whose name begins alike", "rds:ModifyDBInstance", f"{RDS}:db:airflow-production"),
    Call(
        "restore another stack's snapshot", "rds:RestoreDBInstanceFromDBSnapshot", f"{RDS}:snapshot:airflow-staging-1"
    ),
    Call("share a snapshot with another account", "rds:ModifyDBSnapshotAttribute", f"{RDS}:snapshot:airflow-prod-1"),
    Call("make a snapshot of another stack's database", "rds:CreateDBSnapshot", f"{RDS}:db:airflow-staging"),
    Call(
        "restore a moment of another stack's database",
        "rds:RestoreDBInstanceToPointInTime",
        f"{RDS}:db:airflow-staging",
    ),
    Call("delete the database on any day", "rds:DeleteDBInstance", f"{RDS}:db:airflow-prod"),
    Call("delete it as a drill", "rds:DeleteDBInstance", f"{RDS}:db:airflow-prod", {}, DRILLING),
    Call("delete what a restore made as a drill", "rds:DeleteDBInstance", f"{RDS}:db:airflow-prod-2", {}, DRILLING),
    Call("delete another stack's drill", "rds:DeleteDBInstance", f"{RDS}:db:airflow-staging-drill-1", {}, DRILLING),
    Call("delete a drill's database on any day", "rds:DeleteDBInstance", f"{RDS}:db:airflow-prod-drill-1"),
    Call("delete a snapshot", "rds:DeleteDBSnapshot", f"{RDS}:snapshot:airflow-prod-1", {}, ENDING),
    Call(
        "delete another stack's database on the day of a tear-down",
        "rds:DeleteDBInstance",
        f"{RDS}:db:airflow-staging",
        {},
        ENDING,
    ),
    Call("open another team's security group", "ec2:AuthorizeSecurityGroupIngress", GROUP, OF_OTHERS),
    Call("open another stack's security group", "ec2:AuthorizeSecurityGroupIngress", GROUP, OF_STAGING),
    Call("tag another team's security group as one's own", "ec2:CreateTags", GROUP, {**TAGS, **OF_OTHERS}),
    Call("tag another team's rule", "ec2:CreateTags", RULE, {**TAGS, **OF_OTHERS}),
    Call("delete another team's security group", "ec2:DeleteSecurityGroup", GROUP, OF_OTHERS),
    Call("make a security group without tags", "ec2:CreateSecurityGroup", GROUP, {}),
    Call("rewrite another team's bucket policy", "s3:PutBucketPolicy", "arn:aws:s3:::payments", HERE),
    Call("configure a bucket of another account with such a name", "s3:PutLifecycleConfiguration", BUCKET, ELSEWHERE),
    Call("read its policy", "s3:GetBucketPolicy", BUCKET, ELSEWHERE),
    Call("delete it on the day of a tear-down", "s3:DeleteBucket", BUCKET, ELSEWHERE, ENDING),
    Call("delete the bucket on any day", "s3:DeleteBucket", BUCKET, HERE),
    Call("read task logs", "s3:GetObject", f"{BUCKET}/logs/x", HERE),
    Call("delete task logs", "s3:DeleteObject", f"{BUCKET}/logs/x", HERE),
    Call("silence another stack's alarm", "cloudwatch:DeleteAlarms", f"{ALARM}:rds-airflow-staging-cpu"),
    Call("delete the database's logs on any day", "logs:DeleteLogGroup", f"{LOGS}/airflow-prod/postgresql:*"),
    Call("change another stack's logs", "logs:PutRetentionPolicy", f"{LOGS}/airflow-staging/postgresql:*"),
    # A stack whose name begins with this one's and a hyphen, and what has generated names.
    Call("change the database of prod-eu", "rds:ModifyDBInstance", f"{RDS}:db:airflow-prod-eu", OF_PROD_EU),
    Call("restart it", "rds:RebootDBInstance", f"{RDS}:db:airflow-prod-eu", OF_PROD_EU),
    Call("take its tags away first", "rds:RemoveTagsFromResource", f"{RDS}:db:airflow-prod-eu", OF_PROD_EU),
    Call(
        "delete it on the day of a tear-down", "rds:DeleteDBInstance", f"{RDS}:db:airflow-prod-eu", OF_PROD_EU, ENDING
    ),
    Call(
        "restore its snapshot",
        "rds:RestoreDBInstanceFromDBSnapshot",
        f"{RDS}:snapshot:rds:airflow-prod-eu-1",
        OF_PROD_EU,
    ),
    Call("let another stack's database take logins without TLS", "rds:ModifyDBParameterGroup", PARAMETERS, OF_STAGING),
    Call("reset another stack's parameters", "rds:ResetDBParameterGroup", PARAMETERS, OF_STAGING),
    Call("move another stack's database", "rds:ModifyDBSubnetGroup", f"{RDS}:subgrp:airflow-postgres-0", OF_STAGING),
    Call(
        "delete the database's logs of prod-eu",
        "logs:DeleteLogGroup",
        f"{LOGS}/airflow-prod-eu/postgresql:*",
        OF_PROD_EU,
        ENDING,
    ),
    Call("keep its logs for a day", "logs:PutRetentionPolicy", f"{LOGS}/airflow-prod-eu/postgresql:*", OF_PROD_EU),
    Call("silence its alarms", "cloudwatch:PutMetricAlarm", f"{ALARM}:rds-airflow-prod-eu-cpu", OF_PROD_EU),
    Call(
        "silence another stack's alarm of task logs",
        "cloudwatch:DeleteAlarms",
        f"{ALARM}:airflow-task-logs-0",
        OF_STAGING,
    ),
    *(
        Call(f"let an alarm {what}", "cloudwatch:PutMetricAlarm", f"{ALARM}:rds-airflow-prod-cpu", actions(action))
        for what, action in {
            "terminate a machine of another team": "arn:aws:automate:REGION:ec2:terminate",
            "stop a node of the cluster": "arn:aws:swf:REGION:ACCOUNT:action/actions/AWS_EC2.InstanceId.Stop/1.0",
            "run a function": "arn:aws:lambda:REGION:ACCOUNT:function:payments",
            "scale another team's machines": "arn:aws:autoscaling:REGION:ACCOUNT:scalingPolicy:x:policyName/y",
            "open an incident": "arn:aws:ssm-incidents::ACCOUNT:response-plan/all",
        }.items()
    ),
    Call("delete its drill", "rds:DeleteDBInstance", f"{RDS}:db:airflow-prod-drill-1", OF_PROD_EU, DRILLING),
    # What takes data, keys or rights away by another door.
    Call("export a snapshot to a bucket", "rds:StartExportTask", f"{RDS}:snapshot:airflow-prod-1", OWN),
    Call("copy a snapshot under another key", "rds:CopyDBSnapshot", f"{RDS}:snapshot:airflow-prod-1", OWN),
    Call("make a replica", "rds:CreateDBInstanceReadReplica", f"{RDS}:db:airflow-prod", OWN),
    Call("log in to the database by IAM", "rds-db:connect", "arn:aws:rds-db:REGION:ACCOUNT:dbuser:*/airflow", OWN),
    Call("copy the escrow to another region", "secretsmanager:ReplicateSecretToRegions", ESCROW, OWN),
    Call("let a function rotate the escrow", "secretsmanager:RotateSecret", ESCROW, OWN),
    Call("encrypt anew under another key", "kms:ReEncryptFrom", KEY, OWN),
    Call("bring one's own key material", "kms:ImportKeyMaterial", KEY, OWN),
    Call("copy a key to another region", "kms:ReplicateKey", KEY, OWN),
    Call("end the rotation of a key", "kms:DisableKeyRotation", KEY, OWN),
    Call("copy the logs to another bucket", "s3:PutReplicationConfiguration", BUCKET, HERE),
    Call("open the bucket by an access list", "s3:PutBucketAcl", BUCKET, HERE),
    Call("open the bucket by an access point", "s3:CreateAccessPoint", "arn:aws:s3:REGION:ACCOUNT:accesspoint/x"),
    Call("write a policy that tasks may have", "iam:CreatePolicy", "arn:aws:iam::ACCOUNT:policy/airflow-tasks/all"),
    Call("make keys for a user", "iam:CreateAccessKey", "arn:aws:iam::ACCOUNT:user/me"),
    Call("give a machine a role", "iam:AddRoleToInstanceProfile", "arn:aws:iam::ACCOUNT:instance-profile/x"),
    Call("be another team's role", "sts:AssumeRole", "arn:aws:iam::ACCOUNT:role/payments"),
    Call("open the cluster to everybody", "eks:UpdateClusterConfig", CLUSTER, OWN, MAKING),
    Call("widen one's own access entry", "eks:AssociateAccessPolicy", CLUSTER, OWN, MAKING),
    Call("open a way out of the database", "ec2:AuthorizeSecurityGroupEgress", GROUP, OWN),
    Call("run a command on a node", "ssm:SendCommand", "arn:aws:ec2:REGION:ACCOUNT:instance/i-0", {}),
    Call("stop the account's records", "cloudtrail:StopLogging", "arn:aws:cloudtrail:REGION:ACCOUNT:trail/all"),
)
"""Calls that must be refused."""

NEEDED: Final = (
    Call("make a key", "kms:CreateKey", "*", TAGS, MAKING),
    Call("tag it", "kms:TagResource", KEY, TAGS, MAKING),
    Call("change its tags", "kms:TagResource", KEY, {**TAGS, **OWN}),
    Call("take a tag away", "kms:UntagResource", KEY, OWN),
    Call("let it rotate", "kms:EnableKeyRotation", KEY, OWN),
    Call("read it", "kms:DescribeKey", KEY, OWN),
    Call("read its policy", "kms:GetKeyPolicy", KEY, OWN),
    Call("change its policy", "kms:PutKeyPolicy", KEY, OWN),
    Call("give it an alias", "kms:CreateAlias", KEY, OWN),
    Call("make its alias", "kms:CreateAlias", "arn:aws:kms:REGION:ACCOUNT:alias/airflow-prod"),
    Call("make the escrow's alias", "kms:CreateAlias", "arn:aws:kms:REGION:ACCOUNT:alias/escrow/airflow/prod/keys"),
    Call("encrypt the escrow", "kms:GenerateDataKey", KEY, {**OWN, **THROUGH_SECRETS}),
    Call("decrypt the escrow", "kms:Decrypt", KEY, {**OWN, **THROUGH_SECRETS}),
    Call("let RDS use its key", "kms:CreateGrant", KEY, {**OWN, **THROUGH_RDS, "kms:GrantIsForAWSResource": "true"}),
    Call("delete a key on the day of a tear-down", "kms:ScheduleKeyDeletion", KEY, OWN, ENDING),
    Call("make the escrow", "secretsmanager:CreateSecret", f"{SECRET}:airflow/prod/keys-AbCdEf"),
    Call("store keys", "secretsmanager:PutSecretValue", f"{SECRET}:airflow/prod/keys-AbCdEf"),
    Call("compare keys", "secretsmanager:GetSecretValue", f"{SECRET}:airflow/prod/keys-AbCdEf"),
    Call("make the role of task logs", "iam:CreateRole", ROLE, BOUNDED),
    Call("give it its policy", "iam:PutRolePolicy", ROLE, BOUNDED),
    Call("bound a role of an earlier version", "iam:PutRolePermissionsBoundary", ROLE, BOUNDED),
    Call("take its policy away", "iam:DeleteRolePolicy", ROLE, BOUNDED),
    Call("tag it", "iam:TagRole", ROLE, TAGS),
    Call("change whom it trusts", "iam:UpdateAssumeRolePolicy", ROLE, OWN),
    Call("the same of an earlier version, without tags", "iam:UpdateAssumeRolePolicy", ROLE),
    Call("read it", "iam:GetRole", ROLE, OWN),
    Call("delete it", "iam:DeleteRole", ROLE, OWN),
    Call("attach the monitoring's policy", "iam:AttachRolePolicy", MONITOR, {**BOUNDED, **MONITORING}),
    Call("make a role of tasks", "iam:CreateRole", TASKS, BOUNDED),
    Call("attach a policy of tasks to it", "iam:AttachRolePolicy", TASKS, {**BOUNDED, **TASK_POLICY}),
    Call("pass it to pods of tasks", "iam:PassRole", TASKS, {"iam:PassedToService": "pods.eks.amazonaws.com"}),
    Call("pass it to pods", "iam:PassRole", ROLE, {"iam:PassedToService": "pods.eks.amazonaws.com"}),
    Call("pass it to RDS", "iam:PassRole", MONITOR, {"iam:PassedToService": "monitoring.rds.amazonaws.com"}),
    Call("associate the role", "eks:CreatePodIdentityAssociation", CLUSTER, TAGS, MAKING),
    Call("tag the association", "eks:TagResource", POD, TAGS, MAKING),
    Call("read the association", "eks:DescribePodIdentityAssociation", POD),
    Call("change the association", "eks:UpdatePodIdentityAssociation", POD, OWN),
    Call("delete the association", "eks:DeletePodIdentityAssociation", POD, OWN),
    Call("look the cluster up", "eks:DescribeCluster", CLUSTER),
    Call("make the database", "rds:CreateDBInstance", f"{RDS}:db:airflow-prod"),
    Call("with its parameters", "rds:CreateDBInstance", f"{RDS}:pg:airflow-postgres-0123abc"),
    Call("change it", "rds:ModifyDBInstance", f"{RDS}:db:airflow-prod"),
    Call("change what a restore made", "rds:ModifyDBInstance", f"{RDS}:db:airflow-prod-2", OWN),
    Call("change its parameters", "rds:ModifyDBParameterGroup", PARAMETERS, OWN),
    Call("restore it", "rds:RestoreDBInstanceFromDBSnapshot", f"{RDS}:snapshot:rds:airflow-prod-2026-01-31-02-05"),
    Call("restore it beside the old one", "rds:RestoreDBInstanceFromDBSnapshot", f"{RDS}:db:airflow-prod-2"),
    Call("restore a moment of it", "rds:RestoreDBInstanceToPointInTime", f"{RDS}:db:airflow-prod"),
    Call("make a snapshot of it", "rds:CreateDBSnapshot", f"{RDS}:db:airflow-prod-2"),
    Call("under a name of its own", "rds:CreateDBSnapshot", f"{RDS}:snapshot:airflow-prod-20260131t104500z"),
    Call("list snapshots", "rds:DescribeDBSnapshots", f"{RDS}:snapshot:*"),
    Call("find out the moments", "rds:DescribeDBInstanceAutomatedBackups", f"{RDS}:db:airflow-prod"),
    Call("end a drill", "rds:DeleteDBInstance", f"{RDS}:db:airflow-prod-drill-1", {}, DRILLING),
    Call("delete it on the day of a tear-down", "rds:DeleteDBInstance", f"{RDS}:db:airflow-prod", {}, ENDING),
    Call("make its security group", "ec2:CreateSecurityGroup", GROUP, TAGS),
    Call("in its network", "ec2:CreateSecurityGroup", "arn:aws:ec2:REGION:ACCOUNT:vpc/vpc-0a"),
    Call("tag it", "ec2:CreateTags", GROUP, {**TAGS, "ec2:CreateAction": "CreateSecurityGroup"}),
    Call("let the cluster in", "ec2:AuthorizeSecurityGroupIngress", GROUP, OWN),
    Call("by a rule", "ec2:AuthorizeSecurityGroupIngress", RULE, {}),
    Call("tag the rule", "ec2:CreateTags", RULE, {**TAGS, "ec2:CreateAction": "AuthorizeSecurityGroupIngress"}),
    Call("change the rule", "ec2:ModifySecurityGroupRules", RULE, OWN),
    Call("make the bucket", "s3:CreateBucket", BUCKET),
    Call("close the bucket", "s3:PutBucketPublicAccessBlock", BUCKET, HERE),
    Call("delete the bucket on the day of a tear-down", "s3:DeleteBucket", BUCKET, HERE, ENDING),
    Call("keep the database's logs", "logs:PutRetentionPolicy", f"{LOGS}/airflow-prod/postgresql:*"),
    Call("make an alarm", "cloudwatch:PutMetricAlarm", f"{ALARM}:rds-airflow-prod-cpu", actions(TOPIC)),
    Call("change an alarm", "cloudwatch:PutMetricAlarm", f"{ALARM}:rds-airflow-prod-cpu", {**OWN, **actions(TOPIC)}),
    Call("make one that tells nobody", "cloudwatch:PutMetricAlarm", f"{ALARM}:rds-airflow-prod-cpu"),
)
"""Calls that an update makes."""


def test_every_attack_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(ATTACKS) >= 40
    assert [f"{call.why}: {call.action}" for call in ATTACKS if permitted(call)] == []
    with capsys.disabled():
        print(f"\n{len(ATTACKS)} attacks on the deploying role's policies: 0 permitted")


def test_every_call_of_an_update_is_permitted(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(NEEDED) >= 40
    assert [f"{call.why}: {call.action}" for call in NEEDED if not permitted(call)] == []
    with capsys.disabled():
        print(f"\n{len(NEEDED)} calls of updates: 0 refused")


def test_roles_that_the_program_makes_can_do_no_more_than_their_work() -> None:
    """Whatever policy and trust the deploying role writes for them: the boundary is what they can do at most."""
    for action, resource, context, may in (
        ("s3:GetObject", f"{BUCKET}/logs/x", HERE, True),
        ("s3:PutObject", f"{BUCKET}/logs/x", HERE, True),
        ("s3:PutObject", f"{BUCKET}/logs/x", ELSEWHERE, False),
        ("s3:PutObject", f"{BUCKET}/backups/x", HERE, True),
        ("s3:PutObject", f"{BUCKET}/backups/x", ELSEWHERE, False),
        ("s3:DeleteObject", f"{BUCKET}/logs/x", HERE, False),
        ("s3:GetObject", "arn:aws:s3:::payments/x", HERE, False),
        ("kms:Decrypt", KEY, {**OWN, "kms:ViaService": "s3.REGION.amazonaws.com"}, True),
        ("kms:Decrypt", KEY, OWN, False),
        ("kms:Decrypt", KEY, {**OF_OTHERS, "kms:ViaService": "s3.REGION.amazonaws.com"}, False),
        ("secretsmanager:GetSecretValue", f"{SECRET}:airflow/prod/keys-AbCdEf", {}, False),
        ("secretsmanager:GetSecretValue", f"{SECRET}:airflow-secrets/prod/connections/a-AbCdEf", {}, True),
        ("secretsmanager:GetSecretValue", f"{SECRET}:airflow-secrets/staging/connections/a-AbCdEf", {}, False),
        ("secretsmanager:GetSecretValue", f"{SECRET}:airflow-secrets/prod2/connections/a-AbCdEf", {}, False),
        ("secretsmanager:PutSecretValue", f"{SECRET}:airflow-secrets/prod/connections/a-AbCdEf", {}, False),
        ("kms:Decrypt", KEY, {**THROUGH_SECRETS, _SECRET_ARN: f"{SECRET}:airflow-secrets/prod/a-AbCdEf"}, True),
        ("kms:Decrypt", KEY, {**THROUGH_SECRETS, _SECRET_ARN: f"{SECRET}:airflow/prod/keys-AbCdEf"}, False),
        ("kms:Decrypt", KEY, {**OWN, **THROUGH_SECRETS}, False),
        ("sts:AssumeRole", "arn:aws:iam::ACCOUNT:role/admin", {}, False),
        ("iam:PutRolePolicy", ROLE, BOUNDED, False),
        ("logs:PutLogEvents", "arn:aws:logs:REGION:ACCOUNT:log-group:RDSOSMetrics:log-stream:x", {}, True),
        ("logs:GetLogEvents", f"{LOGS}/airflow-prod/postgresql:*", {}, False),
    ):
        assert permitted(Call("", action, resource, context), BOUNDARY) is may, (action, resource)


def test_evaluator_knows_the_conditions_of_the_policies() -> None:
    """The tests above could pass because nothing is permitted at all."""

    def holds(operator: str, wanted: Any, **context: str | tuple[str, ...]) -> bool:
        statement = {"Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": {operator: {"k": wanted}}}
        return given_by(Right(action="a:B", resource="r", context=context), [statement]) is not None

    assert holds("StringEquals", ["x", "y"], k="y")
    assert not holds("StringEquals", "x")
    assert holds("StringEqualsIfExists", "x")
    assert not holds("StringEqualsIfExists", "x", k="y")
    assert holds("Null", "true")
    assert not holds("Null", "true", k="x")
    assert holds("ArnEquals", "arn:*", k="arn:x")
    assert holds("ForAllValues:StringLike", "x*")
    assert holds("ForAllValues:StringLike", ["x*", "z"], k=("x1", "z"))
    assert not holds("ForAllValues:StringLike", "x*", k=("x1", "y"))
