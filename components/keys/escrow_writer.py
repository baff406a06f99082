"""Write one key into the secret of AWS Secrets Manager from which a stack reads its keys."""

from __future__ import annotations

import json
from dataclasses import fields, replace

from components.aws.client import aws_call, aws_clients
from components.keys.escrow_reader import read_escrowed_keys
from components.kube.secret import Secret


def write_escrowed_key(name: str, region: str, role: str, value: str) -> None:
    """Store the next version of secret `name`, in which one key has another value. An equal value stores nothing.

    Args:
        name: Name of the secret.
        region: AWS region of the secret.
        role: Field of `EscrowedKeys`.
        value: The new value.

    Raises:
        AwsError: It never shows a value.
    """
    before = read_escrowed_keys(name, region)
    after = replace(before, **{role: Secret(value)})
    if after == before:
        return
    kept = {field.name: getattr(after, field.name) for field in fields(after)}
    content = {role: key.reveal() for role, key in kept.items() if key is not None}
    text = json.dumps(content, sort_keys=True)
    client = aws_clients(region)
    aws_call(
        "secretsmanager:PutSecretValue",
        lambda: client("secretsmanager").put_secret_value(SecretId=name, SecretString=text),
    )
