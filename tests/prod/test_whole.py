"""All of `prod`, in the order of the tests: AWS emulated, Kubernetes, PostgreSQL and Airflow real.

It is made, runs DAGs, is scaled and rolled, drifts, loses its state, is restored and torn down. Each test leaves the
stack healthy for the next. The runbooks are followed word by word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import pytest

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.verification.verify import airflow_api
from benchmarks.plain_stack import CONTEXT, dag_repository
from tests.cluster import service
from tests.cluster.git_push import pushed_dag
from tests.cluster.harness import touched
from tests.cluster.killed_verb import MANAGED_KILLS, killed
from tests.prod.checkout import document_in
from tests.prod.conftest import require_cluster, require_engine
from tests.prod.drift import change_by_hand
from tests.prod.first_deployment import verify
from tests.prod.keda import STRANGER, Keda, keda
from tests.prod.lost_rights import role_of_the_pods, take_role_from_workers, without_uploads
from tests.prod.lost_state import begin_again_with_the_keys, import_all, take_older_version
from tests.prod.restore_page import delete_old, restore
from tests.prod.tear_down import remove_protection, remove_with_logs, require_only_what_the_page_leaves
from tests.prod.whole import NAMESPACE, Whole, whole

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.aws]

SECONDS: Final = 900
INSTANCE: Final = "airflow-prod"
TASK_SECONDS: Final = 240
"""A task that runs from before a roll until after it. A worker's grace is longer."""
LONG: Final = "takes_its_time"
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
    with whole(require_cluster(), tmp_path_factory.mktemp("whole")) as stack:
        yield stack


def connected(stack: Whole) -> AirflowApi:
    return airflow_api(Deployment.of(stack.checkout.outputs()), KubeClient(CONTEXT, NAMESPACE))


@pytest.fixture
def airflow(stack: Whole) -> AirflowApi:
    return connected(stack)


def send(stack: Whole, method: str, path: str, body: Any = None) -> Any:
    return connected(stack)._request(method, f"/api/v2/{path}", body)


def count(stack: Whole, path: str) -> int:
    return int(send(stack, "GET", path)["total_entries"])


def verb(stack: Whole, name: str, *words: str) -> str:
    """Run a verb of the command line, and return what it prints."""
    started = time.monotonic()
    done = stack.checkout.run([".venv/bin/python", "-m", "automation", name, "prod", *words])
    print(f"{name}: exit {done.code} after {time.monotonic() - started:.0f} s\n{done.output}", flush=True)
    return done.output


@pytest.fixture(scope="module")
def operator(stack: Whole) -> Iterator[Keda]:
    with keda(stack.api) as found:
        yield found


def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        time.sleep(2)


def started(airflow: AirflowApi, dag_id: str) -> str:
    """Start a run of a DAG that was pushed, as soon as it is there, and return its ID."""
    run_id = f"test__{time.time_ns()}"
    until(lambda: dag_id in {dag.dag_id for dag in airflow.dags()}, "the DAG is parsed")
    airflow.set_paused(dag_id, paused=False)
    airflow.trigger(dag_id, run_id, "a test")
    return run_id


def ended(airflow: AirflowApi, dag_id: str, run_id: str) -> None:
    until(lambda: airflow.run_state(dag_id, run_id) in ("success", "failed"), "the run ends")


@contextmanager
def running_task(airflow: AirflowApi, folder: Path) -> Iterator[str]:
    """Yield the ID of a run while its long task runs, and wait for its end afterwards."""
    with pushed_dag(folder, f"{LONG}.py", DAG):
        run_id = started(airflow, LONG)
        until(lambda: [task.state for task in airflow.task_instances(LONG, run_id)] == ["running"], "the task runs")
        yield run_id
        ended(airflow, LONG, run_id)


def require_first_try(airflow: AirflowApi, run_id: str) -> None:
    """Fail unless the long task has succeeded at its first try."""
    [task] = airflow.task_instances(LONG, run_id)
    assert (airflow.run_state(LONG, run_id), task.state, task.try_number) == ("success", "success", 1)


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
    dag_id = "says_a_word"
    with pushed_dag(tmp_path, f"{dag_id}.py", DAG):
        run_id = started(airflow, dag_id)
        ended(airflow, dag_id, run_id)
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
    print(verify(stack.checkout))


