"""Keys read back from AWS Secrets Manager, and the refusal to make others where some are; against moto's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from components.aws.client import AwsError
from components.keys.escrow_reader import (
    ROLES,
    EscrowedKeys,
    escrow_name,
    parse_escrowed_keys,
    read_escrowed_keys,
    refuse_second_keys,
)
from components.keys.given_keys import KEY_CHECKS, GivenKeys
from components.kube.secret import Secret
from tests.cases import each
from tests.samples import sentinels

REGION: Final = "eu-central-1"
NAME: Final = "airflow/prod/keys"
KEYS: Final = {
    "fernet_key": sentinels()["fernetKey"],
    "api_secret_key": sentinels()["apiSecretKey"],
    "jwt_secret": sentinels()["jwtSecret"],
    "redis_password": sentinels()["redisPassword"],
    "admin_password": sentinels()["adminPassword"],
    "database_password": sentinels()["databasePassword"],
}


@pytest.fixture
def escrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty Secrets Manager of moto's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, f"sentinel-{name.lower()}")
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield boto3.client("secretsmanager", region_name=REGION)


def without(role: str) -> dict[str, str]:
    return {key: value for key, value in KEYS.items() if key != role}


def hidden(error: pytest.ExceptionInfo[AwsError]) -> str:
    """The error's text, in which there is no value."""
    text = str(error.value)
    assert "sentinel" not in text
    assert not [value for value in KEYS.values() if value in text]
    return text


def unread() -> str:
    with pytest.raises(AwsError) as error:
        read_escrowed_keys(NAME, REGION)
    return hidden(error)


def fault(content: str | None) -> str:
    with pytest.raises(AwsError) as error:
        parse_escrowed_keys(content, NAME, REGION)
    text = hidden(error)
    assert text.startswith(f"airflow:keyEscrow: secret {NAME}: ")
    assert f"`aws secretsmanager list-secret-version-ids --region {REGION} --secret-id {NAME}`" in text
    return text


def refuse(monkeypatch: pytest.MonkeyPatch, code: str, message: str) -> None:
    """Secrets Manager refuses everything so."""

    def refusing(self: Any, operation: str, parameters: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refusing)


# Reading


def test_keys_are_those_that_are_there(escrow: Any) -> None:
    escrow.create_secret(Name=NAME, SecretString=json.dumps(KEYS))
    found = read_escrowed_keys(NAME, REGION)
    assert found == EscrowedKeys(**{role: Secret(value) for role, value in KEYS.items()})
    assert "sentinel" not in repr(found)


def test_newest_keys_count(escrow: Any) -> None:
    escrow.create_secret(Name=NAME, SecretString=json.dumps(KEYS))
    escrow.put_secret_value(SecretId=NAME, SecretString=json.dumps({**KEYS, "redis_password": "another one"}))
    assert read_escrowed_keys(NAME, REGION).redis_password == Secret("another one")


def test_database_password_may_be_missing() -> None:
    found = parse_escrowed_keys(json.dumps(without("database_password")), NAME, REGION)
    assert found.database_password is None


def test_each_key_has_a_check_and_is_one_that_a_stack_takes() -> None:
    assert KEY_CHECKS.keys() == ROLES
    in_rotations = {"coming_jwt_secret", "redis_server_password"}
    assert {field.name for field in fields(GivenKeys)} == {*ROLES, *in_rotations}


def test_secret_that_is_not_there(escrow: Any) -> None:
    text = unread()
    assert f"expected a secret {NAME} in AWS Secrets Manager ({REGION})" in text
    assert "`pulumi config set --stack STACK airflow:keyEscrow NAME`" in text
    assert "`pulumi config set --stack STACK airflow:keySource generate`" in text


def test_secret_without_a_value(escrow: Any) -> None:
    escrow.create_secret(Name=NAME)
    assert f"expected keys in secret {NAME}, found no current value in it" in unread()


def test_secret_that_is_scheduled_for_deletion(escrow: Any) -> None:
    escrow.create_secret(Name=NAME, SecretString=json.dumps(KEYS))
    escrow.delete_secret(SecretId=NAME, RecoveryWindowInDays=30)
    text = unread()
    assert "found it scheduled for deletion" in text
    assert f"`aws secretsmanager restore-secret --region {REGION} --secret-id {NAME}`" in text


def test_secret_that_may_not_be_read(escrow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "AccessDeniedException", "")
    assert "allow secretsmanager:GetSecretValue in an IAM policy" in unread()


