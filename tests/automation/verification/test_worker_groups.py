"""A probe of each worker group."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automation.cluster.pods import Pod
from automation.verification.probe import Outcome
from automation.verification.result import Check, Status
from automation.verification.verify import run_checks
from automation.verification.worker_isolation import worker_isolation
from components.chart_values.worker_group import GROUP_LABEL
from tests.automation.fakes import World, pod, workload
from tests.cases import each

GROUPS = {"gpu": ["gpu", "gpu-long"]}


def gpu_pod(name: str = "airflow-worker-gpu-0", *, ready: bool = True) -> Pod:
    found = pod("worker", name=name, ready=ready)
    return replace(found, labels={**found.labels, GROUP_LABEL: "gpu"})


@pytest.fixture
def grouped(world: World) -> World:
    """A deployment with one group, whose worker serves its queues."""
    gpu = replace(workload("worker"), name="airflow-worker-gpu")
    world.kube.found_workloads.append(gpu)
    # Before the default worker, as its name is.
    world.kube.found_pods.insert(0, gpu_pod())
    world.kube.queues = {"airflow-worker-gpu-0": ["gpu", "gpu-long"]}
    return world


def check(world: World, **changes: object) -> Check:
    checks = run_checks(world.running(worker_groups=GROUPS, **changes)).checks
    assert checks[-1].name == "worker group gpu"
    assert len(checks) == 11
    return checks[-1]


def test_worker_that_serves_its_queues_and_reaches_no_database_passes(grouped: World) -> None:
    found = check(grouped)
    assert found.status is Status.PASSED
    assert "airflow-worker-gpu-0 serves gpu, gpu-long" in found.detail


@each("served", [[], ["gpu"], ["default"], ["default", "gpu", "gpu-long"]])
def test_worker_that_serves_other_queues_fails(grouped: World, served: list[str]) -> None:
    grouped.kube.queues = {"airflow-worker-gpu-0": served}
    found = check(grouped)
    assert found.status is Status.FAILED
    assert "to serve the queues gpu, gpu-long, found" in found.detail


def test_group_that_is_not_isolated_fails_though_the_default_workers_are(grouped: World) -> None:
    def network(name: str, target: str) -> Outcome:
        closed = name == "airflow-worker-0" and target.startswith("airflow-postgres")
        return Outcome.TIMED_OUT if closed else Outcome.OPEN

    grouped.kube.network = network
    running = grouped.running(worker_groups=GROUPS, isolation="required")
    checks = {found.name: found for found in run_checks(running).checks}
    assert checks["workers cannot reach the database"].status is Status.PASSED
    assert checks["worker group gpu"].status is Status.FAILED
    assert check(grouped, isolation="wanted").status is Status.WARNING


def test_variable_of_the_database_in_a_group_fails(grouped: World) -> None:
    grouped.kube.database_variables = ["AIRFLOW_CONN_AIRFLOW_DB"]
    assert "has AIRFLOW_CONN_AIRFLOW_DB" in check(grouped).detail


def test_group_that_is_scaled_to_nothing_is_skipped(grouped: World) -> None:
    grouped.kube.found_pods = [found for found in grouped.kube.found_pods if GROUP_LABEL not in found.labels]
    grouped.kube.found_workloads[-1] = replace(grouped.kube.found_workloads[-1], desired=0, ready=0)
    assert check(grouped).status is Status.SKIPPED


def test_group_without_a_workload_or_a_ready_worker_fails(grouped: World) -> None:
    grouped.kube.found_pods[0] = gpu_pod(ready=False)
    assert "no worker of airflow-worker-gpu is ready" in check(grouped).detail
    grouped.kube.found_workloads.pop()
    assert "has no Deployment and no StatefulSet" in check(grouped).detail


def test_default_workers_are_probed_from_one_of_them(grouped: World) -> None:
    worker_isolation(grouped.running(worker_groups=GROUPS))
    probed = {name for name, container, _ in grouped.kube.commands if container == "worker"}
    assert probed == {"airflow-worker-0"}


def test_stack_without_groups_has_no_such_check(world: World) -> None:
    assert not [found for found in run_checks(world.running()).checks if "group" in found.name]
