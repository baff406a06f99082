"""The managed database and its alarms: Checkov's rules for it can see, and AWS (moto's) makes what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from components.database.rds_existing import replacements
from components.database.rds_lookup import check_existing_instance
from tests.aws import botocore_calls
from tests.aws.recorded import AwsResource, aws_resources
from tests.aws.samples import REGION, TOPIC, Network, managed, postgres
from tests.aws.terraform import Finding
from tests.aws.weakened import WEAKENED
from tests.cases import each

Resources = Callable[..., list[AwsResource]]
Judged = Mapping[str, Sequence[Finding]]

INSTANCE: Final = "aws:rds/instance:Instance"

RULES: Final = {
    # Rules that must apply: one that no longer finds the resource it is about would pass for ever.
    "aws_db_instance.database": {
        *("CKV_AWS_16", "CKV_AWS_17", "CKV_AWS_118", "CKV_AWS_129", "CKV_AWS_133", "CKV_AWS_157", "CKV_AWS_161"),
        *("CKV_AWS_211", "CKV_AWS_226", "CKV_AWS_293", "CKV_AWS_353", "CKV_AWS_354"),
        *("CKV2_AWS_30", "CKV2_AWS_60", "CKV2_AWS_69"),
    },
    "aws_kms_key.database-key": {"CKV_AWS_7", "CKV_AWS_33", "CKV_AWS_227", "CKV2_AWS_64"},
    "aws_security_group.database": {"CKV_AWS_23", "CKV_AWS_382", "CKV2_AWS_5"},
    "aws_vpc_security_group_ingress_rule.database-clients": {"CKV_AWS_23", "CKV_AWS_24", "CKV_AWS_260"},
    "aws_iam_role.database-monitoring": {"CKV_AWS_60", "CKV_AWS_61"},
    "aws_cloudwatch_log_group.database-postgresql": {"CKV_AWS_66", "CKV_AWS_158", "CKV_AWS_338"},
    "aws_cloudwatch_metric_alarm.alarms-free-storage": {"CKV_AWS_319"},
}


@each("resource", RULES)
def test_rules_apply_and_pass(judged: Judged, resource: str) -> None:
    passed = {found.rule for found in judged["database"] if found.resource == resource and found.passed}
    assert passed >= RULES[resource]


@each("rule", WEAKENED)
def test_rule_sees_what_it_is_for(judged: Judged, rule: str) -> None:
    failed = {found.rule for found in judged[rule] if not found.passed}
    assert rule in failed
    assert not {found.rule for found in judged["database"] if not found.passed} & failed


def test_dropped_deletion_protection_is_seen(judged: Judged) -> None:
    assert [str(found) for found in judged["CKV_AWS_293"] if not found.passed] == [
        "CKV_AWS_293 aws_db_instance.database: Ensure that AWS database instances have deletion protection enabled"
    ]


# AWS


@pytest.fixture(scope="module")
def once() -> dict[str, dict[str, str]]:
    """What the first test makes, for all that follow: the recorder is for one test, moto's account for the module."""
    return {}