def test_key_that_may_not_be_used(escrow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "AccessDeniedException", "Access to KMS is not allowed")
    assert "allow kms:Decrypt in an IAM policy" in unread()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key."),
        ("KMSInvalidStateException", "arn:aws:kms:eu-central-1:123456789012:key/k is pending deletion."),
        ("InvalidRequestException", "You can't use a KMS key that is pending deletion."),
    ],
)
def test_key_that_is_disabled_or_scheduled_for_deletion(
    escrow: Any, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    refuse(monkeypatch, code, message)
    text = unread()
    assert f"expected the KMS key of secret {NAME} to be usable" in text
    assert "`aws kms cancel-key-deletion` or `aws kms enable-key`" in text


def test_other_refusal_is_told_as_it_is(escrow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "InternalServiceError", "It is us.")
    assert unread() == "secretsmanager:GetSecretValue: AWS refuses it with InternalServiceError: It is us."


# Content


@each("content", [None, "", "sentinel", '["sentinel"]', '"sentinel"', "{", "null"])
def test_content_is_an_object(content: str | None) -> None:
    assert "expected a JSON object of keys by their role, found something else" in fault(content)


def test_binary_content_is_none(escrow: Any) -> None:
    escrow.create_secret(Name=NAME, SecretBinary=b"sentinel")
    assert "expected a JSON object" in unread()


@each("role", sorted(ROLES - {"database_password"}))
def test_missing_key_is_named(role: str) -> None:
    assert f"{role}: expected a value, found none" in fault(json.dumps(without(role)))


def test_unknown_field_is_refused_and_not_shown() -> None:
    """It could be a value in the wrong place."""
    assert "found 1 more" in fault(json.dumps({**KEYS, "sentinel": ""}))


@each(("value", "found"), [(7, "int"), (None, "NoneType"), (["x"], "list"), ("", "an empty one")])
@each("role", sorted(ROLES))
def test_key_is_a_text(role: str, value: object, found: str) -> None:
    assert f"{role}: expected a text, found {found}" in fault(json.dumps({**KEYS, role: value}))


@each(
    ("role", "value", "expected"),
    [
        ("fernet_key", "sentinel", "expected a Fernet key"),
        ("api_secret_key", "sentinel", "expected at least 32 bytes, found 8"),
        ("jwt_secret", "sentinel" * 7, "expected at least 64 bytes, found 56"),
        ("redis_password", "sent", "expected at least 8 bytes, found 4"),
        ("redis_password", "sentinel$", "expected no $ in it"),
        ("admin_password", "sentinel\n", "expected a value on one line"),
        ("database_password", "sentinel\x00", "expected a value on one line"),
    ],
)
def test_key_is_what_airflow_can_use(role: str, value: str, expected: str) -> None:
    assert f"{role}: {expected}" in fault(json.dumps({**KEYS, role: value}))


def test_all_faults_are_told_at_once() -> None:
    text = fault(json.dumps({**without("jwt_secret"), "fernet_key": "sentinel", "redis_password": 1}))
    assert all(f"{role}: expected" in text for role in ("jwt_secret", "fernet_key", "redis_password"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(ROLES)) | st.text(), inner),
        max_leaves=10,
    )
)
def test_whatever_stands_there_is_keys_or_one_clear_error(content: Any) -> None:
    with contextlib.suppress(AwsError):
        parse_escrowed_keys(json.dumps(content), NAME, REGION)


# The guard


def refused() -> str:
    with pytest.raises(AwsError) as error:
        refuse_second_keys(NAME, REGION)
    text = hidden(error)
    assert f"expected no secret {NAME} in AWS Secrets Manager ({REGION}), because the stack's state has none" in text
    return text


def test_first_keys_may_be_stored(escrow: Any) -> None:
    escrow.create_secret(Name="airflow/dev/keys", SecretString=json.dumps(KEYS))
    refuse_second_keys(NAME, REGION)


def test_second_keys_are_refused_with_both_ways_out(escrow: Any) -> None:
    escrow.create_secret(Name=NAME, SecretString=json.dumps(KEYS))
    text = refused()
    assert "with a second Fernet key, its connections and variables could not be read" in text
    assert "`pulumi config set --stack STACK airflow:keySource escrow`" in text
    assert "`pulumi config set --stack STACK airflow:keyEscrow ANOTHER_NAME`" in text
    assert "restore-secret" not in text


def test_keys_that_are_scheduled_for_deletion_are_to_be_restored_first(escrow: Any) -> None:
    escrow.create_secret(Name=NAME, SecretString=json.dumps(KEYS))
    escrow.delete_secret(SecretId=NAME, RecoveryWindowInDays=30)
    text = refused()
    command = f"`aws secretsmanager restore-secret --region {REGION} --secret-id {NAME}`"
    assert text.index(command) < text.index("`pulumi config set --stack STACK airflow:keySource escrow`")


def test_secret_that_never_had_keys_is_to_be_removed(escrow: Any) -> None:
    """An update stopped between the secret and its content: there is nothing to go on with."""
    escrow.create_secret(Name=NAME)
    text = refused()
    assert "found one without a value, which an interrupted update left" in text
    assert "delete-secret" in text
    assert "keySource" not in text


def test_guard_that_cannot_look_refuses_too(escrow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "AccessDeniedException", "")
    with pytest.raises(AwsError, match="allow secretsmanager:DescribeSecret in an IAM policy"):
        refuse_second_keys(NAME, REGION)


# Name


@each("name", ["airflow/prod/keys", "a", "A_b+c=d.e@f-g", "x" * 200])
def test_name_is_one_that_aws_takes(escrow: Any, name: str) -> None:
    assert escrow_name(name) == name
    assert escrow.create_secret(Name=name)["Name"] == name


@each("name", ["", " ", "airflow keys", "airflow:keys", "é", "x" * 201, "a\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected the name of a secret, such as airflow/prod/keys"):
        escrow_name(name)
