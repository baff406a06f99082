"""All of `prod`, in the order of the tests: AWS emulated, Kubernetes, PostgreSQL and Airflow real.

Each test leaves the stack healthy for the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.verification.verify import airflow_api
from benchmarks.plain_stack import CONTEXT, core_api, dag_repository
from tests.cluster.git_push import pushed_dag
from tests.prod.conftest import require_engine
from tests.prod.keda import STRANGER, Keda, keda
from tests.prod.whole import NAMESPACE, Whole, whole

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.aws]

SECONDS: Final = 900
TASK_SECONDS: Final = 240
"""A task that runs from before a roll until after it. A worker's grace is longer."""
DAG: Final = f'''\
"""A task that says a word: its log must outlive its worker. And one that takes its time."""

import time

from datetime import datetime

from airflow.sdk import dag, task


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def says_a_word():
    @task(retries=0)
    def speak():
        print("the word of the test", flush=True)

    speak()


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def takes_its_time():
    @task(retries=0)
    def wait():
        time.sleep({TASK_SECONDS})

    wait()


says_a_word()
takes_its_time()
'''


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    require_engine(("kubernetes", "random", "aws"))
    if not dag_repository().secrets:
        pytest.skip("needs an SSH repository of DAGs: AIRFLOW_TEST_GIT_REPOSITORY is not set")
    try:
        api = core_api()
        api.list_namespace(_request_timeout=5)
    except Exception as error:
        pytest.skip(f"no cluster: context {CONTEXT} does not answer ({type(error).__name__})")
    with whole(api, tmp_path_factory.mktemp("whole")) as stack:
        yield stack


@pytest.fixture
def airflow(stack: Whole) -> AirflowApi:
    return airflow_api(Deployment.of(stack.checkout.outputs()), KubeClient(CONTEXT, NAMESPACE))


@pytest.fixture(scope="module")
def operator(stack: Whole) -> Iterator[Keda]:
    with keda(stack.api) as found:
        yield found
        # Its objects must go before their kinds do.
        stack.checkout.set(workerScaling=None, workerMaxReplicas=None)
        stack.checkout.up()


def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        time.sleep(2)


def test_up_from_nothing(stack: Whole) -> None:
    made = stack.checkout.up()
    assert {step.split()[0] for step in made.steps} == {"create"}
    assert stack.databases.problems == []


def test_a_second_up_changes_nothing_and_a_refresh_finds_nothing(stack: Whole) -> None:
    assert stack.checkout.up().steps == ()
    assert [step for step in stack.checkout.refresh().steps if "aws:" in step] == []


def test_the_master_user_is_no_superuser_and_every_connection_is_encrypted(stack: Whole) -> None:
    assert stack.databases.sql("airflow-prod", "SELECT rolsuper FROM pg_roles WHERE rolname = 'airflow'").strip() == "f"
    plain = (
        "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL AND NOT ssl"
    )
    assert stack.databases.sql("airflow-prod", plain).strip() == "0"


def test_a_log_is_read_from_s3_after_its_worker_is_gone(stack: Whole, airflow: AirflowApi, tmp_path: Path) -> None:
    dag_id, run_id = "says_a_word", f"test__{time.time_ns()}"
    with pushed_dag(tmp_path, f"{dag_id}.py", DAG):
        until(lambda: dag_id in {dag.dag_id for dag in airflow.dags()}, "the DAG is parsed")
        airflow.set_paused(dag_id, paused=False)
        airflow.trigger(dag_id, run_id, "a test")
        until(lambda: airflow.run_state(dag_id, run_id) in ("success", "failed"), "the run ends")
    assert airflow.run_state(dag_id, run_id) == "success"
    bucket = stack.checkout.resource("aws:s3/bucket:Bucket", "airflow-task-logs")["outputs"]["bucket"]
    until(lambda: _stored(stack, bucket, dag_id, run_id), "the log is in the bucket")
    workers = {"label_selector": "component=worker"}
    [worker] = stack.api.list_namespaced_pod(NAMESPACE, **workers).items
    stack.api.delete_namespaced_pod(worker.metadata.name, NAMESPACE, grace_period_seconds=0)
    [task] = airflow.task_instances(dag_id, run_id)
    assert "the word of the test" in str(airflow.log(dag_id, run_id, task))
    until(
        lambda: all(
            pod.metadata.uid != worker.metadata.uid and all(item.ready for item in pod.status.container_statuses or [])
            for pod in stack.api.list_namespaced_pod(NAMESPACE, **workers).items
        ),
        "another worker is ready",
    )


def _stored(stack: Whole, bucket: str, dag_id: str, run_id: str) -> list[str]:
    """Return the keys of a run's logs. A task uploads its log after its end."""
    found = stack.account.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"logs/dag_id={dag_id}/")
    return [item["Key"] for item in found.get("Contents", []) if run_id in item["Key"]]


def test_it_is_verified(stack: Whole) -> None:
    print(stack.checkout.run([".venv/bin/python", "-m", "automation", "verify", "prod"]).output)


def test_pods_reach_the_logs_by_the_rights_of_their_role_alone(stack: Whole) -> None:
    calls = list(stack.account.calls_of_pods())
    assert calls, "no pod had a role"
    assert [(call.operation, call.refused) for call in calls if call.refused] == []


def test_keda_counts_the_tasks_through_the_pooler_and_nobody_else_may(stack: Whole, operator: Keda) -> None:
    stack.checkout.set(workerScaling="keda", workerMaxReplicas=3)
    made = stack.checkout.up()
    assert [step for step in made.steps if "aws:" in step or step.startswith("delete ")] == []
    assert operator.asks(NAMESPACE) == "0"
    assert "timeout expired" in operator.asks(NAMESPACE, STRANGER)


def test_another_image_rolls_the_pods_and_no_task_and_nothing_in_aws(
    stack: Whole, airflow: AirflowApi, operator: Keda, tmp_path: Path
) -> None:
    if stack.tag is None:
        pytest.skip("no second image: AIRFLOW_TEST_S3_IMAGE_TAG is not set")
    dag_id, run_id = "takes_its_time", f"test__{time.time_ns()}"
    with pushed_dag(tmp_path, "takes_its_time.py", DAG):
        until(lambda: dag_id in {dag.dag_id for dag in airflow.dags()}, "the DAG is parsed")
        airflow.set_paused(dag_id, paused=False)
        airflow.trigger(dag_id, run_id, "a test")
        until(lambda: [task.state for task in airflow.task_instances(dag_id, run_id)] == ["running"], "the task runs")
        assert operator.asks(NAMESPACE) == "1", "one worker for one task"
        stack.checkout.set(imageTag=f"{stack.tag}-2")
        rolled = stack.checkout.up().touched()
        until(lambda: airflow.run_state(dag_id, run_id) in ("success", "failed"), "the run ends")
    [task] = airflow.task_instances(dag_id, run_id)
    assert (airflow.run_state(dag_id, run_id), task.state, task.try_number) == ("success", "success", 1)
    assert "kubernetes:helm.sh/v3:Release::airflow" in rolled
    assert [name for name in rolled if name.startswith("aws:")] == []


def test_every_call_of_the_deploying_role_was_allowed(stack: Whole) -> None:
    assert [(call.operation, call.refused) for call in stack.account.calls() if call.refused] == []
