"""The part of Airflow's REST API v2 that verification needs (airflow 3.2.2: api_fastapi/core_api/openapi)."""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from automation.cluster.airflow_requests import AirflowRequests
from automation.errors import AirflowRequestFailed
from components.verification.in_image.dag_run import log_parts

_UNSCHEDULED: Final = (None, "None")
"""The `timetable_summary` of a DAG with `schedule=None`."""


@dataclass(frozen=True, kw_only=True)
class Dag:
    """A DAG as the API lists it."""

    dag_id: str
    """Its id."""
    paused: bool
    """Whether it is paused."""
    scheduled: bool
    """Whether time, assets or events start its runs."""
    manual: bool
    """Whether a run may be asked for."""
    import_errors: bool
    """Whether its file could not be parsed the last time."""
    fileloc: str
    """Path of its file."""
    bundle_name: str | None
    """The bundle that its file is from."""
    bundle_version: str | None
    """Commit of a Git bundle; None where the bundle has no versions."""
    tags: tuple[str, ...]
    """Names of its tags."""


@dataclass(frozen=True, kw_only=True)
class DagDetails:
    """More about a DAG, for the decision to run it."""

    catchup: bool
    """Whether unpausing it starts the runs that its schedule missed."""
    required_params: tuple[str, ...]
    """Names of the params that have no value and must not be null."""
    operators: tuple[str, ...]
    """Class name of the operator of each task."""


@dataclass(frozen=True, kw_only=True)
class TaskInstance:
    """A task of a run."""

    task_id: str
    """Id of the task."""
    map_index: int
    """Index of a mapped task; -1 for any other."""
    state: str | None
    """`success`, `failed`, `running`, …; None before it is scheduled."""
    hostname: str
    """Host of the worker that ran it; "" where none did."""
    try_number: int
    """Number of the last try; 0 before the first."""


@dataclass(frozen=True, kw_only=True)
class TaskLog:
    """The log of a task's try."""

    sources: tuple[str, ...]
    """Where it was read, or why it was not."""
    lines: tuple[str, ...]
    """What the task wrote."""


@dataclass(frozen=True, kw_only=True)
class ImportFailure:
    """A DAG file that could not be parsed."""

    filename: str
    """Path of the file."""
    reason: str
    """Last line of the traceback."""


class AirflowApi(AirflowRequests):
    """Requests to Airflow. Every method raises AirflowRequestFailed."""

    def health(self) -> dict[str, str | None]:
        """Return the status of each component: "healthy", "unhealthy", or None where it never ran. Needs no login."""
        answer = self._request("GET", "/api/v2/monitor/health", login=False)
        return {name: (part or {}).get("status") for name, part in answer.items()}

    def dags(self) -> tuple[Dag, ...]:
        """Return every DAG whose file still exists, by id."""
        return tuple(_dag(item) for item in self._pages("/api/v2/dags", "dags"))

    def dag(self, dag_id: str) -> Dag:
        """Return a DAG. Raises AirflowRequestFailed with status 404 where there is none."""
        return _dag(self._request("GET", f"/api/v2/dags/{quote(dag_id, safe='')}"))

    def details(self, dag_id: str) -> DagDetails:
        """Return what a decision to run the DAG needs to know."""
        path = f"/api/v2/dags/{quote(dag_id, safe='')}"
        details, tasks = self._request("GET", f"{path}/details"), self._request("GET", f"{path}/tasks")
        return DagDetails(
            catchup=bool(details.get("catchup")),
            required_params=tuple(
                sorted(name for name, param in (details.get("params") or {}).items() if _is_required(param))
            ),
            operators=tuple(str(task.get("operator_name")) for task in tasks["tasks"]),
        )

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self._request("PATCH", f"/api/v2/dags/{quote(dag_id, safe='')}", {"is_paused": paused})

    def trigger(self, dag_id: str, run_id: str, note: str) -> None:
        """Ask for a run with this id. Asking again with the same id starts no second one."""
        try:
            self._request(
                "POST",
                f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns",
                {"dag_run_id": run_id, "logical_date": None, "conf": {}, "note": note},
            )
        except AirflowRequestFailed as error:
            if error.status != http.client.CONFLICT:
                raise

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return "queued", "running", "success" or "failed"."""
        return str(self._request("GET", _run_path(dag_id, run_id))["state"])

    def task_instances(self, dag_id: str, run_id: str) -> tuple[TaskInstance, ...]:
        """Return the tasks of a run."""
        return tuple(
            TaskInstance(
                task_id=item["task_id"],
                map_index=int(item.get("map_index", -1)),
                state=item.get("state"),
                hostname=item.get("hostname") or "",
                try_number=int(item.get("try_number") or 0),
            )
            for item in self._pages(f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances")
        )

    def log(self, dag_id: str, run_id: str, task: TaskInstance) -> TaskLog:
        """Return the log of a task's last try."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task.task_id, safe='')}/logs/{task.try_number}"
        answer = self._request("GET", f"{path}?{urlencode({'full_content': 'true', 'map_index': task.map_index})}")
        return _log([item if isinstance(item, str) else str(item.get("event", "")) for item in answer["content"]])

    def import_failures(self) -> tuple[ImportFailure, ...]:
        """Return the DAG files that could not be parsed."""
        return tuple(
            ImportFailure(
                filename=str(item.get("filename")),
                reason=(str(item.get("stack_trace") or "").strip().splitlines() or [""])[-1],
            )
            for item in self._pages("/api/v2/importErrors", "import_errors")
        )

    def tasks_in(self, states: Sequence[str]) -> int:
        """Return how many tasks of all runs are in one of these states."""
        query = urlencode([*(("state", state) for state in states), ("limit", 1)])
        answer = self._request("GET", f"/api/v2/dags/~/dagRuns/~/taskInstances?{query}")
        return int(answer["total_entries"])


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"


def _dag(item: Mapping[str, Any]) -> Dag:
    run_types = item.get("allowed_run_types")
    return Dag(
        dag_id=item["dag_id"],
        paused=bool(item.get("is_paused")),
        scheduled=item.get("timetable_summary") not in _UNSCHEDULED,
        manual=run_types is None or "manual" in run_types,
        import_errors=bool(item.get("has_import_errors")),
        fileloc=str(item.get("fileloc") or ""),
        bundle_name=item.get("bundle_name"),
        bundle_version=item.get("bundle_version"),
        tags=tuple(str(tag.get("name")) for tag in item.get("tags") or ()),
    )


def _is_required(param: Any) -> bool:
    """Return whether a run must give the param a value.

    A param without a value is listed with the value null. Only a schema that names null says that null is allowed.
    """
    if not isinstance(param, Mapping) or param.get("value") is not None:
        return False
    kind = (param.get("schema") or {}).get("type") or ()
    return "null" not in ([kind] if isinstance(kind, str) else kind)


def _log(events: list[str]) -> TaskLog:
    sources, lines = log_parts(events)
    return TaskLog(sources=sources, lines=lines)
