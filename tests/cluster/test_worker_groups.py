"""A worker group on a cluster: its task runs where the group says, with the group's variable, and its log stays."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.verification.result import Status
from automation.verification.verify import airflow_api, verify
from tests.cluster.git_push import pushed_dag
from tests.cluster.harness import CONTEXT, Repository, Stack, destroyed, make_stack

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-groups"
POOL: Final = "airflow-test/pool"
WAIT_SECONDS: Final = 600
DAG_ID: Final = "group_for_the_tests"
DAG: Final = '''\
"""A task of the group `special`: it says where it ran."""

import os
import socket
from datetime import datetime

from airflow.sdk import dag, task


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def group_for_the_tests():
    @task(queue="special-long", retries=0)
    def say():
        print(f"variable {os.environ['OF_THE_GROUP']} on {socket.gethostname()}", flush=True)

    say()


group_for_the_tests()
'''
GROUP: Final[dict[str, Any]] = {
    "name": "special",
    "queues": ["special", "special-long"],
    "concurrency": 2,
    "nodeSelector": {POOL: "special"},
    "tolerations": [{"key": POOL, "operator": "Exists"}],
    "env": [{"name": "OF_THE_GROUP", "value": "seen"}],
    "extraVolumes": [{"name": "models", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "models", "mountPath": "/models"}],
}


@pytest.fixture(scope="module")
def pool(api: Any) -> Iterator[None]:
    """The first node is of the group's pool. The taint is a soft one, so that it keeps no other pod away."""
    node = api.list_node().items[0]
    taint = {"key": POOL, "value": "special", "effect": "PreferNoSchedule"}
    before = api.api_client.sanitize_for_serialization(node.spec.taints or [])
    api.patch_node(
        node.metadata.name, {"metadata": {"labels": {POOL: "special"}}, "spec": {"taints": [*before, taint]}}
    )
    try:
        yield
    finally:
        api.patch_node(node.metadata.name, {"metadata": {"labels": {POOL: None}}, "spec": {"taints": before}})


@pytest.fixture(scope="module")
def stack(
    engine: None, pool: None, repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("groups")
    stack = make_stack(folder, NAMESPACE, repository)
    stack.set(workerGroups=[GROUP])
    with pushed_dag(tmp_path_factory.mktemp("dags"), f"{DAG_ID}.py", DAG):
        yield from destroyed(stack)


@pytest.fixture
def airflow(stack: Stack) -> AirflowApi:
    return airflow_api(Deployment.of(stack.outputs()), KubeClient(CONTEXT, NAMESPACE))


def pod_of_the_group(api: Any) -> Any:
    selector = "component=worker,worker-set=special"
    found = api.list_namespaced_pod(NAMESPACE, label_selector=selector).items
    return next(pod for pod in found if pod.metadata.deletion_timestamp is None)


def test_verification_probes_the_group(stack: Stack) -> None:
    stack.up()
    result = verify(stack.outputs(), kube_context=CONTEXT)
    checks = {check.name: check for check in result.checks}
    assert checks["worker group special"].status is Status.PASSED, checks["worker group special"].detail
    assert "serves special, special-long" in checks["worker group special"].detail
    assert result.ok, [(check.name, check.detail) for check in result.checks if check.status is Status.FAILED]


def test_pod_is_placed_and_named_as_the_group_says(stack: Stack, api: Any) -> None:
    spec = pod_of_the_group(api).spec
    assert spec.node_selector == {POOL: "special"}
    assert POOL in {toleration.key for toleration in spec.tolerations}
    assert spec.service_account_name == "airflow-worker-special"
    assert "/models" in {mount.mount_path for mount in spec.containers[0].volume_mounts}
    token = [volume for volume in spec.volumes if volume.projected]
    assert token == [], "no token for the Kubernetes API"


def test_task_of_its_queue_runs_there_and_its_log_outlives_the_pod(stack: Stack, api: Any, airflow: AirflowApi) -> None:
    pod = pod_of_the_group(api).metadata.name
    _until(lambda: DAG_ID in {dag.dag_id for dag in airflow.dags()}, "the DAG is parsed")
    run_id = f"test__{time.time_ns()}"
    airflow.set_paused(DAG_ID, paused=False)
    airflow.trigger(DAG_ID, run_id, "a test")
    _until(lambda: airflow.run_state(DAG_ID, run_id) in ("success", "failed"), "the run ends")
    [task] = airflow.task_instances(DAG_ID, run_id)
    assert task.state == "success"
    subprocess.run(
        ["kubectl", "--context", CONTEXT, "-n", NAMESPACE, "delete", "pod", pod, "--grace-period=1", "--wait"],
        check=True,
    )
    said = "\n".join(airflow.log(DAG_ID, run_id, task).lines)
    assert f"variable seen on {pod}" in said


def test_second_up_changes_nothing_and_the_group_goes_with_its_key(stack: Stack, api: Any) -> None:
    assert stack.up().steps == ()
    stack.set(workerGroups=None)
    stack.up()
    left = api.list_namespaced_pod(NAMESPACE, label_selector="worker-set=special").items
    assert [pod for pod in left if pod.metadata.deletion_timestamp is None] == []


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS} s: {what}"
        time.sleep(2)
