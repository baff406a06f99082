"""Keys are rotated while tasks run: all succeed at their first try, wherever a rotation is killed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from automation.rotation import database
from components.keys.jwt_keys import accepted
from tests.cluster import service
from tests.cluster.harness import core_api
from tests.cluster.killed_verb import API_KILLS, DATABASE_KILLS, FERNET_KILLS, JWT_KILLS, REDIS_KILLS
from tests.cluster.rotating_airflow import NAMESPACE, SHORT_TOKENS, Work, deployed, environment, rotate

pytestmark = [
    pytest.mark.engine,
    pytest.mark.cluster,
    pytest.mark.skipif("AIRFLOW_TEST_GIT_PUSH" not in os.environ, reason="no AIRFLOW_TEST_GIT_PUSH, to push DAGs to"),
]


_ROLLED_SECONDS = 120.0
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")


def airflow_pods(work: Work) -> set[str]:
    """Names of Airflow's pods, without those of single tasks, which end."""
    return {pod.name for component in AIRFLOW for pod in work.kube.pods({"component": component}) if pod.workload}


@pytest.fixture
def work(engine: None, api: object, tmp_path: Path) -> Iterator[Work]:
    with deployed(tmp_path) as found:
        yield found


def test_fernet_rotation_that_is_killed_in_and_after_each_stage(work: Work, tmp_path: Path) -> None:
    workers = {pod.name for pod in work.kube.pods({"component": "worker"})}
    with work.logs(tmp_path / "logs"), work.somebody_who_changes_a_password():
        told = rotate(tmp_path, "fernet", FERNET_KILLS)
        problems = work.end(tmp_path / "logs")
    assert problems == [], told
    assert work.changed > 0
    assert {pod.name for pod in work.kube.pods({"component": "worker"})} == workers, "no worker rolls"
    found = environment(tmp_path)
    assert found.status().problems == ()
    assert not found.preview().changes.any
    key = found.settings.secrets["fernetKey"].reveal() if found.settings else ""
    [deployed_key] = [
        data["fernet-key"]
        for name, data in service.own_secrets(core_api(), NAMESPACE).items()
        if name.startswith("airflow-keys-fernet-key")
    ]
    assert deployed_key == key
    assert "," not in key


def test_jwt_rotation_that_is_killed_in_and_after_each_stage(engine: None, api: object, tmp_path: Path) -> None:
    with deployed(tmp_path, SHORT_TOKENS) as work:
        before = work.token()
        assert work.answer(before) == 200
        others = {
            pod.name
            for component in ("worker", "triggerer", "dag-processor", "redis")
            for pod in work.kube.pods({"component": component})
        }
        with work.logs(tmp_path / "logs"):
            told = rotate(tmp_path, "jwt", JWT_KILLS)
            problems = work.end(tmp_path / "logs")
        assert problems == [], told
        assert work.answer(before) == 403, "the old key is refused"
        assert work.answer(work.token()) == 200
        assert others <= {pod.name for pod in work.kube.pods({})}, "nothing else rolls"
        found = environment(tmp_path)
        assert found.status().problems == ()
        assert not found.preview().changes.any
        secrets = service.own_secrets(core_api(), NAMESPACE)
        [signing] = [data["jwt-secret"] for name, data in secrets.items() if name.startswith("airflow-keys-jwt-secret")]
        [jwks] = [data["jwks.json"] for name, data in secrets.items() if name.startswith("airflow-keys-jwks")]
        assert accepted(jwks) == (signing,)
        assert found.settings is not None
        assert found.settings.secrets["jwtSecret"].reveal() == signing
        assert "rotationSecret" not in found.settings.secrets


def test_database_password_rotation_that_is_killed_in_and_after_each_stage(
    engine: None, api: object, tmp_path: Path
) -> None:
    with deployed(tmp_path, task_pod=True, pgbouncerEnabled=True, pgbouncerReplicas=1) as work:
        airflow = airflow_pods(work)
        with work.logs(tmp_path / "logs"):
            told = rotate(tmp_path, "database-password", DATABASE_KILLS)
            problems = work.end(tmp_path / "logs")
        assert problems == [], told
        assert airflow == airflow_pods(work)
        found = environment(tmp_path)
        assert found.status().problems == ()
        assert not found.preview().changes.any
        assert found.settings is not None
        login = found.settings.secrets["databaseLogin"].reveal()
        secrets = service.own_secrets(core_api(), NAMESPACE)
        [pooler] = [data for name, data in secrets.items() if name.startswith("airflow-database-pgbouncer-config")]
        assert database.login_in(pooler) == login
        assert database.is_alone(work.kube, login)


def test_other_keys_one_after_the_other_the_last_two_killed_in_and_after_each_stage(
    engine: None, api: object, tmp_path: Path
) -> None:
    """The last two roll the workers, and a worker gives its tasks 600 s: the long task ends after the first roll.

    The task in a pod of its own runs through all of them.
    """
    with deployed(tmp_path, task_pod=True) as work:
        end = threading.Timer(_ROLLED_SECONDS, work.let_workers_end)
        with work.logs(tmp_path / "logs"), work.somebody_who_changes_a_password():
            told = rotate(tmp_path, "admin-password")
            end.start()
            told += rotate(tmp_path, "api-secret-key", API_KILLS)
            told += rotate(tmp_path, "redis-password", REDIS_KILLS)
            end.join()
            problems = work.end(tmp_path / "logs")
        assert problems == [], told
        found = environment(tmp_path)
        assert found.status().problems == ()
        assert not found.preview().changes.any
        assert found.settings is not None
        assert "rotationSecret" not in found.settings.secrets


def test_task_in_a_pod_of_its_own_runs_through_two_rotations(engine: None, api: object, tmp_path: Path) -> None:
    with deployed(tmp_path, SHORT_TOKENS, task_pod=True) as work:
        with work.logs(tmp_path / "logs"), work.somebody_who_changes_a_password():
            told = [line for key in ("jwt", "fernet") for line in rotate(tmp_path, key)]
            problems = work.end(tmp_path / "logs")
        assert problems == [], told
        assert environment(tmp_path).status().problems == ()
