"""Read and validate the keys that `escrow` stored in AWS Secrets Manager, and refuse to overwrite them.

A stack that lost its state, or a rebuilt cluster, needs the keys with which its database was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from components.aws.client import AwsError, aws_call, aws_clients
from components.keys.given_keys import KEY_CHECKS
from components.kube.secret import Secret
from components.texts import fields as checks

_NAME = r"[A-Za-z0-9/_+=.@-]{1,200}"
_NOT_FOUND = "ResourceNotFoundException"
# Secrets Manager uses several codes for this; its API reference names only the first.
_KEY_FAILURES: Final = frozenset({"DecryptionFailure", "DecryptionFailureException", "KMSInvalidStateException"})


@dataclass(frozen=True, kw_only=True)
class EscrowedKeys:
    """Every key of a deployment; see `GivenKeys` for what each is."""

    fernet_key: Secret
    api_secret_key: Secret
    jwt_secret: Secret
    redis_password: Secret
    admin_password: Secret
    database_password: Secret | None = None
    """Only with a database that the stack creates."""


ROLES: Final = frozenset(field.name for field in fields(EscrowedKeys))
"""The fields of the secret."""
_REQUIRED: Final = frozenset(field.name for field in fields(EscrowedKeys) if field.default is MISSING)


def escrow_name(text: str) -> str:
    """Validate the name of a secret in AWS Secrets Manager (API reference, CreateSecret; here at most 200 characters).

    Raises ValueError.
    """
    if not re.fullmatch(_NAME, text):
        raise ValueError(
            "expected the name of a secret, such as airflow/prod/keys: at most 200 of A-Z, a-z, 0-9 and /_+=.@-, "
            f"found {checks.shown(text)}"
        )
    return text


def read_escrowed_keys(name: str, region: str) -> EscrowedKeys:
    """Return the keys in secret `name` of AWS Secrets Manager. Raises AwsError, which never shows a value."""
    client = aws_clients(region)
    try:
        answer = aws_call(
            "secretsmanager:GetSecretValue", lambda: client("secretsmanager").get_secret_value(SecretId=name)
        )
    except AwsError as error:
        problem = _unread(error, name, region)
    else:
        return parse_escrowed_keys(answer.get("SecretString"), name, region)
    raise problem


def parse_escrowed_keys(content: str | None, name: str, region: str) -> EscrowedKeys:
    """Return the keys in the secret's text. Raises AwsError with all problems, without any value."""
    problems = []
    values: dict[str, Any] = {}
    try:
        values = _json_object(content)
        problems = _faults(values)
    except ValueError as error:
        problems = [str(error)]
    if problems:
        raise AwsError(
            f"airflow:keyEscrow: secret {name}: {'; '.join(problems)}. Fix: restore a valid version of it, see "
            f"`aws secretsmanager list-secret-version-ids --region {region} --secret-id {name}`"
        )
    return EscrowedKeys(**{role: Secret(value) for role, value in values.items()})


def refuse_second_keys(name: str, region: str) -> None:
    """Raise AwsError if Secrets Manager has a secret `name`. Call this before one is created.

    A stack whose state lacks the secret lacks its keys too, and has just generated others.
    """
    client = aws_clients(region)
    try:
        found = aws_call(
            "secretsmanager:DescribeSecret", lambda: client("secretsmanager").describe_secret(SecretId=name)
        )
    except AwsError as error:
        if error.code == _NOT_FOUND:
            return
        raise
    raise AwsError(_in_the_way(found, name, region))


def _in_the_way(found: Mapping[str, Any], name: str, region: str) -> str:
    expected = (
        f"airflow:keyEscrow: expected no secret {name} in AWS Secrets Manager ({region}), because the stack's state "
        "has none, found"
    )
    command = f"--region {region} --secret-id {name}"
    another = "`pulumi config set --stack STACK airflow:keyEscrow ANOTHER_NAME`, if this is another deployment"
    escrow = "`pulumi config set --stack STACK airflow:keySource escrow`"
    danger = "with a second Fernet key, its connections and variables could not be read"
    if found.get("DeletedDate"):
        return (
            f"{expected} one that is scheduled for deletion and has the keys of a deployment: {danger}. Fix: `aws "
            f"secretsmanager restore-secret {command}` and {escrow}, to go on with its keys; or {another}"
        )
    if not found.get("VersionIdsToStages"):
        return (
            f"{expected} one without a value, which an interrupted update left. Fix: `aws secretsmanager "
            f"delete-secret {command} --force-delete-without-recovery`"
        )
    return (
        f"{expected} one with the keys of a deployment: {danger}. Fix: {escrow}, to go on with its keys; or {another}"
    )


def _unread(error: AwsError, name: str, region: str) -> AwsError:
    """Return the same refusal, with a more helpful message where the escrow has one."""
    text = str(error)
    command = f"--region {region} --secret-id {name}"
    if error.code == _NOT_FOUND and "staging label" in text:
        return AwsError(
            f"airflow:keyEscrow: expected keys in secret {name}, found no current value in it. Fix: see `aws "
            f"secretsmanager list-secret-version-ids {command}`",
            error.code,
        )
    if error.code == _NOT_FOUND:
        return AwsError(
            f"airflow:keyEscrow: expected a secret {name} in AWS Secrets Manager ({region}), because airflow:keySource "
            "is escrow, found none. Fix: `pulumi config set --stack STACK airflow:keyEscrow NAME`, or, for a "
            "deployment that has no data yet, `pulumi config set --stack STACK airflow:keySource generate`",
            error.code,
        )
    if error.code == "InvalidRequestException" and "delet" in text and "KMS" not in text:
        return AwsError(
            f"airflow:keyEscrow: expected secret {name} to stay, found it scheduled for deletion. Fix: `aws "
            f"secretsmanager restore-secret {command}`",
            error.code,
        )
    if error.code in _KEY_FAILURES or (error.code == "InvalidRequestException" and "KMS" in text):
        return AwsError(
            f"airflow:keyEscrow: expected the KMS key of secret {name} to be usable, found it disabled or scheduled "
            f"for deletion. Fix: see `aws secretsmanager describe-secret {command} --query KmsKeyId`, then `aws "
            f"kms cancel-key-deletion` or `aws kms enable-key` with --region {region} --key-id KEY",
            error.code,
        )
    return error


def _json_object(content: str | None) -> dict[str, Any]:
    try:
        values = json.loads(content or "")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ValueError("expected a JSON object of keys by their role, found something else")
    return values


def _faults(values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the keys, a sentence each. Unknown fields are only counted: they could be secrets."""
    faults = [f"{role}: expected a value, found none" for role in sorted(_REQUIRED - values.keys())]
    unknown = len(values.keys() - ROLES)
    if unknown:
        faults.append(f"expected only {', '.join(sorted(ROLES))}, found {unknown} more")
    for role in sorted(ROLES & values.keys()):
        value = values[role]
        if not isinstance(value, str) or not value:
            kind = "an empty one" if value == "" else type(value).__name__
            faults.append(f"{role}: expected a text, found {kind}")
            continue
        try:
            KEY_CHECKS[role](value)
        except ValueError as error:
            faults.append(f"{role}: {error}")
    return faults
