"""A DAG run reaches success on a worker, and its log can be read."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from automation.cluster.airflow_api import Dag, TaskInstance, TaskLog
from automation.errors import AirflowRequestFailed, AutomationError
from automation.verification.dag_choice import TAG, Choice, choose
from automation.verification.result import Check, failed, passed, skipped, warning
from automation.verification.scene import Scene
from automation.wait import wait_for

DAG_RUN: Final = "DAG run on a worker"
TASK_LOG: Final = "task log readable"
_ENDED: Final = ("success", "failed")
_NOTE: Final = "Started by the verification of a deployment."
_INTERVAL_SECONDS: Final = 2.0
_LOG_SECONDS: Final = 30.0  # a log that is uploaded when its task ends may come a little later
_NOT_A_LOG: Final = re.compile(
    r"(\*+ *)?(Could not read|Log file not found|Failed to fetch|!!!!|.*\b403\b.*forbidden)", re.I
)
_DETAIL_LENGTH: Final = 160


def dag_run(scene: Scene, dag_id: str | None) -> tuple[Check, Check]:
    """Runs the DAG, or one that is chosen; two checks. A DAG that is paused is unpaused for the run only."""
    choice = _named(scene, dag_id) if dag_id else _chosen(scene)
    if isinstance(choice, Check):
        return choice, skipped(TASK_LOG, "no DAG run")
    scene.on_progress(f"running the DAG {choice.dag_id} ({choice.why})")
    run_id = f"verification__{secrets.token_hex(8)}"
    with _unpaused(scene, scene.api.dag(choice.dag_id)):
        scene.api.trigger(choice.dag_id, run_id, _NOTE)
        state = wait_for(
            lambda: scene.api.run_state(choice.dag_id, run_id),
            lambda seen: seen in _ENDED,
            seconds=scene.timeout_seconds,
            interval=_INTERVAL_SECONDS,
            clock=scene.clock,
        )
    tasks = sorted(scene.api.task_instances(choice.dag_id, run_id), key=lambda task: (task.task_id, task.map_index))
    ran = [task for task in tasks if task.state == "success" and task.hostname and task.try_number]
    if state != "success":
        return failed(DAG_RUN, _unsuccessful(choice, run_id, state, tasks, scene)), skipped(TASK_LOG, "no finished run")
    if not ran:
        return failed(DAG_RUN, f"{choice.dag_id}: succeeded, but no task ran on a worker"), skipped(TASK_LOG, "no task")
    hosts = ", ".join(sorted({_host(scene, task.hostname) for task in ran}))
    count = "1 task" if len(ran) == 1 else f"{len(ran)} tasks"
    run = passed(DAG_RUN, f"{choice.dag_id} ({choice.why}): {count} on {hosts}")
    return run, _log_check(scene, choice.dag_id, run_id, ran[0])


def readable(log: TaskLog) -> bool:
    """It holds a line that a task wrote, not only one about why there is none."""
    return any(line.strip() and not _NOT_A_LOG.match(line.strip()) for line in log.lines)


def _named(scene: Scene, dag_id: str) -> Choice | Check:
    def there() -> bool:
        try:
            scene.api.dag(dag_id)
        except AirflowRequestFailed as error:
            if error.status != 404:
                raise
            return False
        return True

    found = wait_for(there, bool, seconds=scene.timeout_seconds, interval=_INTERVAL_SECONDS, clock=scene.clock)
    return Choice(dag_id, "named") if found else failed(DAG_RUN, f"Airflow has no DAG {dag_id}")


def _chosen(scene: Scene) -> Choice | Check:
    """Waits until DAGs have been parsed: after a first start that takes a while."""
    careful = scene.deployment.isolation == "required"
    dags = wait_for(scene.api.dags, bool, seconds=scene.timeout_seconds, interval=_INTERVAL_SECONDS, clock=scene.clock)
    if not dags:
        return failed(DAG_RUN, f"no DAG was parsed within {scene.timeout_seconds:.0f} s")
    choice = choose(dags, scene.api.details, careful=careful)
    if choice is None:
        reason = "is known to be harmless here" if careful else "can be run without input or further effects"
        return warning(DAG_RUN, f"none of {len(dags)} DAGs {reason}: name one, or give one the tag {TAG}")
    return choice


@contextmanager
def _unpaused(scene: Scene, dag: Dag) -> Iterator[None]:
    """Lets a paused DAG run, and pauses it again whatever happens. Raises where that fails, unless more has failed."""
    if not dag.paused:
        yield
        return
    try:
        scene.api.set_paused(dag.dag_id, paused=False)
        yield
    except BaseException:
        try:
            scene.api.set_paused(dag.dag_id, paused=True)
        except AutomationError:
            scene.on_progress(f"the DAG {dag.dag_id} was paused, and could not be paused again")
        raise
    scene.api.set_paused(dag.dag_id, paused=True)


def _unsuccessful(choice: Choice, run_id: str, state: str, tasks: list[TaskInstance], scene: Scene) -> str:
    if state == "failed":
        names = ", ".join(task.task_id for task in tasks if task.state in ("failed", "upstream_failed"))
        return f"{choice.dag_id}: run {run_id} failed in {names or 'no task'}"
    states = ", ".join(f"{task.task_id} {task.state or 'not scheduled'}" for task in tasks)
    waited = f"{scene.timeout_seconds:.0f} s"
    return f"{choice.dag_id}: run {run_id} is still {state} after {waited} ({states or 'no tasks'})"


def _host(scene: Scene, hostname: str) -> str:
    """Name of the worker's pod, where Airflow knows it by its address."""
    return next((pod.name for pod in scene.pods("worker") if pod.ip and pod.ip == hostname), hostname)


def _log_check(scene: Scene, dag_id: str, run_id: str, task: TaskInstance) -> Check:
    log = wait_for(
        lambda: scene.api.log(dag_id, run_id, task),
        readable,
        seconds=_LOG_SECONDS,
        interval=_INTERVAL_SECONDS,
        clock=scene.clock,
    )
    if readable(log):
        return passed(TASK_LOG, f"{len(log.lines)} lines of {task.task_id}")
    said = [line.strip() for line in (*log.sources, *log.lines) if line.strip()]
    return failed(TASK_LOG, f"{task.task_id}: {said[-1].splitlines()[0][:_DETAIL_LENGTH] if said else 'it is empty'}")
