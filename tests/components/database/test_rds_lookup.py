"""The RDS instance as AWS describes it, read before anything is planned; against moto's RDS."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws

from components.aws.client import AwsError
from components.database import rds_lookup
from components.database.rds_existing import RESTORED_FROM_TAG
from components.database.rds_lookup import InstanceError, check_existing_instance, read_existing_instance
from components.database.rds_settings import ManagedDatabase
from tests.aws.samples import managed

REGION: Final = "eu-central-1"


@pytest.fixture
def rds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty RDS of moto's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, f"sentinel-{name.lower()}")
    with mock_aws():
        yield boto3.client("rds", region_name=REGION)


def make(rds: Any, wanted: ManagedDatabase, **other: Any) -> None:
    """An instance with these settings, as the provider would make it."""
    rds.create_db_instance(
        **{
            "DBInstanceIdentifier": wanted.identifier,
            "DBInstanceClass": wanted.instance_class,
            "Engine": "postgres",
            "EngineVersion": "17.6",
            "DBName": wanted.name,
            "MasterUsername": wanted.username,
            "MasterUserPassword": "sentinel-password",
            "AllocatedStorage": wanted.storage_gib,
            "MaxAllocatedStorage": wanted.max_storage_gib,
            "StorageEncrypted": True,
            "KmsKeyId": "arn:aws:kms:eu-central-1:123456789012:key/k",
            **other,
        }
    )


def test_no_instance_is_none(rds: Any) -> None:
    make(rds, managed(identifier="another"))
    assert read_existing_instance("airflow", REGION) is None
    assert check_existing_instance(managed(), REGION) is None


def test_instance_of_another_region_is_none(rds: Any) -> None:
    make(rds, managed())
    assert read_existing_instance("airflow", "eu-west-1") is None


def test_instance_is_read_as_it_is(rds: Any) -> None:
    make(rds, managed(), Tags=[{"Key": RESTORED_FROM_TAG, "Value": "before"}])
    found = read_existing_instance("airflow", REGION)
    assert found is not None
    assert (found.identifier, found.status, found.engine, found.engine_version) == (
        "airflow",
        "available",
        "postgres",
        "17.6",
    )
    assert (found.name, found.username, found.storage_gib, found.max_storage_gib) == ("airflow", "airflow", 100, 1000)
    assert found.storage_encrypted
    assert found.restored_from == "before"


def test_instance_of_these_settings_may_be_updated(rds: Any) -> None:
    make(rds, managed())
    assert check_existing_instance(managed(), REGION) == read_existing_instance("airflow", REGION)


def test_replacements_come_in_one_error(rds: Any) -> None:
    make(rds, managed(), StorageEncrypted=False, MasterUsername="other")
    with pytest.raises(InstanceError, match="the RDS instance airflow in eu-central-1") as error:
        check_existing_instance(managed(), REGION)
    assert [line[:12] for line in str(error.value).splitlines()[1:]] == ["  - username", "  - identifi"]


def test_stopped_instance_is_refused(rds: Any) -> None:
    make(rds, managed())
    rds.stop_db_instance(DBInstanceIdentifier="airflow")
    with pytest.raises(InstanceError, match="expected available or storage-optimization, found stopped"):
        check_existing_instance(managed(), REGION)


# As AWS answers a wrong signature: with the request's own headers.
SIGNED: Final = "The Canonical String should have been\nx-amz-security-token:sentinel-aws_session_token-0123456789ab\n"


@pytest.mark.parametrize(
    ("code", "text"), [("SignatureDoesNotMatch", SIGNED), ("AccessDenied", "no"), ("Throttling", "Rate exceeded")]
)
def test_refusal_of_aws_is_one_clear_error_without_credentials(
    rds: Any, monkeypatch: pytest.MonkeyPatch, code: str, text: str
) -> None:
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    def refuse(self: Any, operation: str, parameters: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": text}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    with pytest.raises(AwsError) as error:
        read_existing_instance("airflow", REGION)
    assert code in str(error.value)
    assert "rds:DescribeDBInstances" in str(error.value)
    assert "sentinel" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


def test_no_credentials_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AwsError, match="expected AWS credentials, found none"):
        read_existing_instance("airflow", REGION)


def test_program_that_reads_no_instance_loads_no_boto3() -> None:
    tree = ast.parse(Path(rds_lookup.__file__).read_text())
    named = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in named | modules if name.startswith(("boto", "pulumi_aws"))]
