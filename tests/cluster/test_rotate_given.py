"""Keys that others take part in: a Git host, a registry, a database's authority. Tasks run through all of it."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Final

import pytest

from automation import Secret
from automation.errors import RotationRefused
from tests.cluster.killed_verb import AUTHORITY_KILLS, GIT_KILLS, GIVEN_LOGIN_KILLS, REGISTRY_KILLS
from tests.cluster.registry import REGISTRY, docker_config, needs_manifest, registry
from tests.cluster.rotating_airflow import NAMESPACE, Work, answered, deployed, environment, rotate
from tests.cluster.tls_database import USER, Authority, TlsDatabase

AUTHORIZED_KEYS: Final = os.environ.get("AIRFLOW_TEST_GIT_AUTHORIZED_KEYS", "")
pytestmark = [
    pytest.mark.engine,
    pytest.mark.cluster,
    pytest.mark.skipif("AIRFLOW_TEST_GIT_PUSH" not in os.environ, reason="no AIRFLOW_TEST_GIT_PUSH, to push DAGs to"),
]

OUTSIDE: Final = f"{NAMESPACE}-outside"
_ROLLED_SECONDS: Final = 30.0


def rotated_with_a_roll_of_workers(work: Work, folder: Path, key: str, kills: Any, given: str = "") -> list[str]:
    """A worker that rolls gives its tasks 600 s: the long task is let end soon."""
    end = threading.Timer(_ROLLED_SECONDS, work.let_workers_end)
    with work.logs(folder / "logs"), work.somebody_who_changes_a_password():
        end.start()
        told = rotate(folder, key, kills, given)
        end.join()
        problems = work.end(folder / "logs")
    assert problems == [], told
    found = environment(folder)
    assert found.status().problems == ()
    assert not found.preview().changes.any
    return told


@pytest.mark.skipif(not AUTHORIZED_KEYS, reason="no AIRFLOW_TEST_GIT_AUTHORIZED_KEYS, where a deploy key is registered")
def test_git_key_rotation_that_is_killed_while_it_waits_for_the_host(engine: None, api: Any, tmp_path: Path) -> None:
    keys = Path(AUTHORIZED_KEYS)
    before = keys.read_text()
    asked: list[str] = []

    def register(key: str) -> None:
        asked.append(key)
        time.sleep(5)  # the first run is killed meanwhile; the second one finds the key registered
        with keys.open("a") as file:
            file.write(f"{key}\n")

    try:
        with deployed(tmp_path, task_pod=True) as work:
            old = str(
                work.environment.settings.secrets["gitSshPrivateKey"].reveal() if work.environment.settings else ""
            )
            with answered(tmp_path, "git-key", r"ssh-ed25519 \S+", register):
                rotated_with_a_roll_of_workers(work, tmp_path, "git-key", GIT_KILLS)
            keys.write_text(f"{asked[0]}\n")  # the host forgets the old key
            found = environment(tmp_path)
            assert found.settings is not None
            assert found.settings.secrets["gitSshPrivateKey"].reveal() != old
            assert found.verify().ok
    finally:
        keys.write_text(before)


@needs_manifest
def test_registry_login_is_tried_before_anything_rolls_and_then_reaches_every_pod(
    engine: None, api: Any, tmp_path: Path
) -> None:
    old, new = docker_config("robot:the-old-password"), docker_config("robot:the-new-password")
    with registry(api, OUTSIDE, "robot:the-old-password", "robot:the-new-password"):
        image: dict[str, Any] = {"imageRepository": f"{REGISTRY}/apache/airflow", "registryCredentials": old}
        with deployed(tmp_path, **image) as work:
            before = {pod.name for pod in work.kube.pods({"release": "airflow"})}
            wrong = Secret(docker_config("robot:another-password"))
            with pytest.raises(RotationRefused, match="expected that the nodes pull Airflow's image") as refused:
                environment(tmp_path).rotate("registry", given=wrong)
            assert "another-password" not in str(refused.value)
            assert {pod.name for pod in work.kube.pods({"release": "airflow"})} == before
            rotated_with_a_roll_of_workers(work, tmp_path, "registry", REGISTRY_KILLS, new)
            secrets = api.list_namespaced_secret(NAMESPACE, field_selector="type=kubernetes.io/dockerconfigjson").items
            [content] = [base64.b64decode(item.data[".dockerconfigjson"]).decode() for item in secrets]
            assert json.loads(content) == json.loads(new)


def external(server: TlsDatabase) -> dict[str, Any]:
    """Return the config of a stack with this database, whose authority it trusts."""
    return {
        "database": "external",
        "databaseHost": server.host,
        "databaseUser": USER,
        "databasePassword": server.password,
        "databaseCidrs": [server.cidr],
        "databaseSslMode": "verify-full",
        "databaseCaCertificate": server.authority.pem,
        "taskLogs": "volume",
    }


def test_role_of_an_external_database_is_tried_and_then_reaches_every_pod_that_logs_in(
    engine: None, api: Any, tmp_path: Path
) -> None:
    """Without PgBouncer, so that pods log in themselves; workers do not."""
    authority = Authority.new("the authority")
    server = TlsDatabase(api, f"{NAMESPACE}-database", authority)
    try:
        server.create()
        with deployed(tmp_path, **external(server)) as work:
            before = {pod.name for pod in work.kube.pods({"release": "airflow"})}
            server.sql("CREATE ROLE airflow_b LOGIN PASSWORD 'the-new-password'")
            given = "airflow_b:the-new-password"
            for prepare, login, because in (
                ("", "airflow_b:a-wrong-password", "expected the password of airflow_b"),
                ("", given, "expected that airflow_b may create tables"),
                ("GRANT airflow TO airflow_b", given, "expected that airflow_b acts as airflow"),
            ):
                if prepare:
                    server.sql(prepare)
                with pytest.raises(RotationRefused, match=because) as refused:
                    environment(tmp_path).rotate("database-password", given=Secret(login))
                assert login.partition(":")[2] not in str(refused.value)
            assert {pod.name for pod in work.kube.pods({"release": "airflow"})} == before
            server.sql("ALTER ROLE airflow_b SET role = 'airflow'")
            plan = environment(tmp_path).rotation("database-password", given=Secret(f"{given}\n"))
            assert [stage.rolls for stage in plan.stages] == [("api-server", "dag-processor", "scheduler", "triggerer")]
            workers = {pod.name for pod in work.kube.pods({"component": "worker"})}
            with work.logs(tmp_path / "logs"), work.somebody_who_changes_a_password():
                told = rotate(tmp_path, "database-password", GIVEN_LOGIN_KILLS, f"{given}\n")
                problems = work.end(tmp_path / "logs")
            assert problems == [], told
            assert {pod.name for pod in work.kube.pods({"component": "worker"})} == workers, "no worker rolls"
            logged_in = "SELECT DISTINCT usename FROM pg_stat_activity WHERE client_addr IS NOT NULL"
            assert server.sql(logged_in) == "airflow_b"
            server.sql("ALTER ROLE airflow PASSWORD NULL")
            found = environment(tmp_path)
            assert found.status().problems == ()
            assert not found.preview().changes.any
            assert found.verify().ok
    finally:
        server.delete()


def test_authority_rotation_that_is_killed_in_and_after_each_stage(engine: None, api: Any, tmp_path: Path) -> None:
    old, new = Authority.new("the old authority"), Authority.new("the new authority")
    server = TlsDatabase(api, f"{NAMESPACE}-database", old)
    try:
        server.create()
        with deployed(
            tmp_path, pgbouncerEnabled=True, pgbouncerReplicas=1, databaseMaxConnections=200, **external(server)
        ) as work:
            airflow = {pod.name for pod in work.kube.pods({"tier": "airflow"})}
            asks = "let the database's operator"
            with (
                work.logs(tmp_path / "logs"),
                work.somebody_who_changes_a_password(),
                answered(tmp_path, "ca", asks, lambda _: server.reissue(new)),
            ):
                told = rotate(tmp_path, "ca", AUTHORITY_KILLS, new.pem)
                problems = work.end(tmp_path / "logs")
            assert problems == [], told
            found = environment(tmp_path)
            assert found.settings is not None
            assert found.settings.values["databaseCaCertificate"] == new.pem
            assert found.status().problems == ()
            assert not found.preview().changes.any
            assert found.verify().ok
            left = {pod.name for pod in work.kube.pods({"tier": "airflow"})}
            assert {name for name in airflow if "migrate" not in name and "pgbouncer" not in name} <= left, told
    finally:
        server.delete()
