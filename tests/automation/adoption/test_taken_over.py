"""The config that leaves a release's keys and database as they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.adoption.taken_over import ReleaseConfig, taken_over
from components.database.connection import SslMode, metadata_uri
from components.database.pgbouncer import METADATA_POOL, render_ini
from components.kube.secret import Secret
from settings import SECRET_KEYS
from tests.automation.adoption.releases import (
    FERNET_KEY,
    SECRETS,
    VARIABLES,
    from_secret,
    installed,
    objects,
    read,
    workload,
)
from tests.cases import each

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def with_database(uri: str, *more: dict[str, Any]) -> ReleaseConfig:
    env = [*(item for item in VARIABLES if item["name"] != DATABASE), {"name": DATABASE, "value": uri}]
    return taken_over(installed([workload("scheduler", env=env), *objects()[1:], *more]), read)


def test_keys_and_database_are_those_of_the_pods() -> None:
    found = taken_over(installed(), read)
    assert found.problems == ()
    expected = {
        "fernetKey": FERNET_KEY,
        "apiSecretKey": SECRETS["team-api"]["api-secret-key"],
        "jwtSecret": SECRETS["team-jwt"]["jwt-secret"],
        "redisPassword": SECRETS["team-redis"]["password"],
        "databasePassword": "sentinel/db",
    }
    assert {key: found.values[key].reveal() for key in expected} == expected
    plain = {key: value for key, value in found.values.items() if key.startswith("database") and key not in expected}
    assert plain == {
        "database": "external",
        "databaseHost": "db.test",
        "databasePort": 5433,
        "databaseName": "metadata",
        "databaseUser": "air@flow",
        "databaseSslMode": "require",
    }
    assert found.must_stay == {*expected, *plain} - {"databaseSslMode"}


def test_secret_values_are_secrets_and_are_not_shown() -> None:
    found = taken_over(installed(), read)
    assert {
        key for key, value in found.values.items() if isinstance(value, Secret)
    } == found.values.keys() & SECRET_KEYS
    shown = repr([found.shown(key) for key in found.values])
    assert not [value for data in SECRETS.values() for value in data.values() if value in shown]
    assert "sentinel" not in shown


def test_broker_outside_the_release_is_taken_over() -> None:
    """A release with the chart's Redis has its password instead."""
    env = [*VARIABLES, from_secret("AIRFLOW__CELERY__BROKER_URL", "team-broker", "connection")]
    url = "rediss://:sentinel@broker.test:6380/0"
    parts = [item for item in objects() if item["metadata"]["name"] not in ("airflow-redis", "airflow-worker")]
    found = taken_over(
        installed([*parts, workload("worker", env=env)]),
        lambda name: {"connection": url} if name == "team-broker" else read(name),
    )
    assert found.values["brokerUrl"] == Secret(url)
    assert "sentinel" not in found.shown("brokerUrl").value
    assert "redisPassword" not in found.values
    assert "brokerUrl" not in taken_over(installed(), read).values


def test_what_the_release_runs_is_taken_over_too() -> None:
    found = taken_over(installed(config={"config": {"core": {"load_examples": "True"}}}), read).values
    assert (found["imageRepository"], found["imageTag"]) == ("registry.test:5000/airflow", "3.2.2-7")
    assert (found["schedulerReplicas"], found["workerReplicas"], found["executor"]) == (2, 3, "CeleryExecutor")
    assert found["loadExamples"] is True
    assert "triggererReplicas" not in found


def test_key_that_no_pod_is_given_is_told_with_what_mends_it() -> None:
    env = [item for item in VARIABLES if item["name"] != "AIRFLOW__CORE__FERNET_KEY"]
    found = taken_over(installed([workload("scheduler", env=env), *objects()[1:]]), read)
    (problem,) = found.problems
    assert problem.startswith("airflow:fernetKey: expected the release's own")
    assert "enableBuiltInSecretEnvVars.AIRFLOW__CORE__FERNET_KEY" in problem
    assert "fernetKey" not in found.values


def test_secret_that_is_not_there_is_told() -> None:
    found = taken_over(installed(), lambda name: {} if name == "team-jwt" else read(name))
    assert ["no value jwt-secret in Secret team-jwt" in problem for problem in found.problems] == [True]