def test_pods_reach_the_logs_by_the_rights_of_their_role_alone(stack: Whole) -> None:
    calls = list(stack.account.calls_of_pods())
    assert calls, "no pod had a role"
    # The preflight gives its upload up, which the role need not be allowed to.
    kept = [call for call in calls if call.operation != "s3:AbortMultipartUpload"]
    assert [(call.operation, call.refused) for call in kept if call.refused] == []


def test_airflow_leaves_the_master_user_while_a_task_runs(stack: Whole, airflow: AirflowApi, tmp_path: Path) -> None:
    words = [".venv/bin/python", "-m", "automation", "rotate", "database-password", "prod"]
    pods = "SELECT DISTINCT usename FROM pg_stat_activity WHERE client_addr IS NOT NULL ORDER BY 1"
    airflows = {pod for pod in _pods(stack) if "pgbouncer" not in pod}
    assert stack.databases.sql(INSTANCE, pods).split() == ["airflow"], "the master"
    with running_task(airflow, tmp_path) as run_id:
        killed(tmp_path, "rotate", words, MANAGED_KILLS, stack.checkout.folder, stack.checkout.environment)
    require_first_try(airflow, run_id)
    assert airflows <= _pods(stack), "only PgBouncer rolled"
    [first] = stack.databases.sql(INSTANCE, pods).split()
    assert first.startswith("airflow_")
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert stack.databases.sql(INSTANCE, owners, "airflow").split() == ["airflow_owner"]
    master = stack.account.masters()[INSTANCE]["MasterUserPassword"]
    holders = [name for name, data in service.own_secrets(stack.api, NAMESPACE).items() if master in str(data)]
    assert all(name.startswith("airflow-database-roles-master") for name in holders), holders
    assert stack.checkout.preview().steps == ()

    stack.checkout.run(words)
    [second] = stack.databases.sql(INSTANCE, pods).split()
    roles = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'airflow%' ORDER BY 1"
    assert stack.databases.sql(INSTANCE, roles).split() == sorted({"airflow", "airflow_owner", second} - {first})
    assert stack.checkout.preview().steps == ()
    print(stack.checkout.run([".venv/bin/python", "-m", "automation", "verify", "prod"]).output)


def _pods(stack: Whole) -> set[str]:
    """Return the names of Airflow's pods, without those of Jobs."""
    found = stack.api.list_namespaced_pod(NAMESPACE, label_selector="release=airflow").items
    return {pod.metadata.name for pod in found}


def test_keda_counts_the_tasks_through_the_pooler_and_nobody_else_may(stack: Whole, operator: Keda) -> None:
    stack.checkout.set(workerScaling="keda", workerMaxReplicas=3)
    made = stack.checkout.up()
    assert [step for step in made.steps if "aws:" in step or step.startswith("delete ")] == []
    assert operator.asks(NAMESPACE) == "0"
    assert "timeout expired" in operator.asks(NAMESPACE, STRANGER)


def test_rights_that_pods_lack_are_told_before_another_image_rolls(stack: Whole) -> None:
    if stack.tag is None:
        pytest.skip("no second image: AIRFLOW_TEST_S3_IMAGE_TAG is not set")
    role = role_of_the_pods(stack.checkout)
    stack.checkout.set(imageTag=f"{stack.tag}-2")
    with without_uploads(stack.account, role):
        denied = stack.checkout.up(check=False)
    assert f"airflow:taskLogs: expected that the role {role} may write to s3://" in denied.output, denied.output
    assert "found: AccessDenied" in denied.output, denied.output
    take_role_from_workers(stack.account, stack.checkout)
    without = stack.checkout.up(check=False)
    assert f"airflow:podIdentity: expected the role {role} for pods of the service account" in without.output
    rolled = {"kubernetes:helm.sh/v3:Release::airflow", "kubernetes:batch/v1:Job::airflow-database-migrate"}
    assert not rolled & {*touched(denied), *touched(without)}
    stack.checkout.set(imageTag=stack.tag)
    stack.checkout.refresh()
    stack.checkout.up()


