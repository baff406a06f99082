"""A task reads a connection and a variable of the config that its worker does not have."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.verification.verify import airflow_api
from tests.cluster.git_push import pushed_dag
from tests.cluster.harness import CONTEXT, Stack, dag_repository, destroyed, make_stack

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-given"
DAG_ID: Final = "given_connection_of_the_tests"
PASSWORD: Final = "sentinel-connection-password"
RUN_SECONDS: Final = 300
_DAG: Final = f'''\
"""Reads a connection and a variable that only the server components have."""

import os
from datetime import datetime

from airflow.sdk import Connection, Variable, dag, task


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def {DAG_ID}():
    @task(retries=0)
    def read():
        assert not [name for name in os.environ if name.startswith(("AIRFLOW_CONN_WARE", "AIRFLOW_VAR_"))]
        connection = Connection.get("ware-house")
        assert (connection.login, connection.password) == ("etl", "{PASSWORD}"), connection.login
        assert Variable.get("limit", deserialize_json=True) == {{"rows": 7}}

    read()


{DAG_ID}()
'''


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("given")
    stack = make_stack(folder / "stack", NAMESPACE, dag_repository(dagsSyncPeriodSeconds=5))
    stack.command("config", "set", "--secret", "--path", 'airflow:variables["limit"]', given=json.dumps({"rows": 7}))
    uri = f"postgres://etl:{PASSWORD}@warehouse.example.com/dwh"
    stack.command("config", "set", "--secret", "--path", 'airflow:connections["ware-house"]', given=uri)
    with pushed_dag(folder / "dags", f"{DAG_ID}.py", _DAG):
        yield from destroyed(stack)


def test_a_task_reads_what_its_worker_does_not_have(stack: Stack) -> None:
    stack.up()
    airflow = airflow_api(Deployment.of(stack.outputs()), KubeClient(CONTEXT, NAMESPACE))
    deadline = time.monotonic() + RUN_SECONDS
    while DAG_ID not in {dag.dag_id for dag in airflow.dags()}:
        assert time.monotonic() < deadline, "the DAG is not parsed"
        time.sleep(2)
    airflow.set_paused(DAG_ID, paused=False)
    airflow.trigger(DAG_ID, "test", "a test")
    while (state := airflow.run_state(DAG_ID, "test")) not in ("success", "failed"):
        assert time.monotonic() < deadline, f"the run is {state}"
        time.sleep(2)
    [task] = airflow.task_instances(DAG_ID, "test")
    assert state == "success", airflow.log(DAG_ID, "test", task)
    airflow.set_paused(DAG_ID, paused=True)
    assert PASSWORD not in stack.export()