def test_other_database_than_postgresql_is_told() -> None:
    found = with_database("mysql+mysqldb://u:sentinel@db/airflow")
    assert [problem for problem in found.problems if "mysql" in problem]
    assert "sentinel" not in str(found.problems)


@given(
    password=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1),
    user=st.text("ab@/:%", min_size=1),
)
def test_any_login_survives_the_connection_string(password: str, user: str) -> None:
    uri = metadata_uri(user, password, "db.test", 6432, "a/b", SslMode.REQUIRE)
    found = with_database(uri).values
    assert found["databasePassword"].reveal() == password
    assert (found["databaseUser"], found["databaseName"], found["databasePort"]) == (user, "a/b", 6432)


@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="@%"), min_size=1))
def test_password_that_is_not_encoded_is_read_as_sqlalchemy_does(password: str) -> None:
    found = with_database(f"postgresql://u:{password}@db.test:6432/airflow?sslmode=require")
    assert found.problems == ()
    assert found.values["databasePassword"].reveal() == password
    plain = [found.values[f"database{key}"] for key in ("User", "Host", "Port", "Name", "SslMode")]
    assert plain == ["u", "db.test", 6432, "airflow", "require"]


@each(
    "uri",
    [
        "postgresql://u:sentinel@more@db.test/airflow",
        "postgresql://u:sentinel@db.test:sentinel/airflow",
        "postgresql://u:sentinel@db.test:123456/airflow",
        "postgresql://u:sentinel@[::1/airflow",
        "postgresql://u:sentinel@db.test/",
        "postgresql://u:sentinel@db.test",
        "postgresql://u:sentinel@/airflow",
        "postgresql://:sentinel@db.test/airflow",
        "postgresql://sentinel/airflow",
        "sentinel",
    ],
)
def test_uri_that_cannot_be_read_is_told_and_not_quoted(uri: str) -> None:
    found = with_database(uri)
    (problem,) = found.problems
    assert problem.startswith(
        f"airflow:databaseHost: expected postgresql://USER:PASSWORD@HOST:PORT/NAME in variable {DATABASE}"
    )
    assert "Fix: " in problem
    assert "sentinel" not in problem
    assert not [key for key in found.values if key.startswith("database")]


def test_address_of_ipv6_is_read_without_its_brackets() -> None:
    found = with_database("postgresql://u:pw-of-test@[2001:db8::1]/airflow").values
    assert (found["databaseHost"], found["databasePort"]) == ("2001:db8::1", 5432)


INI = """\
[databases]
airflow-metadata = host=real.test dbname=meta port=5434 pool_size=10
[pgbouncer]
auth_file = /etc/pgbouncer/users.txt
ignore_startup_parameters = extra_float_digits
"""


def test_pool_of_this_program_is_read_too() -> None:
    """Its values are quoted."""
    text = render_ini(
        host="real.test", port=5434, name="meta", pool_size=5, max_client_connections=9, ssl_mode=SslMode.REQUIRE
    )
    uri = f"postgresql://u:pw-of-test@airflow-pgbouncer:6543/{METADATA_POOL}"
    env = [*(item for item in VARIABLES if item["name"] != DATABASE), {"name": DATABASE, "value": uri}]
    release = installed([workload("scheduler", env=env), *objects()[1:], pooler()])
    found = taken_over(release, lambda name: {"pgbouncer.ini": text} if name == "pool" else read(name)).values
    assert (found["databaseHost"], found["databasePort"], found["databaseName"]) == ("real.test", 5434, "meta")


def pooler() -> dict[str, Any]:
    return workload("pgbouncer", volumes=[{"name": "pgbouncer-config", "secret": {"secretName": "pool"}}])


