"""Finds limits below which a heartbeat cannot stay: what is well would count as dead, again and again. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from components.chart_values.given_options import given_options
from components.user_values.airflow_options import variable_of


@dataclass(frozen=True)
class _Heartbeat:
    limit: str
    """Option with the seconds after which a missing heartbeat means the end."""
    limit_default: float
    interval: str
    """Option with the seconds between two heartbeats."""
    dead: str
    """What Airflow would take for dead."""


_INTERVAL_DEFAULT: Final = 5.0
_HEARTBEATS: Final = (
    _Heartbeat("scheduler.scheduler_health_check_threshold", 30, "scheduler.scheduler_heartbeat_sec", "a scheduler"),
    _Heartbeat("triggerer.triggerer_health_check_threshold", 30, "triggerer.job_heartbeat_sec", "a triggerer"),
    _Heartbeat("dag_processor.health_check_threshold", 30, "scheduler.job_heartbeat_sec", "a DAG processor"),
    _Heartbeat("scheduler.task_instance_heartbeat_timeout", 300, "workers.min_heartbeat_interval", "a running task"),
)
"""From Airflow 3.2.2: jobs/job.py, sdk/execution_time/supervisor.py, config_templates/config.yml."""


def heartbeat_problems(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each limit that is not above its interval."""
    for beat in _HEARTBEATS:
        limits = _given(helm_values, beat.limit)
        intervals = _given(helm_values, beat.interval)
        for limit_path, limit in limits or [("", beat.limit_default)]:
            for interval_path, interval in intervals or [("", _INTERVAL_DEFAULT)]:
                path = limit_path or interval_path
                if path and limit <= interval:
                    yield (
                        path,
                        f"{path}: expected {beat.limit} ({limit:g}) above {beat.interval} ({interval:g}), found that "
                        f"{beat.dead} would count as dead between two heartbeats; change one of the two",
                    )


def _given(helm_values: Mapping[str, Any], option: str) -> list[tuple[str, float]]:
    found = []
    for path, value in given_options(helm_values, f"config.{option}"):
        with suppress(TypeError, ValueError):  # of another kind, or a template: other modules judge it
            found.append((path if path.startswith("config.") else f"{path} {variable_of(option)}", float(value)))
    return found
