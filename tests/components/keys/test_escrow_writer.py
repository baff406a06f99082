"""One key is another in the next version of the escrow; against moto's Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws

from components.aws.client import AwsError
from components.keys.escrow_writer import write_escrowed_key
from tests.samples import ESCROWED

REGION: Final = "eu-central-1"
NAME: Final = "airflow/prod/keys"


@pytest.fixture
def escrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Secrets Manager of moto's with the keys of a stack whose database is another's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, f"sentinel-{name.lower()}")
    with mock_aws(config={"core": {"mock_credentials": False}}):
        client = boto3.client("secretsmanager", region_name=REGION)
        content = {role: value for role, value in ESCROWED.items() if role != "database_password"}
        client.create_secret(Name=NAME, SecretString=json.dumps(content))
        yield client


def versions(client: Any) -> int:
    return len(client.list_secret_version_ids(SecretId=NAME, IncludeDeprecated=True)["Versions"])


def test_one_key_changes_and_the_version_before_stays(escrow: Any) -> None:
    write_escrowed_key(NAME, REGION, "redis_password", "another password")
    content = json.loads(escrow.get_secret_value(SecretId=NAME)["SecretString"])
    expected = {**ESCROWED, "redis_password": "another password"}
    assert content == {role: value for role, value in expected.items() if role != "database_password"}
    before = json.loads(escrow.get_secret_value(SecretId=NAME, VersionStage="AWSPREVIOUS")["SecretString"])
    assert before["redis_password"] == ESCROWED["redis_password"]


def test_equal_value_stores_nothing(escrow: Any) -> None:
    """A rotation that goes on writes again what it had written."""
    write_escrowed_key(NAME, REGION, "redis_password", ESCROWED["redis_password"])
    assert versions(escrow) == 1


def test_escrow_that_is_not_there_or_broken_is_left_alone_and_no_value_is_shown(escrow: Any) -> None:
    escrow.put_secret_value(SecretId=NAME, SecretString="{}")
    for name in (NAME, "airflow/other/keys"):
        with pytest.raises(AwsError) as error:
            write_escrowed_key(name, REGION, "redis_password", "another password")
        assert "another password" not in str(error.value)
    assert json.loads(escrow.get_secret_value(SecretId=NAME)["SecretString"]) == {}
