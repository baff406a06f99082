"""What the stack has made in the account, against what its state has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.prod.account import CLUSTER_NAME, Account
from tests.prod.checkout import Checkout

_OWN: Final = "airflow-"
"""The beginning of the names of what the stack makes, where the seed makes such things too."""
_NAMES: Final = ("identifier", "name", "bucket")


def not_in_the_state(account: Account, checkout: Checkout) -> list[str]:
    """Return what the account has of the stack, and the state does not: made twice, or lost."""
    resources = checkout.export()["resources"]
    known = {str(item.get("id")) for item in resources}
    known |= {str(item.get("outputs", {}).get(name)) for item in resources for name in _NAMES}
    return [f"{kind} {name}" for kind, name in _made(account) if name not in known]


def _made(account: Account) -> Iterator[tuple[str, str]]:
    ec2, rds, kms = account.client("ec2"), account.client("rds"), account.client("kms")
    groups = ec2.describe_security_groups()["SecurityGroups"]
    own = [item["GroupId"] for item in groups if item["GroupName"].startswith(_OWN)]
    yield from (("security group", group) for group in own)
    for rule in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": own}])["SecurityGroupRules"]:
        yield "rule", rule["SecurityGroupRuleId"]
    for role in account.client("iam").list_roles()["Roles"]:
        if role["RoleName"].startswith(_OWN):
            yield "role", role["RoleName"]
    for key in kms.list_keys()["Keys"]:
        if kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]:  # Pulumi's own has none
            yield "key", key["KeyId"]
    for alias in kms.list_aliases()["Aliases"]:
        if alias["AliasName"].startswith((f"alias/{_OWN}prod", "alias/escrow/")):
            yield "alias", alias["AliasName"]
    for bucket in account.client("s3").list_buckets()["Buckets"]:
        if bucket["Name"].startswith(_OWN):
            yield "bucket", bucket["Name"]
    for instance in rds.describe_db_instances()["DBInstances"]:
        yield "instance", instance["DBInstanceIdentifier"]
    for subnets in rds.describe_db_subnet_groups()["DBSubnetGroups"]:
        yield "subnet group", subnets["DBSubnetGroupName"]
    for parameters in rds.describe_db_parameter_groups()["DBParameterGroups"]:
        if parameters["DBParameterGroupName"].startswith(_OWN):
            yield "parameter group", parameters["DBParameterGroupName"]
    for log_group in account.client("logs").describe_log_groups()["logGroups"]:
        yield "log group", log_group["logGroupName"]
    for alarm in account.client("cloudwatch").describe_alarms()["MetricAlarms"]:
        yield "alarm", alarm["AlarmName"]
    for secret in account.client("secretsmanager").list_secrets()["SecretList"]:
        yield "secret", secret["ARN"]
    for item in account.client("eks").list_pod_identity_associations(clusterName=CLUSTER_NAME)["associations"]:
        yield "association", item["associationId"]
