"""Names that tell of a secret are known, and names of Secrets and paths are left alone."""

from __future__ import annotations

from components.secrets.masker import SHOWN, Masker
from components.secrets.names import is_secret_name, may_hold_secret, variable_may_hold_secret

SECRETS = (
    "password",
    "smtp_password",
    "PGPASSWORD",
    "clientSecret",
    "jwtSecret",
    "fernetKey",
    "client.pass",
    "keytab",
    "PASSWORD_2",
)
ADDRESSES = ("connection", "sql_alchemy_conn", "SLACK_WEBHOOK_URL", "sentry_dsn", "bypass")
VARIABLES = ("AIRFLOW_CONN_WAREHOUSE", "MY_CONN", "SECRET_THING")
OTHERS = ("sshKeySecret", "fernetKeySecretName", "key", "tokens", "passwordLength", "AIRFLOW_HOME")


def test_name_says_what_its_value_may_be() -> None:
    for name in SECRETS:
        assert is_secret_name(name), name
    for name in (*ADDRESSES, *VARIABLES, *OTHERS, "statsSecretKey"):
        assert not is_secret_name(name), name
    for name in (*SECRETS, *ADDRESSES, "statsSecretKey"):
        assert may_hold_secret(name), name
    for name in (*VARIABLES, *OTHERS):
        assert not may_hold_secret(name), name
    for name in (*SECRETS, *ADDRESSES, *VARIABLES):
        assert variable_may_hold_secret(name), name
    assert not variable_may_hold_secret("AIRFLOW_HOME")


def test_value_is_hidden_by_its_name_unless_it_only_refers_to_a_secret() -> None:
    value = {
        "redis": {"password": "short", "passwordSecretName": "team"},
        "env": [{"name": "A_TOKEN", "value": "x"}, {"name": "B_TOKEN", "value": "$(A_TOKEN)"}],
        "keytab": "/etc/airflow.keytab",
        "automountServiceAccountToken": True,
        "pin_password": 1234,
    }
    assert Masker().value(value) == {
        **value,
        "redis": {"password": SHOWN, "passwordSecretName": "team"},
        "env": [{"name": "A_TOKEN", "value": SHOWN}, {"name": "B_TOKEN", "value": "$(A_TOKEN)"}],
        "pin_password": SHOWN,
    }