def test_database_behind_pgbouncer_is_the_one_that_its_file_says() -> None:
    uri = "postgresql://u:pw-of-test@airflow-pgbouncer.airflow:6543/airflow-metadata?sslmode=prefer"
    env = [*(item for item in VARIABLES if item["name"] != DATABASE), {"name": DATABASE, "value": uri}]
    release = installed([workload("scheduler", env=env), *objects()[1:], pooler()])
    found = taken_over(release, lambda name: {"pgbouncer.ini": INI} if name == "pool" else read(name))
    assert found.problems == ()
    assert (found.values["databaseHost"], found.values["databasePort"]) == ("real.test", 5434)
    assert (found.values["databaseName"], found.values["pgbouncerEnabled"]) == ("meta", True)
    assert "databaseSslMode" not in found.values, "between pod and pooler it says nothing of the database"


@pytest.mark.parametrize(
    "text", ["", "no file of it", "[databases]\nother = host=x", "[databases]\nairflow-metadata = x"]
)
def test_pool_that_cannot_be_read_is_told(text: str) -> None:
    uri = "postgresql://u:pw-of-test@airflow-pgbouncer:6543/airflow-metadata"
    env = [*(item for item in VARIABLES if item["name"] != DATABASE), {"name": DATABASE, "value": uri}]
    release = installed([workload("scheduler", env=env), *objects()[1:], pooler()])
    found = taken_over(release, lambda name: {"pgbouncer.ini": text} if name == "pool" else read(name))
    assert [problem for problem in found.problems if "pgbouncer.ini" in problem]


def git_sync(**variables: str) -> dict[str, Any]:
    return {"name": "git-sync", "env": [{"name": name, "value": value} for name, value in variables.items()]}


def test_dags_of_an_ssh_repository() -> None:
    sync = git_sync(GITSYNC_REPO="git@github.com:example/dags.git", GITSYNC_REF="prod")
    volumes = [{"name": "git-sync-ssh-key", "secret": {"secretName": "team-git"}}]
    part = workload("dag-processor", containers=[sync], volumes=volumes)
    config = {"dags": {"gitSync": {"subPath": "/dags/", "knownHosts": "github.com ssh-ed25519 AAAA\n"}}}
    release = installed([*objects()[:2], part], config=config)
    found = taken_over(release, lambda name: {"gitSshKey": "sentinel-key"} if name == "team-git" else read(name)).values
    assert found["dagsRepository"] == "git@github.com:example/dags.git"
    assert (found["dagsRef"], found["dagsSubPath"]) == ("prod", "dags")
    assert found["gitSshPrivateKey"].reveal() == "sentinel-key"
    assert found["gitKnownHosts"] == "github.com ssh-ed25519 AAAA\n"


def test_dags_of_a_private_https_repository() -> None:
    sync = git_sync(GITSYNC_REPO="https://git.test/dags.git", GITSYNC_REF="main")
    sync["env"] += [
        from_secret("GITSYNC_USERNAME", "git-login", "GITSYNC_USERNAME"),
        from_secret("GITSYNC_PASSWORD", "git-login", "GITSYNC_PASSWORD"),
    ]
    login = {"GITSYNC_USERNAME": "reader", "GITSYNC_PASSWORD": "sentinel-token"}
    release = installed([*objects()[:2], workload("dag-processor", containers=[sync])])
    found = taken_over(release, lambda name: login if name == "git-login" else read(name)).values
    assert (found["dagsUsername"], found["dagsToken"].reveal()) == ("reader", "sentinel-token")


def test_login_in_the_address_of_a_repository_is_a_secret() -> None:
    sync = git_sync(GITSYNC_REPO="https://reader:sentinel%2Ftoken@git.test/dags.git")
    found = taken_over(installed([*objects()[:2], workload("dag-processor", containers=[sync])]), read)
    assert found.values["dagsRepository"] == "https://git.test/dags.git"
    assert (found.values["dagsUsername"], found.values["dagsToken"].reveal()) == ("reader", "sentinel/token")
    assert "sentinel" not in repr([found.shown(key) for key in found.values])


def test_repository_with_a_token_alone_is_not_shown() -> None:
    sync = git_sync(GITSYNC_REPO="https://sentinel-token@git.test/dags.git")
    found = taken_over(installed([*objects()[:2], workload("dag-processor", containers=[sync])]), read)
    assert "dagsRepository" not in found.values


def test_without_git_sync_nothing_is_said_of_dags() -> None:
    assert not [key for key in taken_over(installed(), read).values if key.startswith(("dags", "git"))]