@pytest.fixture
def made(
    session: Any, network: Network, database: Resources, once: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    """Outputs, by URN, of the whole of it in moto's AWS."""
    if not once:
        once.update(botocore_calls.play(database(network), session))
    return once


def test_instance_is_as_it_was_asked_for(session: Any, made: dict[str, dict[str, str]], network: Network) -> None:
    [found] = session.client("rds").describe_db_instances(DBInstanceIdentifier="airflow")["DBInstances"]
    for key, expected in {
        "AllocatedStorage": 100,
        "AutoMinorVersionUpgrade": True,
        "BackupRetentionPeriod": 14,
        "CACertificateIdentifier": "rds-ca-rsa2048-g1",
        "CopyTagsToSnapshot": True,
        "DBInstanceClass": "db.m7g.large",
        "DBName": "airflow",
        "DbInstancePort": 5432,
        "DeletionProtection": True,
        "EnabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        "Engine": "postgres",
        "EngineVersion": "17",
        "IAMDatabaseAuthenticationEnabled": True,
        "MasterUsername": "airflow",
        "MaxAllocatedStorage": 1000,
        "MonitoringInterval": 60,
        "MultiAZ": True,
        "PreferredBackupWindow": "02:00-03:00",
        "PreferredMaintenanceWindow": "sun:03:30-sun:04:30",
        "PubliclyAccessible": False,
        "StorageEncrypted": True,
        "StorageType": "gp3",
    }.items():
        assert found[key] == expected, key
    assert found["DBSubnetGroup"]["VpcId"] == network.vpc_id
    zones = {subnet["SubnetAvailabilityZone"]["Name"] for subnet in found["DBSubnetGroup"]["Subnets"]}
    assert zones == {f"{REGION}a", f"{REGION}b"}
    assert session.client("kms").describe_key(KeyId=found["KmsKeyId"])["KeyMetadata"]["Enabled"]


def test_whoever_asks_aws_finds_the_instance_that_was_wanted(
    made: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next update reads back what this one made: nothing of it may look like a replacement."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    existing = check_existing_instance(managed(), REGION)
    assert existing is not None
    assert replacements(existing, managed()) == []


def test_protected_instance_is_not_deleted(session: Any, made: dict[str, dict[str, str]]) -> None:
    rds = session.client("rds")
    with pytest.raises(rds.exceptions.ClientError, match=r"(?i)deletion ?protection"):
        rds.delete_db_instance(DBInstanceIdentifier="airflow", SkipFinalSnapshot=True)


def test_nothing_but_the_cluster_gets_in_and_nothing_gets_out(
    session: Any, made: dict[str, dict[str, str]], network: Network
) -> None:
    [instance] = session.client("rds").describe_db_instances(DBInstanceIdentifier="airflow")["DBInstances"]
    [member] = instance["VpcSecurityGroups"]
    [group] = session.client("ec2").describe_security_groups(GroupIds=[member["VpcSecurityGroupId"]])["SecurityGroups"]
    assert group["IpPermissionsEgress"] == []
    [rule] = group["IpPermissions"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 5432, 5432)
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [network.client_security_group_id]
    assert not rule["IpRanges"]
    assert not rule.get("Ipv6Ranges")


def test_key_rotates(session: Any, made: dict[str, dict[str, str]]) -> None:
    kms = session.client("kms")
    [alias] = [found for found in kms.list_aliases()["Aliases"] if found["AliasName"] == "alias/airflow"]
    assert kms.get_key_rotation_status(KeyId=alias["TargetKeyId"])["KeyRotationEnabled"] is True


def test_parameters_are_in_the_group(session: Any, made: dict[str, dict[str, str]]) -> None:
    rds = session.client("rds")
    [instance] = rds.describe_db_instances(DBInstanceIdentifier="airflow")["DBInstances"]
    [group] = instance["DBParameterGroups"]
    found = rds.describe_db_parameters(DBParameterGroupName=group["DBParameterGroupName"])["Parameters"]
    values = {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in found}
    assert values["rds.force_ssl"] == "1"
    assert values["log_statement"] == "ddl"


def test_logs_are_kept_for_a_year(session: Any, made: dict[str, dict[str, str]]) -> None:
    groups = session.client("logs").describe_log_groups(logGroupNamePrefix="/aws/rds/instance/airflow/")["logGroups"]
    assert {group["logGroupName"].rpartition("/")[2]: group["retentionInDays"] for group in groups} == {
        "postgresql": 365,
        "upgrade": 365,
    }


def test_alarms_ring_on_the_topic(session: Any, made: dict[str, dict[str, str]]) -> None:
    found = session.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in found} >= {"rds-airflow-free-storage", "rds-airflow-cpu-utilization"}
    for alarm in found:
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
        assert alarm["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": "airflow"}]


def test_restored_instance_is_one_that_aws_would_take(record: Callable[..., Any]) -> None:
    settings = managed(identifier="restored", snapshot_identifier="rds:airflow-2026-01-31-02-05")
    resources = aws_resources(record(postgres(settings)))
    [instance] = [found for found in resources if found.type == INSTANCE]
    made = botocore_calls.requests(instance)
    assert "rds:RestoreDBInstanceFromDBSnapshot" in [str(request) for request in made]
    assert not [problem for request in made for problem in botocore_calls.problems(request)]


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"finalSnapshotIdentifier": "a--b"}, "FinalDBSnapshotIdentifier"),
        ({"password": "a/b@c"}, "MasterUserPassword"),
        ({"maintenanceWindow": "Sun:03:30-Sun:04:30"}, "PreferredMaintenanceWindow"),
        ({"enabledCloudwatchLogsExports": ["postgres"]}, "EnableCloudwatchLogsExports"),
        ({"allocatedStorage": "100"}, "AllocatedStorage"),
        ({"tags": {"rds:x": "y"}}, "Tags"),
        ({"identifier": "a" * 64}, "DBInstanceIdentifier"),
    ],
)
def test_call_that_aws_would_refuse_is_seen(database: Resources, inputs: dict[str, Any], problem: str) -> None:
    [instance] = [found for found in database() if found.type == INSTANCE]
    made = botocore_calls.requests(replace(instance, inputs={**instance.inputs, **inputs}))
    found = [text for request in made for text in botocore_calls.problems(request)]
    assert any(problem in text for text in found), found
