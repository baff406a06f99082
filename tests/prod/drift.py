"""What a person changes of a deployed `prod` in AWS, past the program: the next update must put all of it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.prod.account import CLUSTER_NAME, Account

INSTANCE: Final = "aws:rds/instance:Instance::airflow-postgres"
MEMORY_ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm::airflow-alarms-freeable-memory"
_GIVEN: Final = (
    "AlarmName",
    "ComparisonOperator",
    "EvaluationPeriods",
    "MetricName",
    "Namespace",
    "Period",
    "Statistic",
)
_TAGS: Final = {"application": "airflow", "stack": "prod"}
_OTHER: Final = "changed by a person"


def memory_alarm(account: Account) -> dict[str, Any]:
    """Return the alarm whose threshold follows from the class of the instance."""
    name = f"rds-airflow-prod-{MEMORY_ALARM.rpartition('airflow-alarms-')[2]}"
    [found] = account.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(found)


def change_by_hand(account: Account, instance_class: str) -> set[str]:
    """Change what is deployed, the database to another class, and return the resources that are no longer as they were
    made."""
    rds = account.client("rds")
    rds.modify_db_instance(
        DBInstanceIdentifier="airflow-prod",
        DBInstanceClass=instance_class,
        BackupRetentionPeriod=7,
        ApplyImmediately=True,
    )
    before = memory_alarm(account)
    account.client("cloudwatch").put_metric_alarm(**{key: before[key] for key in _GIVEN}, Threshold=1.0)
    account.client("secretsmanager").update_secret(SecretId="airflow/prod/keys", Description=_OTHER)
    log_group = "/aws/rds/instance/airflow-prod/postgresql"
    account.client("logs").put_retention_policy(logGroupName=log_group, retentionInDays=1)
    return {
        INSTANCE,
        MEMORY_ALARM,
        "aws:secretsmanager/secret:Secret::airflow-keys-escrow",
        "aws:cloudwatch/logGroup:LogGroup::airflow-postgres-postgresql",
        *_rule(account),
        *_key(account),
        *_role(account),
        *_association(account),
    }


def _rule(account: Account) -> Iterator[str]:
    ec2 = account.client("ec2")
    for group in ec2.describe_security_groups()["SecurityGroups"]:
        if not group["GroupName"].startswith("airflow-postgres"):
            continue
        wanted = [{"Name": "group-id", "Values": [group["GroupId"]]}]
        [rule] = [
            item
            for item in ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
            if not item["IsEgress"]
        ]
        changed = {
            "IpProtocol": rule["IpProtocol"],
            "FromPort": rule["FromPort"],
            "ToPort": rule["ToPort"],
            "ReferencedGroupId": rule["ReferencedGroupInfo"]["GroupId"],
            "Description": _OTHER,
        }
        ec2.modify_security_group_rules(
            GroupId=group["GroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": changed}],
        )
        yield "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule::airflow-postgres-clients"


def _key(account: Account) -> Iterator[str]:
    """Its description, and an alias that leads to another key of the stack."""
    kms = account.client("kms")
    alias = "alias/airflow-prod"
    key = kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]
    kms.update_key_description(KeyId=key, Description=_OTHER)
    yield "aws:kms/key:Key::airflow-postgres-key"
    tags = [{"TagKey": name, "TagValue": value} for name, value in _TAGS.items()]
    kms.update_alias(AliasName=alias, TargetKeyId=kms.create_key(Tags=tags)["KeyMetadata"]["KeyId"])
    yield "aws:kms/alias:Alias::airflow-postgres-key"


def _role(account: Account) -> Iterator[str]:
    """Its description, and its boundary."""
    iam = account.client("iam")
    [name] = [
        role["RoleName"]
        for role in iam.list_roles()["Roles"]
        if role["RoleName"].startswith("airflow-task-logs-") and "api-server" not in role["RoleName"]
    ]
    iam.update_role(RoleName=name, Description=_OTHER)
    iam.delete_role_permissions_boundary(RoleName=name)
    yield "aws:iam/role:Role::airflow-task-logs"


def _association(account: Account) -> Iterator[str]:
    """The role that the pods of one service account get."""
    eks = account.client("eks")
    worker, api_server = (
        eks.list_pod_identity_associations(clusterName=CLUSTER_NAME, serviceAccount=name)["associations"][0]
        for name in ("airflow-worker", "airflow-api-server")
    )
    role = eks.describe_pod_identity_association(clusterName=CLUSTER_NAME, associationId=api_server["associationId"])[
        "association"
    ]["roleArn"]
    eks.update_pod_identity_association(clusterName=CLUSTER_NAME, associationId=worker["associationId"], roleArn=role)
    yield "aws:eks/podIdentityAssociation:PodIdentityAssociation::airflow-task-logs-airflow-worker"
