"""Limits that no heartbeat can keep."""

from __future__ import annotations

from typing import Any

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.value_paths import nested
from components.user_values.user_values import problems


def found(*values: dict[str, Any]) -> list[str]:
    whole: dict[str, Any] = {}
    for each in values:
        whole = merged(whole, each)
    return problems(whole, chart_values(), chart_schema())


def option(name: str, value: Any) -> dict[str, Any]:
    return nested(f"config.{name}", value)


def test_limit_below_its_heartbeat_is_refused() -> None:
    for limit, interval, dead in (
        ("scheduler.scheduler_health_check_threshold", "scheduler.scheduler_heartbeat_sec", "a scheduler"),
        ("triggerer.triggerer_health_check_threshold", "triggerer.job_heartbeat_sec", "a triggerer"),
        ("dag_processor.health_check_threshold", "scheduler.job_heartbeat_sec", "a DAG processor"),
        ("scheduler.task_instance_heartbeat_timeout", "workers.min_heartbeat_interval", "a running task"),
    ):
        for value in (5, "3", 0):
            [told] = found(option(limit, value))
            assert told.startswith(
                f"config.{limit}: expected {limit} ({value}) above {interval} (5), found that {dead}"
            )
        assert found(option(limit, 6)) == []
        assert found(option(limit, 3), option(interval, 1)) == []
        [told] = found(option(interval, 300))
        assert told.startswith(f"config.{interval}: expected {limit} ("), told
        assert found(option(interval, 300), option(limit, 900)) == []


def test_variable_is_judged_as_its_option() -> None:
    name = "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD"
    [told] = found({"scheduler": {"env": [{"name": name, "value": "5"}]}})
    assert told.startswith(f"scheduler.env {name}: expected scheduler.scheduler_health_check_threshold (5) above")
    elsewhere = {"valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
    for entry in ({"value": "$(OTHER)"}, elsewhere):
        assert found({"scheduler": {"env": [{"name": name, **entry}]}}) == []
    assert found(option("scheduler.scheduler_health_check_threshold", "{{ .Values.x }}")) == []