def test_another_image_rolls_the_pods_and_no_task_and_nothing_in_aws(
    stack: Whole, airflow: AirflowApi, operator: Keda, tmp_path: Path
) -> None:
    if stack.tag is None:
        pytest.skip("no second image: AIRFLOW_TEST_S3_IMAGE_TAG is not set")
    with running_task(airflow, tmp_path) as run_id:
        assert operator.asks(NAMESPACE) == "1", "one worker for one task"
        stack.checkout.set(imageTag=f"{stack.tag}-2")
        rolled = touched(stack.checkout.up())
    require_first_try(airflow, run_id)
    assert "kubernetes:helm.sh/v3:Release::airflow" in rolled
    assert [name for name in rolled if name.startswith("aws:")] == []


def test_without_keda_its_objects_go_and_nothing_in_aws(stack: Whole) -> None:
    stack.checkout.set(workerScaling=None, workerMaxReplicas=None)
    assert [step for step in stack.checkout.up().steps if "aws:" in step] == []


def test_what_a_person_changed_is_put_back(stack: Whole) -> None:
    stack.checkout.set(databaseApplyImmediately=True)  # else the class waits for the maintenance window
    stack.checkout.up()
    changed = {f"update {name}" for name in change_by_hand(stack.account, "db.m7g.4xlarge")}
    assert changed <= set(stack.checkout.refresh().steps)
    assert set(stack.checkout.up().steps) == changed
    assert stack.checkout.up().steps == ()


def test_a_lost_state_comes_back_from_an_older_version(stack: Whole) -> None:
    assert "no changes" in take_older_version(stack.checkout, stack.account)


def test_without_any_state_it_is_imported_and_has_its_history(stack: Whole) -> None:
    send(stack, "POST", "connections", {"connection_id": "kept", "conn_type": "generic", "password": "made-up"})
    runs = count(stack, "dags/~/dagRuns")
    assert runs > 0
    begin_again_with_the_keys(stack.checkout, stack.account)
    import_all(stack.checkout, stack.account, NAMESPACE)
    made = stack.checkout.up()
    assert not [step for step in made.steps if step.startswith(("replace", "delete"))]
    assert not [step for step in made.steps if step.startswith("create aws:") and "metricAlarm" not in step]
    assert count(stack, "dags/~/dagRuns") == runs
    verb(stack, "verify")
    assert stack.checkout.up().steps == ()


def test_a_drill_reads_every_encrypted_value_in_a_temporary_instance(stack: Whole) -> None:
    verb(stack, "backup")
    stack.databases.sql("airflow-prod", "DELETE FROM connection WHERE conn_id = 'kept'", "airflow")
    stack.account.order(drill=True)
    answer = verb(stack, "drill", "--json")
    stack.account.order()
    found = document_in(answer)
    assert (found["ok"], found["at_head"], found["unread"]) == (True, True, [])
    assert found["encrypted"] >= 1, "the connection, which the stack no longer has"
    assert found["runs"] == count(stack, "dags/~/dagRuns")
    assert list(stack.account.masters()) == ["airflow-prod"], "the instance is gone"


def test_a_restore_brings_back_what_was_deleted_and_leaves_the_old_instance(stack: Whole) -> None:
    # A moment has no data here: the servers behind RDS keep dumps for snapshots alone.
    found = stack.account.client("rds").describe_db_snapshots(DBInstanceIdentifier=INSTANCE, SnapshotType="manual")
    newest = max(found["DBSnapshots"], key=itemgetter("SnapshotCreateTime"))
    print(restore(stack.checkout, newest["DBSnapshotIdentifier"]))
    assert list(stack.account.masters()) == ["airflow-prod", "airflow-prod-2"]
    assert send(stack, "GET", "connections/kept")["conn_type"] == "generic"
    assert stack.databases.sql("airflow-prod", "SELECT count(*) FROM connection", "airflow").strip() == "0"
    assert stack.checkout.up().steps == ()
    stack.account.order(teardown=True)
    delete_old(stack.checkout)
    stack.account.order()
    assert list(stack.account.masters()) == ["airflow-prod-2"]


def test_it_is_torn_down_by_the_runbook(stack: Whole) -> None:
    remove_protection(stack.checkout)
    remove_with_logs(stack.checkout, stack.account)
    require_only_what_the_page_leaves(stack.account, "airflow-prod-2")
    assert NAMESPACE not in {item.metadata.name for item in stack.api.list_namespace().items}


def test_every_call_of_the_deploying_role_was_allowed(stack: Whole) -> None:
    assert [(call.operation, call.refused) for call in stack.account.calls() if call.refused] == []
