"""AWS Secrets Manager as a place of connections: what the pods are told, and what their role may read."""

from __future__ import annotations

import json
from typing import Any

from components.connections.secrets_backend import backend_variables, secrets_policy
from tests.prod.emulator.policies import given_by
from tests.prod.emulator.rights import Right

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret"


def test_pods_look_below_the_prefix_and_for_no_option_of_airflow() -> None:
    found = {entry["name"]: entry["value"] for entry in backend_variables("airflow-secrets/prod")}
    assert found["AIRFLOW__SECRETS__BACKEND"].endswith(".SecretsManagerBackend")
    assert json.loads(found["AIRFLOW__SECRETS__BACKEND_KWARGS"]) == {
        "connections_prefix": "airflow-secrets/prod/connections",
        "variables_prefix": "airflow-secrets/prod/variables",
        "config_prefix": None,
    }
    assert backend_variables(None) == []


def test_role_reads_what_is_below_the_prefix_and_nothing_beside_it() -> None:
    statements = secrets_policy("airflow-secrets/prod", "eu-central-1", "123456789012")["Statement"]

    def may(action: str, resource: str, **context: Any) -> bool:
        return given_by(Right(action=action, resource=resource, context=context), statements) is not None

    read = "secretsmanager:GetSecretValue"
    assert may(read, f"{ARN}:airflow-secrets/prod/connections/warehouse-AbCdEf")
    for other in ("airflow-secrets/prod-AbCdEf", "airflow-secrets/prod2/a-AbCdEf", "airflow/prod/keys-AbCdEf"):
        assert not may(read, f"{ARN}:{other}")
    assert not may("secretsmanager:PutSecretValue", f"{ARN}:airflow-secrets/prod/a-AbCdEf")
    key = "arn:aws:kms:eu-central-1:123456789012:key/0123"
    through = {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
    mine, foreign = (
        {"kms:EncryptionContext:SecretARN": f"{ARN}:{name}-AbCdEf"} for name in ("airflow-secrets/prod/a", "payments/a")
    )
    assert may("kms:Decrypt", key, **through, **mine)
    assert not may("kms:Decrypt", key, **through, **foreign)
    assert not may("kms:Decrypt", key, **mine)
