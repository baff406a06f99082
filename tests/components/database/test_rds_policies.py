"""Who may use the database's key, and who may take the role of its monitoring."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from components.database.rds_policies import (
    LOG_EXPORTS,
    database_key_policy,
    log_group_name,
    monitoring_policy_arn,
    monitoring_trust,
)
from tests.cases import each

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
ROOT: Final = f"arn:aws:iam::{ACCOUNT}:root"

USE: Final = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt", "kms:GenerateDataKey", "kms:CreateGrant")


def key_statements() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = database_key_policy(ACCOUNT, REGION, "airflow")["Statement"]
    return found


def principals(statement: dict[str, Any]) -> Iterator[str]:
    for value in statement["Principal"].values():
        yield from [value] if isinstance(value, str) else value


def allows(action: str, statement: dict[str, Any]) -> bool:
    return any(action.startswith(pattern.removesuffix("*")) for pattern in statement["Action"])


def test_nobody_but_the_account_and_its_logs_is_named() -> None:
    for statement in key_statements():
        assert set(principals(statement)) <= {ROOT, f"logs.{REGION}.amazonaws.com"}
        assert "*" not in statement["Principal"]


def test_key_stays_manageable() -> None:
    """A key whose policy nobody may change is lost, and KMS refuses to make one."""
    [administration] = [found for found in key_statements() if "Condition" not in found]
    assert list(principals(administration)) == [ROOT]
    for action in ("kms:PutKeyPolicy", "kms:DescribeKey", "kms:ScheduleKeyDeletion", "kms:EnableKeyRotation"):
        assert allows(action, administration), action


@each("action", USE)
def test_key_is_used_through_rds_and_by_the_logs_alone(action: str) -> None:
    """IAM permissions on all keys (kms:Decrypt on *) are common: they must not open a stolen snapshot."""
    using = [found for found in key_statements() if allows(action, found)]
    assert using
    for statement in using:
        condition = statement["Condition"]
        if list(principals(statement)) == [ROOT]:
            assert condition["StringEquals"]["kms:ViaService"] == f"rds.{REGION}.amazonaws.com"
        else:
            arns = condition["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]
            assert arns == [
                f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{log_group_name('airflow', kind)}" for kind in LOG_EXPORTS
            ]


def test_grants_are_for_aws_alone() -> None:
    [granting] = [found for found in key_statements() if allows("kms:CreateGrant", found)]
    assert granting["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


def test_monitoring_is_for_this_instance_alone() -> None:
    """Without the source, RDS could be brought to take the role on behalf of another account."""
    [statement] = monitoring_trust(ACCOUNT, REGION, "airflow")["Statement"]
    assert list(principals(statement)) == ["monitoring.rds.amazonaws.com"]
    assert statement["Condition"]["StringEquals"] == {
        "aws:SourceAccount": ACCOUNT,
        "aws:SourceArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:airflow",
    }


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
    ],
)
def test_arns_are_of_the_region_s_partition(region: str, expected: str) -> None:
    assert monitoring_policy_arn(region).startswith(f"arn:{expected}:iam::aws:policy/")
    for policy in (database_key_policy(ACCOUNT, region, "airflow"), monitoring_trust(ACCOUNT, region, "airflow")):
        assert f"arn:{expected}:" in json.dumps(policy)
        assert expected == "aws" or "arn:aws:" not in json.dumps(policy)


def test_statements_can_be_told_apart() -> None:
    """KMS refuses a policy with one Sid twice."""
    names = [statement["Sid"] for statement in key_statements()]
    assert len(set(names)) == len(names)
