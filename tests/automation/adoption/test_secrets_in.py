"""Secrets in what somebody else wrote are found by their name and by their place."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from automation.adoption.secrets_in import secrets_in


@pytest.mark.parametrize(
    "value",
    [
        {"fernetKey": "s"},
        {"data": {"metadataConnection": {"pass": "s"}}},
        {"redis": {"password": "s"}},
        {"config": {"smtp": {"smtp_password": "s"}}},
        {"config": {"fab": {"oauth_client_secret": "s"}}},
        {"webserverSecretKey": "s"},
        {"env": [{"name": "AIRFLOW_CONN_WAREHOUSE", "value": "s"}]},
        {"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "s"}]},
        {"kind": "Secret", "stringData": {"anything": "s"}},
        {"kind": "Secret", "data": {"anything": base64.b64encode(b"s").decode()}},
    ],
)
def test_is_found(value: Any) -> None:
    assert "s" in list(secrets_in({"deep": [value]}))


@pytest.mark.parametrize(
    "value",
    [
        {"fernetKeySecretName": "team-fernet"},
        {"dags": {"gitSync": {"sshKeySecret": "team-git"}}},
        {"valueFrom": {"secretKeyRef": {"name": "team", "key": "password"}}},
        {"env": [{"name": "AIRFLOW_HOME", "value": "/opt/airflow"}]},
        {"serviceAccount": {"automountServiceAccountToken": True}},
    ],
)
def test_name_of_a_secret_is_none(value: Any) -> None:
    assert list(secrets_in(value)) == []
