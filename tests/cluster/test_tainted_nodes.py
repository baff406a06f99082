"""A stack on nodes with a hard taint, and a worker group on nodes with another one, in the order of the tests.

The values of the stack tolerate the first taint, its group also the second one. That a pod without a toleration waits
is tried beside it, so that no taint is taken for one that keeps nobody away.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from automation.cluster.airflow_api import AirflowApi
from automation.verification.result import Status
from automation.verification.verify import verify
from components.kube.pod_security import NOBODY_UID, pod_security_context
from components.preflight.pods import small_container
from tests.cluster.airflow_runs import api_of, begun, ended, until
from tests.cluster.git_push import pushed_dag
from tests.cluster.hard_taints import HardTaints, hard_taints
from tests.cluster.harness import CONTEXT, Repository, Stack, destroyed, make_stack

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-tainted"
AIRFLOW: Final = "airflow-tests/airflow"
GPU: Final = "airflow-tests/gpu"
OF_GROUP: Final = "worker-set=gpu"
DEFAULT: Final = "!worker-set"
"""Labels that tell the group's workers from the default ones."""
IN_POD: Final = "pod_on_a_tainted_node"
IN_GROUP: Final = "group_on_a_tainted_node"
_DAG: Final = '''\
"""A task that says where it ran."""

import os
import socket
from datetime import datetime

from airflow.sdk import dag, task


@dag(dag_id="{dag_id}", schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def one():
    @task(retries=0, {where})
    def say():
        print(f"{{os.environ.get('OF_THE_GROUP', 'no variable')}} on {{socket.gethostname()}}", flush=True)

    say()


one()
'''
TOLERATED: Final = {"key": AIRFLOW, "operator": "Exists", "effect": "NoSchedule"}
GROUP: Final[Mapping[str, Any]] = {
    "name": "gpu",
    "queues": ["gpu"],
    "concurrency": 2,
    "tolerations": [TOLERATED, {"key": GPU, "operator": "Equal", "value": "tests", "effect": "NoSchedule"}],
    "env": [{"name": "OF_THE_GROUP", "value": "of the group"}],
}


@pytest.fixture(scope="module")
def taints(engine: None, api: Any) -> Iterator[HardTaints]:
    with hard_taints(api, NAMESPACE, AIRFLOW, GPU) as made:
        made.set(AIRFLOW)
        yield made


@pytest.fixture(scope="module")
def stack(taints: HardTaints, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = make_stack(tmp_path_factory.mktemp("tainted"), NAMESPACE, repository)
    stack.set(
        executor="CeleryExecutor,KubernetesExecutor",
        helmValues={"tolerations": [TOLERATED]},
        workerGroups=[dict(GROUP)],
        pools=[{"name": "warehouse", "slots": 3}],
    )
    in_pod = _DAG.format(dag_id=IN_POD, where='executor="KubernetesExecutor"')
    in_group = _DAG.format(dag_id=IN_GROUP, where='queue="gpu"')
    with (
        pushed_dag(tmp_path_factory.mktemp("in-pod"), f"{IN_POD}.py", in_pod),
        pushed_dag(tmp_path_factory.mktemp("in-group"), f"{IN_GROUP}.py", in_group),
    ):
        yield from destroyed(stack)


@pytest.fixture
def airflow(stack: Stack) -> AirflowApi:
    return api_of(stack)


def pods(api: Any, selector: str = "") -> list[Any]:
    """Those of the stack that are not about to go."""
    found = api.list_namespaced_pod(NAMESPACE, label_selector=selector).items
    return [pod for pod in found if pod.metadata.deletion_timestamp is None]


def workers(api: Any, which: str) -> list[Any]:
    """The pods of the default workers or of the group. A task's pod has the name of its DAG."""
    return [pod for pod in pods(api, f"component=worker,{which}") if pod.metadata.name.startswith("airflow-worker")]


def delete(pod: str) -> None:
    command = ["kubectl", "--context", CONTEXT, "-n", NAMESPACE, "delete", "pod", pod, "--grace-period=1", "--wait"]
    subprocess.run(command, check=True, timeout=300)


def condition(pod: Any, kind: str) -> Any:
    return next((item for item in pod.status.conditions or () if item.type == kind), None)


def waits_for_a_node(pod: Any) -> bool:
    placed = condition(pod, "PodScheduled")
    return placed is not None and placed.status == "False" and "untolerated taint" in (placed.message or "")


def is_ready(pod: Any) -> bool:
    ready = condition(pod, "Ready")
    return ready is not None and ready.status == "True"


def test_release_and_jobs_come_up_where_other_pods_wait(stack: Stack, api: Any) -> None:
    stack.up()
    result = verify(stack.outputs(), kube_context=CONTEXT)
    assert result.ok, [(check.name, check.detail) for check in result.checks if check.status is Status.FAILED]
    checks = {check.name: check for check in result.checks}
    assert checks["worker group gpu"].status is Status.PASSED, checks["worker group gpu"].detail
    phases = {pod.metadata.name: pod.status.phase for pod in pods(api)}
    for job in ("airflow-database-migrate-", "airflow-database-admin-user-"):
        assert [phase for name, phase in phases.items() if name.startswith(job)] == ["Succeeded"], phases
    spec = {"containers": [small_container("lost", "busybox:1")], "securityContext": pod_security_context(NOBODY_UID)}
    api.create_namespaced_pod(NAMESPACE, {"metadata": {"name": "lost"}, "spec": spec})
    try:
        until(lambda: waits_for_a_node(api.read_namespaced_pod("lost", NAMESPACE)), "a pod without toleration waits")
    finally:
        api.delete_namespaced_pod("lost", NAMESPACE, grace_period_seconds=0)


def test_pools_are_made_by_a_job_there(airflow: AirflowApi) -> None:
    found = airflow._request("GET", "/api/v2/pools?limit=100")["pools"]
    assert {"default_pool", "warehouse"} <= {pool["name"] for pool in found}


def test_pod_of_a_task_runs_there(airflow: AirflowApi) -> None:
    [task] = ended(airflow, IN_POD).values()
    assert task.state == "success", task.said
    assert "no variable on pod-on-a-tainted-node" in task.said


def test_group_alone_runs_where_another_taint_is(
    stack: Stack, taints: HardTaints, airflow: AirflowApi, api: Any
) -> None:
    taints.set(AIRFLOW, GPU)
    for which in (OF_GROUP, DEFAULT):
        for pod in workers(api, which):
            delete(pod.metadata.name)
    until(lambda: any(map(is_ready, workers(api, OF_GROUP))), "the group's new worker is ready")
    until(lambda: any(map(waits_for_a_node, workers(api, DEFAULT))), "the new default worker waits for a node")
    [there] = workers(api, OF_GROUP)
    run_id = begun(airflow, IN_GROUP)
    [task] = ended(airflow, IN_GROUP, run_id).values()
    assert task.state == "success", task.said
    delete(there.metadata.name)
    [after] = ended(airflow, IN_GROUP, run_id).values()
    assert f"of the group on {there.metadata.name}" in after.said, "its log outlives the pod"
    taints.set(AIRFLOW)
    until(lambda: any(map(is_ready, workers(api, DEFAULT))), "the default worker is back")


def test_second_up_changes_nothing(stack: Stack) -> None:
    assert stack.up().steps == ()
