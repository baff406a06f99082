"""Secrets in what somebody else wrote are found by their name and by their place."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest

from automation.adoption.secret_values import hidden, object_where_set, secrets_in, where_set
from components.secrets.masker import Masker
from tests.cases import each

SENTINEL: Final = "sentinel-9f/3b@7c"


@each(
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


def test_name_of_a_secret_is_none() -> None:
    for value in [
        {"fernetKeySecretName": "team-fernet"},
        {"dags": {"gitSync": {"sshKeySecret": "team-git"}}},
        {"valueFrom": {"secretKeyRef": {"name": "team", "key": "password"}}},
        {"env": [{"name": "AIRFLOW_HOME", "value": "/opt/airflow"}]},
        {"serviceAccount": {"automountServiceAccountToken": True}},
    ]:
        assert list(secrets_in(value)) == []


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


URI: Final = f"postgresql://airflow:{SENTINEL}@db.test/airflow"
HOLDERS: Final = {
    "fernetKey": SENTINEL,
    "webserverSecretKey": SENTINEL,
    "apiSecretKey": SENTINEL,
    "jwtSecret": SENTINEL,
    "data": {"metadataConnection": {"user": "airflow", "pass": SENTINEL}},
    "data.resultBackendConnection": {"data": {"resultBackendConnection": {"pass": SENTINEL}}},
    "data.brokerUrl": {"data": {"brokerUrl": f"redis://:{SENTINEL}@redis.test/0"}},
    "redis": {"password": SENTINEL},
    "registry": {"connection": {"user": "team", "pass": SENTINEL, "host": "registry.test"}},
    "elasticsearch": {"connection": {"scheme": "https", "pass": SENTINEL}},
    "opensearch": {"connection": {"scheme": "https", "pass": SENTINEL}},
    "flower": {"username": "team", "password": SENTINEL},
    "webserver": {"defaultUser": {"username": "admin", "password": SENTINEL}},
    "createUserJob": {"defaultUser": {"username": "admin", "password": SENTINEL}},
    "postgresql": {"auth": {"postgresPassword": SENTINEL}},
    "postgresql.password": {"postgresql": {"auth": {"password": SENTINEL}}},
    "kerberos": {"keytabBase64Content": SENTINEL},
    "dags.sshKey": {"dags": {"gitSync": {"sshKey": SENTINEL}}},
    "dags.repo": {"dags": {"gitSync": {"repo": f"https://reader:{SENTINEL}@git.test/dags.git"}}},
    "config": {"smtp": {"smtp_host": "mail.test", "smtp_password": SENTINEL}},
    **{
        f"config.{section}.{option}": {"config": {section: {option: SENTINEL}}}
        for section, option in (
            ("api", "secret_key"),
            ("api_auth", "jwt_secret"),
            ("celery", "broker_url"),
            ("celery", "flower_basic_auth"),
            ("celery", "result_backend"),
            ("core", "fernet_key"),
            ("database", "sql_alchemy_conn"),
            ("database", "sql_alchemy_conn_async"),
            ("database", "sql_alchemy_engine_args"),
            ("opensearch", "password"),
            ("secrets", "backend_kwargs"),
            ("sentry", "sentry_dsn"),
            ("webserver", "secret_key"),
            ("workers", "secrets_backend_kwargs"),
        )
    },
    "env": [{"name": "SLACK_WEBHOOK_URL", "value": SENTINEL}],
    "env.connection": {"env": [{"name": "AIRFLOW_CONN_WAREHOUSE", "value": URI}]},
    "env.proxy": {"env": [{"name": "HTTPS_PROXY", "value": f"https://team:{SENTINEL}@proxy.test"}]},
    "extraEnv": f"- name: AIRFLOW__SMTP__SMTP_PASSWORD\n  value: '{SENTINEL}'\n",
    "extraEnv.template": {"extraEnv": f"{{{{ if true }}}}\n- name: SLACK_HOOK\n  value: {SENTINEL}\n{{{{ end }}}}\n"},
    "apiServer": {"apiServerConfig": f"OAUTH_PROVIDERS = [{{'client_secret': '{SENTINEL}'}}]\n"},
    "extraConfigMaps": {"x": {"data": f"airflow.cfg: |\n  [smtp]\n  smtp_password = {SENTINEL}\n"}},
    "extraSecrets": {"x": {"stringData": f"SLACK: {SENTINEL}\n"}},
    "extraSecrets.data": {"extraSecrets": {"x": {"data": f"key: {encoded(SENTINEL)}\n"}}},
    "extraSecrets.template": {
        "extraSecrets": {"x": {"stringData": f"{{{{- if true }}}}\n'a.b': \"{SENTINEL}\"\n{{{{- end }}}}\n"}}
    },
    "extraSecrets.block": {"extraSecrets": {"x": {"stringData": f"a: |\n  first\n  {SENTINEL}\n"}}},
    "extraSecrets.map": {"extraSecrets": {"x": {"data": {".dockerconfigjson": encoded(SENTINEL)}}}},
}
"""What holds a secret in values of the chart, by key; what has a key of two parts has the whole values."""


def test_secret_in_the_values_of_the_chart_is_shown_neither_there_nor_elsewhere() -> None:
    for key, holder in HOLDERS.items():
        given = holder if "." in key else {key: holder}
        masker = Masker(b"key", secrets_in(given))
        elsewhere = {"kind": "Job", "args": [f"--with={SENTINEL}"], "encoded": encoded(SENTINEL)}
        shown = json.dumps(hidden([given, elsewhere], masker))
        assert SENTINEL not in shown, key
        assert SENTINEL[:9] not in shown, key
        assert encoded(SENTINEL)[:12] not in shown, key
        assert "--with=" in shown, key


@pytest.mark.parametrize("secret", ["abc", 12345678, 1.5])
def test_secret_that_is_short_or_a_number_is_hidden_in_its_place(secret: Any) -> None:
    values = {"redis": {"password": secret}, "env": [{"name": "A_TOKEN", "value": secret}], "extraSecrets": {"x": {}}}
    assert str(secret) not in json.dumps(hidden(values, Masker(b"key")))


@pytest.mark.parametrize("password", ["sentinel-of-test", "sentinel%2Fof%40test"])
def test_host_of_a_connection_is_no_secret(password: str) -> None:
    """Else the objects of the broker would have no names, and would be taken for others than those of the stack."""
    uri = f"redis://:{password}@airflow-redis:6379/0"
    manifests = [
        {"apiVersion": "v1", "kind": "Secret", "data": {"connection": encoded(uri)}},
        {"kind": "StatefulSet", "metadata": {"name": "airflow-redis"}, "args": [uri]},
    ]
    masker = Masker(b"key")
    for secret in secrets_in(manifests):
        masker.learn(secret)
    shown = json.dumps(hidden(manifests, masker))
    assert '"name": "airflow-redis"' in shown
    assert "sentinel" not in shown
    assert encoded(uri)[:16] not in shown


def test_name_of_an_object_stays_what_it_is() -> None:
    """By it the release's objects are compared with the stack's."""
    metadata = {"name": "airflow-postgresql", "labels": {"like-the-password": "postgres"}}
    manifests = [
        {"kind": "Secret", "metadata": metadata, "stringData": {"password": "postgres"}},
        {"kind": "StatefulSet", "metadata": metadata, "spec": {}},
    ]
    masker = Masker(b"key")
    for secret in secrets_in(manifests):
        masker.learn(secret)
    shown = hidden(manifests, masker)
    assert [item["metadata"]["name"] for item in shown] == ["airflow-postgresql"] * 2
    assert json.dumps(shown).count('"postgres"') == 0


def test_what_is_no_secret_is_shown() -> None:
    values = {
        "executor": "CeleryExecutor",
        "pgbouncer": {"maxClientConn": 100, "logConnections": 0},
        "dags": {"gitSync": {"repo": "https://git.test:8443/dags.git", "sshKeySecret": "team-git"}},
        "env": [{"name": "AIRFLOW_HOME", "value": "/opt/airflow"}],
        "extraEnv": "- name: AIRFLOW_HOME\n  value: /opt/airflow\n",
        "serviceAccount": {"automountServiceAccountToken": True},
    }
    masker = Masker(b"key")
    for secret in secrets_in(values):
        masker.learn(secret)
    assert hidden(values, masker) == values


# Foreign places


def test_foreign_value_is_shown_only_where_the_program_sets_the_same_path() -> None:
    """No list of names knows what a team calls its secrets."""
    own = {"a": {"b": "mine"}, "list": ["x"], "env": [{"name": "MINE", "value": "1"}], "number": 1}
    given = {
        "a": {"b": "shown", "c": "foreign1"},
        "list": ["shown", "foreign2"],
        "env": [
            {"name": "THEIRS", "value": "foreign3"},
            {"name": "MINE", "value": "shown", "other": "foreign4"},
        ],
        "number": {"deep": "foreign5"},
        "ours": {"deep": ["foreign6", 70007, {"x": "foreign8"}]},
    }
    found = where_set(given, own, Masker())
    text = json.dumps(found)
    assert "foreign" not in text
    assert "70007" not in text
    assert text.count("shown") == 3
    assert [item["name"] for item in found["env"]] == ["THEIRS", "MINE"]


def test_object_that_the_program_does_not_make_shows_its_name_alone() -> None:
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "theirs", "namespace": "airflow", "annotations": {"x": "foreign1"}},
        "data": {"x": "foreign2"},
    }
    found = object_where_set(item, None, Masker())
    assert "foreign" not in json.dumps(found)
    assert (found["kind"], found["metadata"]["name"]) == ("ConfigMap", "theirs")
    own = {**item, "metadata": {"name": "theirs"}, "data": {"x": "mine"}}
    assert object_where_set(item, own, Masker())["data"] == {"x": "foreign2"}
