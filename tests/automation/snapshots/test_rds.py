"""RDS as the verbs use it, against a simulated AWS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from automation.engine.events import ignore
from automation.errors import BackupFailed
from automation.snapshots.model import Instance, Source
from automation.snapshots.rds import Rds
from automation.stacks.session import Session
from tests.automation.fakes import FakeTime

REGION: Final = "eu-central-1"
NOW: Final = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    with mock_aws():
        found = boto3.client("rds", region_name=REGION)
        found.create_db_parameter_group(
            DBParameterGroupName="airflow-postgres-1", DBParameterGroupFamily="postgres17", Description="-"
        )
        network = boto3.client("ec2", region_name=REGION)
        vpc = network.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            network.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{zone}.0/24", AvailabilityZone=f"{REGION}{name}")
            for zone, name in enumerate("ab")
        ]
        found.create_db_subnet_group(
            DBSubnetGroupName="airflow-postgres-1",
            DBSubnetGroupDescription="-",
            SubnetIds=[subnet["Subnet"]["SubnetId"] for subnet in subnets],
        )
        found.create_db_instance(
            DBInstanceIdentifier="airflow-prod",
            DBInstanceClass="db.m7g.large",
            Engine="postgres",
            AllocatedStorage=100,
            MasterUsername="airflow",
            MasterUserPassword="made-up-password",
            DBSubnetGroupName="airflow-postgres-1",
            DBParameterGroupName="airflow-postgres-1",
            CopyTagsToSnapshot=True,
            Tags=[{"Key": "stack", "Value": "prod"}],
        )
        yield found


@pytest.fixture
def rds(client: Any) -> Rds:
    clock = FakeTime().clock
    session = SimpleNamespace(
        config=lambda: SimpleNamespace(eks=("example", REGION, "123456789012")),
        events=lambda verb, on_event: SimpleNamespace(tell=lambda kind, line: None),
        cancellation=SimpleNamespace(clock=lambda stop: clock, raise_if_cancelled=lambda: None),
    )
    return Rds(cast("Session", session), "backup", ignore)


def test_snapshot_is_made_and_found_with_those_of_rds(rds: Rds) -> None:
    made = rds.make_snapshot("airflow-prod", "airflow-prod-20260131t104500z")
    assert (made.instance, made.username, made.gib) == ("airflow-prod", "airflow", 100)
    found = rds.snapshots()
    assert found[0] == rds.snapshot(made.name), "the newest first"
    assert {item.kind for item in found} == {"manual", "automated"}


def test_what_does_not_exist_is_none_or_an_error_with_its_action(rds: Rds) -> None:
    assert rds.instance("airflow-prod-9") is None
    assert rds.snapshot("airflow-prod-none") is None
    with pytest.raises(BackupFailed, match="rds:CreateDBSnapshot"):
        rds.make_snapshot("airflow-prod-9", "airflow-prod-9-a")
    rds.delete("airflow-prod-9")  # is gone already
    rds.until_gone("airflow-prod-9")


def test_instance_that_nothing_makes_available_is_not_waited_for(rds: Rds, monkeypatch: pytest.MonkeyPatch) -> None:
    for status in ("failed", "inaccessible-encryption-credentials", "insufficient-capacity", "stopped"):
        seen = iter([Instance(identifier="airflow-prod", status=status)])
        monkeypatch.setattr(rds, "instance", lambda identifier, seen=seen: next(seen))
        with pytest.raises(BackupFailed, match=f"is {status}, and does not become available"):
            rds.until_available("airflow-prod")


def test_temporary_instance_is_beside_the_stacks_own(rds: Rds, client: Any) -> None:
    rds.make_snapshot("airflow-prod", "airflow-prod-a")
    like = rds.instance("airflow-prod")
    assert like is not None
    for number, source in enumerate(
        (Source(taken=NOW, snapshot="airflow-prod-a"), Source(taken=NOW, moment="2026-01-31T00:00:00Z"))
    ):
        name = f"airflow-prod-drill-{number}"
        made = rds.make_temporary(source, name, like, {"stack": "prod", "airflow-drill": "airflow-prod"})
        assert (made.subnet_group, made.parameter_group, made.instance_class) == (
            like.subnet_group,
            like.parameter_group,
            like.instance_class,
        )
        assert made.tags == {"stack": "prod", "airflow-drill": "airflow-prod"}
        assert made.host.startswith(name)
        rds.set_password(name, "another-password")
        rds.delete(name)
        rds.until_gone(name)
    assert [item.identifier for item in rds.instances()] == ["airflow-prod"]


def test_instance_is_deleted_only_when_it_was_unprotected_and_its_data_is_kept(rds: Rds, client: Any) -> None:
    client.modify_db_instance(DBInstanceIdentifier="airflow-prod", DeletionProtection=True)
    with pytest.raises(BackupFailed, match="Cannot delete protected DB Instance"):
        rds.delete("airflow-prod", "airflow-prod-final-1")
    rds.unprotect("airflow-prod")
    rds.delete("airflow-prod", "airflow-prod-final-1")
    final = rds.snapshot("airflow-prod-final-1")
    assert final is not None
    assert final.status == "available"
    with pytest.raises(ClientError):
        client.describe_db_instances(DBInstanceIdentifier="airflow-prod")
