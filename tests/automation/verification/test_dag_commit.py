"""One commit of the DAGs everywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automation.cluster.pods import Pod
from automation.verification.dag_commit import agreed, disagreement, same_commit
from automation.verification.result import Status
from tests.automation.fakes import COMMIT, OTHER_COMMIT, World, dag_json, pod


def test_same_commit_in_every_pod_passes(world: World) -> None:
    found = same_commit(world.running())
    assert (found.status, found.detail) == (Status.PASSED, "01234567 in 3 pods")


def test_dags_may_be_mounted_elsewhere(world: World) -> None:
    """As `airflowHome` and `dags.mountPath` of the chart have it."""
    world.kube.found_pods = [
        replace(found, mounts={**found.mounts, (found.containers[0], "dags"): "/home/airflow/dags"})
        for found in world.kube.found_pods
    ]
    assert same_commit(world.running()).status is Status.PASSED


@pytest.mark.parametrize("component", ["dag-processor", "triggerer", "worker"])
def test_pod_that_stays_behind_is_waited_for_and_then_named(world: World, component: str) -> None:
    world.kube.commits[f"airflow-{component}-0"] = OTHER_COMMIT
    found = same_commit(world.running(dags_sync_period_seconds=40))
    assert found.status is Status.FAILED
    assert f"airflow-{component}-0 fedcba98" in found.detail
    assert 40 <= world.time.seconds <= 60


def test_pod_that_is_a_period_late_passes(world: World) -> None:
    world.kube.commits["airflow-worker-0"] = OTHER_COMMIT
    world.time.on_sleep = lambda now: world.kube.commits.clear() if now > 28 else None
    assert same_commit(world.running(dags_sync_period_seconds=30)).status is Status.PASSED


def test_pod_without_dags_fails(world: World) -> None:
    world.kube.commits["airflow-triggerer-0"] = ""
    assert "airflow-triggerer-0 none" in same_commit(world.running()).detail


def test_pod_that_is_being_replaced_is_no_reason_to_give_up(world: World) -> None:
    world.kube.found_pods.append(pod("triggerer", name="new", containers=("starting",)))

    def started(now: float) -> None:
        world.kube.found_pods = [item for item in world.kube.found_pods if item.name != "new"]

    world.time.on_sleep = started
    assert same_commit(world.running()).status is Status.PASSED


def test_pods_of_single_tasks_do_not_count(world: World) -> None:
    """They fetched their commit when they began, and keep it."""
    world.kube.found_pods.append(pod("worker", name="task", containers=("base",)))
    assert same_commit(world.running()).status is Status.PASSED


def test_bundles_are_compared_by_what_airflow_reports(world: World) -> None:
    for name in ("a", "b"):
        world.airflow.dags[name] = dag_json(name, bundle_name="dags", bundle_version=COMMIT)
    assert same_commit(world.running(dags_delivery="git-bundle")).detail == "01234567 in 2 DAGs"
    assert world.kube.commands == []
    world.airflow.dags["b"]["bundle_version"] = OTHER_COMMIT
    assert same_commit(world.running(dags_delivery="git-bundle")).status is Status.FAILED


def test_each_of_several_bundles_has_one_commit(world: World) -> None:
    world.airflow.dags.clear()
    for name, bundle, commit in (("a", "one", COMMIT), ("b", "two", OTHER_COMMIT), ("c", "two", OTHER_COMMIT)):
        world.airflow.dags[name] = dag_json(name, bundle_name=bundle, bundle_version=commit)
    running = world.running(dags_delivery="git-bundle", dag_bundles=("one", "two"))
    assert same_commit(running).detail == "bundle one: 01234567 in 1 DAGs; bundle two: fedcba98 in 2 DAGs"
    world.airflow.dags["c"]["bundle_version"] = COMMIT
    assert same_commit(running).status is Status.FAILED
    del world.airflow.dags["a"], world.airflow.dags["c"]
    found = same_commit(running)
    assert (found.status, found.detail) == (Status.FAILED, "bundle one: nothing has a DAG commit yet")


def test_bundle_without_any_version_fails(world: World) -> None:
    found = same_commit(world.running(dags_delivery="git-bundle"))
    assert (found.status, found.detail) == (Status.FAILED, "no commit in tutorial_dag")


def test_dags_in_the_image_are_compared_by_the_image_that_runs(world: World) -> None:
    def run(digest: str, component: str) -> Pod:
        return pod(component, images={component: f"registry.test/airflow@sha256:{digest * 8}", "git-sync": "x"})

    world.kube.found_pods = [run("01234567", name) for name in ("dag-processor", "triggerer", "worker")]
    assert same_commit(world.running(dags_delivery="image")).detail == "image 01234567 in 3 pods"
    assert world.kube.commands == []
    world.kube.found_pods[1] = run("fedcba98", "triggerer")
    found = same_commit(world.running(dags_delivery="image"))
    assert (found.status, found.detail) == (Status.FAILED, "01234567 in most, but airflow-triggerer-0 fedcba98")


def test_nothing_is_not_agreement() -> None:
    assert not agreed({})
    assert not agreed({"a": ""})
    assert not agreed({"a": COMMIT, "b": ""})
    assert agreed({"a": COMMIT, "b": COMMIT})


def test_disagreement_is_told_from_the_majority_the_same_way_every_time() -> None:
    assert disagreement({"a": "1", "b": "2", "c": "2"}) == "2 in most, but a 1"
    assert disagreement({"a": "1", "b": "2"}) == disagreement({"b": "2", "a": "1"})
    assert disagreement({}) == "nothing has a DAG commit yet"
