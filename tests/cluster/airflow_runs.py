"""Runs of DAGs that a test asks for, and what their tasks said."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.verification.verify import airflow_api
from tests.cluster.harness import CONTEXT, Stack

WAIT_SECONDS: Final = 600
_ENDED: Final = ("success", "failed")


@dataclass(frozen=True)
class Ended:
    """A task that has ended."""

    state: str
    """Its state."""
    said: str
    """Its log."""


def api_of(stack: Stack) -> AirflowApi:
    """Return Airflow's API of a stack."""
    deployment = Deployment.of(stack.outputs())
    return airflow_api(deployment, KubeClient(CONTEXT, deployment.namespace))


def until(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(2)


def begun(airflow: AirflowApi, dag_id: str) -> str:
    """Let a DAG run as soon as it is parsed, and return the run's id."""
    until(lambda: dag_id in {dag.dag_id for dag in airflow.dags()}, f"{dag_id} is parsed")
    run_id = f"test__{time.time_ns()}"
    airflow.set_paused(dag_id, paused=False)
    airflow.trigger(dag_id, run_id, "a test")
    return run_id


def ended(airflow: AirflowApi, dag_id: str, run_id: str | None = None) -> dict[str, Ended]:
    """Let a DAG run, or wait for a run that has begun, and return its tasks by their ids."""
    run = run_id or begun(airflow, dag_id)
    until(lambda: airflow.run_state(dag_id, run) in _ENDED, f"the run of {dag_id} ends")
    return {
        task.task_id: Ended(str(task.state), "\n".join(airflow.log(dag_id, run, task).lines))
        for task in airflow.task_instances(dag_id, run)
    }


def states(airflow: AirflowApi, dag_id: str, run_id: str) -> Collection[str | None]:
    """Return the states of a run's tasks."""
    return {task.state for task in airflow.task_instances(dag_id, run_id)}
