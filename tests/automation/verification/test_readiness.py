"""Components and their health."""

from __future__ import annotations

import pytest

from automation.verification.readiness import components_ready, health, unready
from automation.verification.result import Status
from tests.automation.fakes import World, pod, workload


def test_ready_components_pass(world: World) -> None:
    assert components_ready(world.running()).status is Status.PASSED


@pytest.mark.parametrize("component", ["api-server", "scheduler", "dag-processor", "worker"])
def test_component_that_is_missing_fails(world: World, component: str) -> None:
    world.kube.found_workloads = [item for item in world.kube.found_workloads if component not in item.name]
    found = components_ready(world.running())
    assert found.status is Status.FAILED
    assert f"no {component}" in found.detail


def test_triggerer_may_be_missing_and_kubernetes_executor_has_no_workers(world: World) -> None:
    world.kube.found_workloads = [workload(name) for name in ("api-server", "scheduler", "dag-processor")]
    assert components_ready(world.running(executor="KubernetesExecutor")).status is Status.PASSED


def test_component_scaled_to_nothing_counts_as_missing_where_it_is_required() -> None:
    assert unready([workload("scheduler", desired=0, ready=0)], ["scheduler"]) == "no scheduler"
    assert unready([workload("worker", desired=0, ready=0)], []) == ""


def test_unready_pod_fails_with_its_reason(world: World) -> None:
    world.kube.found_workloads = [workload("worker", ready=0), *world.kube.found_workloads[:-1]]
    world.kube.found_pods.append(pod("worker", name="w-1", ready=False, reason="worker: ImagePullBackOff"))
    found = components_ready(world.running())
    assert found.status is Status.FAILED
    assert "airflow-worker 0/1 ready" in found.detail
    assert "w-1: worker: ImagePullBackOff" in found.detail


def test_old_pods_that_are_ready_do_not_hide_a_rollout() -> None:
    assert "rolling out" in unready([workload("scheduler", current=False)], ["scheduler"])


def test_rollout_is_waited_for(world: World) -> None:
    world.kube.found_workloads[0] = workload("api-server", ready=0)

    def becomes_ready(now: float) -> None:
        if now > 30:
            world.kube.found_workloads[0] = workload("api-server")

    world.time.on_sleep = becomes_ready
    assert components_ready(world.running()).status is Status.PASSED


def test_healthy_airflow_passes(world: World) -> None:
    found = health(world.running())
    assert found.status is Status.PASSED
    assert "scheduler" in found.detail


@pytest.mark.parametrize("name", ["metadatabase", "scheduler", "triggerer", "dag_processor"])
def test_unhealthy_component_fails(world: World, name: str) -> None:
    world.airflow.health[name] = {"status": "unhealthy"}
    found = health(world.running())
    assert (found.status, found.detail) == (Status.FAILED, f"{name} is unhealthy")


def test_pod_that_crashes_between_two_looks_is_named_with_its_reason(world: World) -> None:
    world.airflow.health["dag_processor"] = {"status": "unhealthy"}
    world.kube.found_pods.append(pod("dag-processor", name="d-1", ready=False, reason="base: CrashLoopBackOff"))
    assert health(world.running()).detail == "dag_processor is unhealthy (d-1: base: CrashLoopBackOff)"


def test_triggerer_that_never_ran_is_none_other_components_must(world: World) -> None:
    world.airflow.health["triggerer"] = {"status": None}
    assert health(world.running()).status is Status.PASSED
    world.airflow.health["dag_processor"] = None
    assert health(world.running()).detail == "dag_processor is not running"


def test_first_heartbeat_is_waited_for(world: World) -> None:
    world.airflow.health["scheduler"] = {"status": "unhealthy"}
    world.time.on_sleep = lambda now: world.airflow.health.update(scheduler={"status": "healthy"})
    assert health(world.running()).status is Status.PASSED


def test_api_server_that_does_not_answer_is_a_failed_check(world: World) -> None:
    world.airflow.broken_answers = [503] * 1000
    found = health(world.running())
    assert found.status is Status.FAILED
    assert "does not answer" in found.detail
