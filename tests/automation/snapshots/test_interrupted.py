"""What becomes of what a killed update was making in AWS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from automation.snapshots.interrupted import what_became

REGION = "eu-central-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    with mock_aws():
        yield


def pending(kind: str, name: str, operation: str = "creating") -> dict[str, Any]:
    return {"type": operation, "resource": {"urn": f"urn:{kind}:{name}", "type": kind, "inputs": {"name": name}}}


def test_what_exists_is_adopted_and_what_does_not_is_forgotten(aws: None) -> None:
    key = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["KeyId"]
    boto3.client("kms", region_name=REGION).create_alias(AliasName="alias/airflow-prod-2", TargetKeyId=key)
    boto3.client("logs", region_name=REGION).create_log_group(logGroupName="/aws/rds/instance/airflow-prod-2/upgrade")
    alias, group = "aws:kms/alias:Alias", "aws:cloudwatch/logGroup:LogGroup"
    found = what_became(
        {
            "pending_operations": [
                pending(alias, "alias/airflow-prod-2"),
                pending(alias, "alias/airflow-prod-3"),
                pending(group, "/aws/rds/instance/airflow-prod-2/upgrade"),
                pending(group, "/aws/rds/instance/airflow-prod-2/up"),
                pending("aws:rds/instance:Instance", "-"),
                pending("aws:cloudwatch/metricAlarm:MetricAlarm", "cpu"),
                pending("aws:s3/bucket:Bucket", "left to a person"),
                pending(alias, "alias/airflow-prod-2", operation="updating"),
            ]
        },
        REGION,
    )
    assert found.adopt == {
        f"urn:{alias}:alias/airflow-prod-2": "alias/airflow-prod-2",
        f"urn:{group}:/aws/rds/instance/airflow-prod-2/upgrade": "/aws/rds/instance/airflow-prod-2/upgrade",
    }
    assert found.forget == {
        f"urn:{alias}:alias/airflow-prod-3",
        f"urn:{group}:/aws/rds/instance/airflow-prod-2/up",
        "urn:aws:rds/instance:Instance:-",
        "urn:aws:cloudwatch/metricAlarm:MetricAlarm:cpu",
    }


def test_nothing_is_asked_where_nothing_was_interrupted() -> None:
    assert what_became({}, REGION).adopt == {}
