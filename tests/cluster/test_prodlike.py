"""All of production but AWS, in the order of the tests: each leaves the stack healthy for the next.

A database outside of the stack that demands TLS, with a private authority; PgBouncer; two of each component; isolation
and Pod Security; protection.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.errors import AirflowRequestFailed
from automation.verification.verify import airflow_api, verify
from tests.cluster.git_push import pushed_dag
from tests.cluster.harness import CONTEXT, Repository, Stack, dag_repository, destroyed, make_stack, touched
from tests.cluster.modest_values import modest_values
from tests.cluster.tls_database import USER, Authority, TlsDatabase

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-prodlike"
MIGRATION: Final = "kubernetes:batch/v1:Job::airflow-database-migrate"
RELEASE: Final = "kubernetes:helm.sh/v3:Release::airflow"
SECOND_TAG: Final = "3.2.2-python3.12"
RUN_SECONDS: Final = 600
COMPONENTS: Final = ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "pgbouncer")
SLOW_DAG: Final = '''\
"""A task that works for a while: what a roll and a lost database must not end."""

import time
from datetime import datetime

from airflow.sdk import dag, task


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def slow_for_the_tests():
    @task(retries=0)
    def work():
        for step in range(75):
            print(f"step {step}", flush=True)
            time.sleep(2)

    work()


slow_for_the_tests()
'''


@pytest.fixture(scope="module")
def database(api: Any) -> Iterator[TlsDatabase]:
    server = TlsDatabase(api, f"{NAMESPACE}-database", Authority.new("the tests' authority"))
    try:
        server.create()
        yield server
    finally:
        server.delete()


@pytest.fixture(scope="module")
def stack(engine: None, database: TlsDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    repository: Repository = dag_repository(dagsSyncPeriodSeconds=5)
    stack = make_stack(tmp_path_factory.mktemp("prodlike"), NAMESPACE, repository, databasePassword=database.password)
    two = dict.fromkeys(
        ("apiServerReplicas", "schedulerReplicas", "dagProcessorReplicas", "triggererReplicas", "workerReplicas"), 2
    )
    stack.set(
        **two,
        protect=True,
        size="small",
        taskLogs="worker",  # a volume would need a class for several nodes, which a test's cluster has not
        workerGraceSeconds=400,  # such workers stop before their successor starts, while the slow task has just begun
        networkIsolation="required",
        database="external",
        databaseHost=database.host,
        databaseUser=USER,
        databaseCidrs=[database.cidr],
        databaseSslMode="verify-full",
        databaseCaCertificate=database.authority.pem,
        databaseMaxConnections=200,
        pgbouncerEnabled=True,
        metadataRetentionDays=30,
        # As many as there are on a laptop, on two processors: what they ask for is not what is tested here.
        helmValues=modest_values(),
    )
    for step in destroyed(stack):
        yield step
        # A protected stack refuses; to say so is the last test.
        stack.set(protect=False)
        stack.up(check=False)


@pytest.fixture
def airflow(stack: Stack) -> AirflowApi:
    deployment = Deployment.of(stack.outputs())
    return airflow_api(deployment, KubeClient(CONTEXT, NAMESPACE))


def pods(api: Any, component: str) -> dict[str, str]:
    """Uid of each running pod of a component by name."""
    found = api.list_namespaced_pod(NAMESPACE, label_selector=f"release=airflow,component={component}").items
    return {pod.metadata.name: pod.metadata.uid for pod in found if pod.metadata.deletion_timestamp is None}


def snapshot(api: Any) -> dict[str, dict[str, str]]:
    return {component: pods(api, component) for component in COMPONENTS}


def assert_healthy(stack: Stack) -> None:
    result = verify(stack.outputs(), kube_context=CONTEXT)
    assert result.ok, [(check.name, check.detail) for check in result.checks if str(check.status) == "failed"]


def test_up_from_nothing_is_verified(stack: Stack) -> None:
    stack.up()
    assert_healthy(stack)


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    assert stack.up().steps == ()


def test_there_are_two_of_each_and_an_eviction_leaves_one(stack: Stack, api: Any) -> None:
    assert {component: len(found) for component, found in snapshot(api).items()} == dict.fromkeys(COMPONENTS, 2)
    command = ["kubectl", "--context", CONTEXT, "-n", NAMESPACE, "get", "poddisruptionbudgets"]
    query = "-o=jsonpath={range .items[*]}{.metadata.name}={.status.disruptionsAllowed}{'\\n'}{end}"
    listed = subprocess.run([*command, query], capture_output=True, text=True, check=True).stdout.split()
    budgets = dict(line.split("=") for line in listed)
    assert len(budgets) >= len(COMPONENTS) - 1
    assert set(budgets.values()) == {"1"}, budgets


def test_every_connection_to_the_database_is_encrypted(stack: Stack, database: TlsDatabase) -> None:
    sql = (
        "SELECT count(*) FILTER (WHERE ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
        "WHERE client_addr IS NOT NULL"
    )
    command = ["kubectl", "--context", CONTEXT, "-n", database.namespace, "exec", "database", "--"]
    command += ["psql", "-h", "/tmp", "-U", USER, "-d", USER, "-tA", "-c", sql]
    encrypted, all_ = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split("|")
    assert int(encrypted) == int(all_) > 0


def test_asynchronous_statements_pass_the_pooler(stack: Stack) -> None:
    """asyncpg prepares each of them; in transaction pooling the next one meets another connection."""
    script = """
