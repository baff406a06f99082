"""Another Airflow while tasks run, and the way back: nothing is lost, wherever it is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from automation.errors import UpgradeRefused, UpgradeStopped
from tests.cluster.container_database import sql
from tests.cluster.git_push import pushed_dag
from tests.cluster.rotating_airflow import Work, deployed, environment, store, wait
from tests.cluster.upgrading_airflow import (
    NAMESPACE,
    REFUSED_DAG,
    REFUSED_NAME,
    ROLLBACK_KILLS,
    UPGRADE_KILLS,
    change,
    history_of,
    images,
    version_of,
    with_history,
)

TAG: Final = os.environ.get("AIRFLOW_TEST_UPGRADE_TAG", "")
pytestmark = [
    pytest.mark.engine,
    pytest.mark.cluster,
    pytest.mark.skipif("AIRFLOW_TEST_GIT_PUSH" not in os.environ, reason="no AIRFLOW_TEST_GIT_PUSH, to push DAGs to"),
    pytest.mark.skipif(not TAG, reason="no AIRFLOW_TEST_UPGRADE_TAG, a newer image that the cluster has"),
]


@pytest.fixture
def work(engine: None, api: object, tmp_path: Path) -> Iterator[Work]:
    with deployed(tmp_path, namespace=NAMESPACE) as found:
        yield found


def test_upgrade_with_work_in_it_and_the_way_back(work: Work, tmp_path: Path) -> None:
    before, [old] = with_history(work), images()
    told = change(tmp_path, "upgrade", TAG)
    assert images() == {f"{old.rpartition(':')[0]}:{TAG}"}, told
    assert before.items() <= history_of(work).items()
    assert work.end(tmp_path) == [], told
    told = change(tmp_path, "rollback")
    assert images() == {old}, told
    assert before.items() <= history_of(work).items()
    assert environment(tmp_path).status().problems == ()
    assert not environment(tmp_path).preview().changes.any


def test_upgrade_and_rollback_that_are_killed_in_and_after_each_stage(work: Work, tmp_path: Path) -> None:
    before, [old] = with_history(work), images()
    told = change(tmp_path, "upgrade", TAG, UPGRADE_KILLS)
    assert images() == {f"{old.rpartition(':')[0]}:{TAG}"}, told
    assert work.end(tmp_path) == [], told
    told = change(tmp_path, "rollback", kills=ROLLBACK_KILLS)
    assert images() == {old}, told
    assert before.items() <= history_of(work).items()
    assert environment(tmp_path).status().problems == ()


def test_migration_that_fails_leaves_the_old_pods_running(work: Work, tmp_path: Path) -> None:
    """Once in its first statement, which changes nothing; once in the middle, at a view that somebody has made."""
    before, [old] = with_history(work), images()
    kept = {pod.name for name in ("api-server", "worker") for pod in work.kube.pods({"component": name})}
    revision = sql(NAMESPACE, "SELECT version_num FROM alembic_version")
    sql(NAMESPACE, "ALTER TABLE xcom ADD COLUMN dag_result boolean")
    failed = _stopped(tmp_path)
    print(failed)
    assert 'column "dag_result" of relation "xcom" already exists' in failed
    assert "what was stopped runs again" in failed
    assert images() == {old}
    _nothing_rolled(work, kept)
    assert sql(NAMESPACE, "SELECT version_num FROM alembic_version") == revision
    known = set(history_of(work))
    wait(lambda: bool(set(history_of(work)) - known), "the older scheduler runs tasks again")

    sql(NAMESPACE, "ALTER TABLE xcom DROP COLUMN dag_result")
    sql(NAMESPACE, "CREATE VIEW deadlines_of_a_team AS SELECT interval FROM deadline_alert")
    failed = _stopped(tmp_path)
    print(failed)
    assert "deadlines_of_a_team" in failed, "the statement is named the second time too"
    assert "ALTER TABLE deadline_alert" in failed
    assert images() == {old}
    _nothing_rolled(work, kept)

    sql(NAMESPACE, "DROP VIEW deadlines_of_a_team")
    told = change(tmp_path, "upgrade", TAG)
    assert images() == {f"{old.rpartition(':')[0]}:{TAG}"}, told
    assert work.end(tmp_path) == [], told
    assert before.items() <= history_of(work).items()
    assert environment(tmp_path).status().problems == ()


def _stopped(folder: Path) -> str:
    """What an upgrade says that does not come to its end."""
    with pytest.raises(UpgradeStopped) as stopped:
        environment(folder).upgrade(
            TAG, version_of(TAG), timeout_seconds=420, keep=lambda settings: store(folder, settings)
        )
    return str(stopped.value)


def _nothing_rolled(work: Work, kept: set[str]) -> None:
    assert kept <= {pod.name for pod in work.kube.pods({}) if pod.ready}
    assert work.states("rotation_long") == {"running"}


def test_dag_that_the_new_image_cannot_import_is_refused_and_nothing_rolls(work: Work, tmp_path: Path) -> None:
    pods = {pod.name for pod in work.kube.pods({"tier": "airflow"})}
    with pushed_dag(tmp_path / "refused", REFUSED_NAME, REFUSED_DAG), pytest.raises(UpgradeRefused) as refused:
        environment(tmp_path).upgrade(TAG, version_of(TAG))
    assert f"{REFUSED_NAME}: expected a file that Airflow {version_of(TAG)} can import" in str(refused.value)
    assert {pod.name for pod in work.kube.pods({"tier": "airflow"})} == pods
    assert environment(tmp_path).status().problems == ()
