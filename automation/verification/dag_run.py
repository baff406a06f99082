"""A DAG run succeeds on a worker, and its log can be read."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from automation.cluster.airflow_api import Dag, TaskInstance
from automation.errors import AirflowRequestFailed, AutomationError
from automation.verification.dag_choice import TAG, Choice, choose
from automation.verification.result import Check, failed, passed, skipped, warning
from automation.verification.running_airflow import RunningAirflow
from automation.wait import wait_for
from components.verification.in_image.dag_run import readable

DAG_RUN: Final = "DAG run on a worker"
TASK_LOG: Final = "task log readable"
_ENDED: Final = ("success", "failed")
_NOTE: Final = "Started by the verification of a deployment."
_INTERVAL_SECONDS: Final = 2.0
_LOG_SECONDS: Final = 30.0  # a log that is uploaded at the end of its task may come a little later
_DETAIL_LENGTH: Final = 160


def dag_run(airflow: RunningAirflow, dag_id: str | None) -> tuple[Check, Check]:
    """Run the named DAG, or one that is chosen, and make both checks. A paused DAG is unpaused for the run only."""
    choice = _named(airflow, dag_id) if dag_id else _chosen(airflow)
    if isinstance(choice, Check):
        return choice, skipped(TASK_LOG, "no DAG run")
    airflow.on_progress(f"running the DAG {choice.dag_id} ({choice.why})")
    run_id = f"verification__{secrets.token_hex(8)}"
    with _unpaused(airflow, airflow.api.dag(choice.dag_id)):
        airflow.api.trigger(choice.dag_id, run_id, _NOTE)
        state = wait_for(
            lambda: airflow.api.run_state(choice.dag_id, run_id),
            lambda seen: seen in _ENDED,
            seconds=airflow.timeout_seconds,
            interval=_INTERVAL_SECONDS,
            clock=airflow.clock,
        )
    tasks = sorted(airflow.api.task_instances(choice.dag_id, run_id), key=lambda task: (task.task_id, task.map_index))
    ran = [task for task in tasks if task.state == "success" and task.hostname and task.try_number]
    if state != "success":
        detail = _unsuccessful(choice, run_id, state, tasks, airflow)
        return failed(DAG_RUN, detail), skipped(TASK_LOG, "no finished run")
    if not ran:
        return failed(DAG_RUN, f"{choice.dag_id}: succeeded, but no task ran on a worker"), skipped(TASK_LOG, "no task")
    hosts = ", ".join(sorted({_host(airflow, task.hostname) for task in ran}))
    count = "1 task" if len(ran) == 1 else f"{len(ran)} tasks"
    run = passed(DAG_RUN, f"{choice.dag_id} ({choice.why}): {count} on {hosts}")
    return run, _log_check(airflow, choice.dag_id, run_id, ran[0])


def _named(airflow: RunningAirflow, dag_id: str) -> Choice | Check:
    def there() -> bool:
        try:
            airflow.api.dag(dag_id)
        except AirflowRequestFailed as error:
            if error.status != 404:
                raise
            return False
        return True

    exists = wait_for(there, bool, seconds=airflow.timeout_seconds, interval=_INTERVAL_SECONDS, clock=airflow.clock)
    return Choice(dag_id, "named") if exists else failed(DAG_RUN, f"Airflow has no DAG {dag_id}")


def _chosen(airflow: RunningAirflow) -> Choice | Check:
    """Choose a DAG. Waits until DAGs are parsed, which takes a while after the first start."""
    careful = airflow.deployment.isolation == "required"
    seconds = airflow.timeout_seconds
    dags = wait_for(airflow.api.dags, bool, seconds=seconds, interval=_INTERVAL_SECONDS, clock=airflow.clock)
    if not dags:
        return failed(DAG_RUN, f"no DAG was parsed within {seconds:.0f} s")
    choice = choose(dags, airflow.api.details, careful=careful)
    if choice is None:
        reason = "is known to be harmless here" if careful else "can be run without input or further effects"
        return warning(DAG_RUN, f"none of {len(dags)} DAGs {reason}: name one, or give one the tag {TAG}")
    return choice


@contextmanager
def _unpaused(airflow: RunningAirflow, dag: Dag) -> Iterator[None]:
    """Unpause a paused DAG until the end of the block, whatever happens.

    Raises where it cannot be paused again, unless the block raises too.
    """
    if not dag.paused:
        yield
        return
    try:
        airflow.api.set_paused(dag.dag_id, paused=False)
        yield
    except BaseException:
        try:
            airflow.api.set_paused(dag.dag_id, paused=True)
        except AutomationError:
            airflow.on_progress(f"the DAG {dag.dag_id} was paused, and could not be paused again")
        raise
    airflow.api.set_paused(dag.dag_id, paused=True)


def _unsuccessful(choice: Choice, run_id: str, state: str, tasks: list[TaskInstance], airflow: RunningAirflow) -> str:
    if state == "failed":
        names = ", ".join(task.task_id for task in tasks if task.state in ("failed", "upstream_failed"))
        return f"{choice.dag_id}: run {run_id} failed in {names or 'no task'}"
    states = ", ".join(f"{task.task_id} {task.state or 'not scheduled'}" for task in tasks)
    waited = f"{airflow.timeout_seconds:.0f} s"
    return f"{choice.dag_id}: run {run_id} is still {state} after {waited} ({states or 'no tasks'})"


def _host(airflow: RunningAirflow, hostname: str) -> str:
    """Return the name of the worker's pod where Airflow knows it by its address."""
    return next((pod.name for pod in airflow.pods("worker") if pod.ip and pod.ip == hostname), hostname)


def _log_check(airflow: RunningAirflow, dag_id: str, run_id: str, task: TaskInstance) -> Check:
    try:
        log = wait_for(
            lambda: airflow.api.log(dag_id, run_id, task),
            lambda seen: readable(seen.lines),
            seconds=_LOG_SECONDS,
            interval=_INTERVAL_SECONDS,
            clock=airflow.clock,
        )
    except AutomationError as error:
        return failed(TASK_LOG, f"{task.task_id}: {error.what}")  # the run has succeeded all the same
    if readable(log.lines):
        return passed(TASK_LOG, f"{len(log.lines)} lines of {task.task_id}")
    said = [line.strip() for line in (*log.sources, *log.lines) if line.strip()]
    return failed(TASK_LOG, f"{task.task_id}: {said[-1].splitlines()[0][:_DETAIL_LENGTH] if said else 'it is empty'}")