import asyncio
from airflow import settings
from sqlalchemy import text
settings.configure_orm()
async def main():
    for _ in range(20):
        async with settings.AsyncSession() as session:
            assert (await session.execute(text("SELECT 1"))).scalar() == 1
asyncio.run(main())
print("passed")
"""
    command = [
        "kubectl",
        "--context",
        CONTEXT,
        "-n",
        NAMESPACE,
        "exec",
        "deploy/airflow-api-server",
        "-c",
        "api-server",
    ]
    done = subprocess.run([*command, "--", "python", "-c", script], capture_output=True, text=True, check=False)
    # As a line: what closes connections at the end of the process has more to say.
    assert "passed" in done.stdout.splitlines(), done.stderr[-2000:]


# Tasks that run meanwhile


@pytest.fixture
def running(airflow: AirflowApi, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A DAG run whose task is at work: ids of the DAG and of the run."""
    dag_id, run_id = "slow_for_the_tests", f"test__{time.time_ns()}"
    with pushed_dag(tmp_path, f"{dag_id}.py", SLOW_DAG):
        _until(lambda: dag_id in {dag.dag_id for dag in airflow.dags()}, "the DAG is parsed")
        airflow.set_paused(dag_id, paused=False)
        airflow.trigger(dag_id, run_id, "a test")
        _until(lambda: _task_state(airflow, dag_id, run_id) == "running", "its task runs")
        yield dag_id, run_id
        airflow.set_paused(dag_id, paused=True)


def _task_state(airflow: AirflowApi, dag_id: str, run_id: str) -> str | None:
    [task] = airflow.task_instances(dag_id, run_id) or (None,)
    return task.state if task else None


def _answers(airflow: AirflowApi) -> bool:
    try:
        airflow.dags()
    except AirflowRequestFailed:
        return False
    return True


def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {RUN_SECONDS} s: {what}"
        time.sleep(2)


def _succeeds_at_the_first_try(airflow: AirflowApi, dag_id: str, run_id: str) -> None:
    _until(lambda: airflow.run_state(dag_id, run_id) in ("success", "failed"), "the run ends")
    [task] = airflow.task_instances(dag_id, run_id)
    assert (airflow.run_state(dag_id, run_id), task.state, task.try_number) == ("success", "success", 1)


def test_a_new_image_rolls_every_pod_and_loses_no_task(
    stack: Stack, api: Any, airflow: AirflowApi, running: tuple[str, str]
) -> None:
    before = snapshot(api)
    stack.set(imageTag=SECOND_TAG)
    assert touched(stack.up()) == {MIGRATION, RELEASE}
    after = snapshot(api)
    for component in set(COMPONENTS) - {"pgbouncer"}:
        assert not set(before[component].values()) & set(after[component].values()), component
    assert before["pgbouncer"] == after["pgbouncer"], "not of Airflow's image"
    _succeeds_at_the_first_try(airflow, *running)


def test_a_database_that_fails_over_ends_no_task(
    stack: Stack, database: TlsDatabase, airflow: AirflowApi, running: tuple[str, str]
) -> None:
    """RDS says 60 to 120 seconds for a Multi-AZ instance; by default a task does not survive 45."""
    database.stop()
    time.sleep(60)
    database.start()
    _until(lambda: _answers(airflow), "the API server answers again")
    _succeeds_at_the_first_try(airflow, *running)
    assert_healthy(stack)


# What must not be


def test_a_wrong_authority_fails_in_the_migration_with_the_reason_and_rolls_nothing(
    stack: Stack, api: Any, database: TlsDatabase
) -> None:
    before = snapshot(api)
    stack.set(databaseCaCertificate=Authority.new("somebody else").pem)
    failed = stack.up(check=False)
    assert failed.code != 0
    assert "certificate verify failed" in failed.output
    assert not any(step.endswith(RELEASE) for step in failed.steps)
    assert snapshot(api) == before
    stack.set(databaseCaCertificate=database.authority.pem)
    stack.up()
    assert_healthy(stack)


def test_a_second_fernet_key_over_a_living_database_is_refused_and_rolls_nothing(
    stack: Stack, api: Any, airflow: AirflowApi
) -> None:
    command = ["kubectl", "--context", CONTEXT, "-n", NAMESPACE, "exec", "deploy/airflow-scheduler", "-c", "scheduler"]
    subprocess.run([*command, "--", "airflow", "variables", "set", "secret_of_a_test", "value"], check=True)
    before = snapshot(api)
    other = "YW5vdGhlci1mZXJuZXQta2V5LW9mLTMyLWJ5dGVzISE="
    stack.command("config", "set", "--secret", "airflow:fernetKey", given=other)
    failed = stack.up(check=False)
    assert failed.code != 0
    assert "another Fernet key encrypted" in failed.output
    assert other not in failed.output
    assert not any(step.endswith(RELEASE) for step in failed.steps)
    assert snapshot(api) == before
    stack.command("config", "rm", "airflow:fernetKey")
    stack.up()
    assert_healthy(stack)


def test_a_protected_stack_is_not_destroyed(stack: Stack, api: Any) -> None:
    before = snapshot(api)
    refused = stack.command("destroy", "--yes", "--skip-preview", check=False)
    assert refused.code != 0
    assert "protect" in refused.output
    assert snapshot(api) == before
