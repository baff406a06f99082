"""The dashboards as one table, and Grafana's JSON made of it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from components.monitoring.expressions import Watched
from components.monitoring.queries import COMMIT, COMMITS, WAITS_FOR_POOL, keda_errors

SIDECAR_LABEL: Final = {"grafana_dashboard": "1"}
"""Label by which the sidecar of Grafana's Helm chart finds ConfigMaps (`sidecar.dashboards.label`)."""
_SCHEMA_VERSION: Final = 39
"""Grafana 10.4 and later read it as it is (apps/dashboard in grafana/grafana)."""
_WIDTH, _HEIGHT = 12, 8
_GRAPH: Final = {
    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
    "tooltip": {"mode": "multi", "sort": "desc"},
}
_NEWEST: Final = {
    "reduceOptions": {"calcs": ["lastNotNull"]},
    "textMode": "value_and_name",
    "colorMode": "none",
    "graphMode": "none",
    "orientation": "auto",
    "justifyMode": "auto",
    "wideLayout": True,
    "showPercentChange": False,
    "percentChangeColorMode": "standard",
}
"""Options of Grafana's panels of the types `timeseries` and `stat`: all that its schema asks for."""


@dataclass(frozen=True)
class Panel:
    """One graph. Its expressions have a value in a healthy stack (see `expressions.py`)."""

    title: str
    expression: str
    legend: str = ""
    unit: str = "short"
    needs: str = ""
    """Part of the stack that it is about (see `Watched.parts`)."""
    newest: bool = False
    """Whether it shows the newest value of each series, and no graph: of what is no quantity."""


def _rate(counter: str, by: str = "", more: str = "") -> str:
    labels = f"namespace, {by}" if by else "namespace"
    return f"sum by ({labels}) (rate({counter}{{$at{more}}}[5m])) or $zero"


def _mean(timer: str, by: str = "") -> str:
    """Return the mean of a statsd timer over five minutes; nothing while nothing was timed."""
    labels = f"namespace, {by}" if by else "namespace"
    return (
        f"sum by ({labels}) (rate({timer}_sum{{$at}}[5m])) / (sum by ({labels}) (rate({timer}_count{{$at}}[5m])) > 0)"
        " or $zero"
    )


DASHBOARDS: Final[dict[str, tuple[Panel, ...]]] = {
    "Overview": (
        Panel("Scheduler's heartbeats per second", _rate("airflow_scheduler_heartbeat")),
        Panel("The database answers", "airflow_exporter_database_up{$at}"),
        Panel("Running DAG runs", "max by (namespace) (airflow_scheduler_dagruns_running{$at})"),
        Panel("Tasks that end, per second", _rate("airflow_ti_finish", "state"), "{{state}}"),
        Panel(
            "Oldest queued task",
            "max by (namespace, queue) (airflow_oldest_queued_task_seconds{$at}) or $zero",
            "{{queue}}",
            "s",
        ),
        Panel("DAG files with import errors", "max by (namespace) (airflow_dag_processing_import_errors{$at})"),
        Panel(
            "Since a scheduled verification succeeded",
            "time() - max by (namespace) (airflow_verification_succeeded_timestamp_seconds{$at})",
            unit="s",
            needs="verification",
        ),
    ),
    "DAGs and tasks": (
        Panel("Failed tasks per second", _rate("airflow_ti_failures", "dag_id"), "{{dag_id}}"),
        Panel("Successful tasks per second", _rate("airflow_ti_successes", "dag_id"), "{{dag_id}}"),
        Panel("Mean time of a task", _mean("airflow_task_duration", "dag_id, task_id"), "{{dag_id}}.{{task_id}}", "s"),
        Panel("Mean time of a successful run", _mean("airflow_dagrun_duration_success", "dag_id"), "{{dag_id}}", "s"),
        Panel("Mean delay of a run's start", _mean("airflow_dagrun_schedule_delay", "dag_id"), "{{dag_id}}", "s"),
        Panel("Tasks given up, per second", _rate("airflow_task_instances_without_heartbeats_killed")),
    ),
    "Scheduler and parsing": (
        Panel("Mean time of the scheduler's loop", _mean("airflow_scheduler_scheduler_loop_duration"), unit="s"),
        Panel("Mean time in the critical section", _mean("airflow_scheduler_critical_section_duration"), unit="s"),
        Panel("Tasks that could start", "max by (namespace) (airflow_scheduler_tasks_executable{$at})"),
        Panel("DAG processor's heartbeats per second", _rate("airflow_dag_processor_heartbeat")),
        Panel(
            "Mean time to parse a file",
            _mean("airflow_dag_processing_last_duration", "file_name"),
            "{{file_name}}",
            "s",
        ),
        Panel(
            "Since a file was parsed",
            "max by (namespace, dag_file) (airflow_dag_processing_last_run_seconds_ago{$at})",
            "{{dag_file}}",
            "s",
        ),
    ),
    "Workers and queues": (
        Panel("Free slots of the executor", "max by (namespace, name) (airflow_executor_open_slots{$at})", "{{name}}"),
        Panel(
            "Running tasks of the executor",
            "max by (namespace, name) (airflow_executor_running_tasks{$at})",
            "{{name}}",
        ),
        Panel("Queued tasks by queue", "sum by (namespace, queue) (airflow_ti_queued{$at}) or $zero", "{{queue}}"),
        Panel("Free slots of pools", "max by (namespace, pool_name) (airflow_pool_open_slots{$at})", "{{pool_name}}"),
        Panel(
            "Tasks that wait for a pool",
            f"max by (namespace, pool_name) ({WAITS_FOR_POOL})",
            "{{pool_name}}",
        ),
        Panel(
            "Free places of triggerers",
            "max by (namespace, hostname) (airflow_triggerer_capacity_left{$at})",
            "{{hostname}}",
        ),
        Panel("Errors of KEDA in five minutes", f"{keda_errors()} or $zero", "{{scaledObject}}", needs="keda"),
    ),
    "Database and pooler": (
        Panel("The database answers", "airflow_exporter_database_up{$at}"),
        Panel(
            "Clients that wait",
            'sum by (namespace) (pgbouncer_exporter_pools_waiting_clients{$at,database!="pgbouncer"})',
            needs="pgbouncer",
        ),
        Panel(
            "Clients at work",
            'sum by (namespace) (pgbouncer_exporter_pools_active_clients{$at,database!="pgbouncer"})',
            needs="pgbouncer",
        ),
        Panel(
            "Connections to the database",
            'sum by (namespace) (pgbouncer_exporter_database_current_connections{$at,name!="pgbouncer"})',
            needs="pgbouncer",
        ),
        Panel(
            "Queries per second",
            'sum by (namespace) (rate(pgbouncer_exporter_stats_total_query_count{$at,database!="pgbouncer"}[5m]))',
            needs="pgbouncer",
        ),
        Panel(
            "Until a certificate ends",
            "airflow_certificate_end_timestamp_seconds{$at} - time()",
            "{{certificate}}",
            "s",
            needs="certificates",
        ),
        Panel(
            "Age of the newest backup",
            "max by (namespace) (airflow_backup_age_seconds{$at})",
            unit="s",
            needs="backups",
        ),
    ),
    "DAG delivery": (
        Panel(
            "Commit of each pod (its first 12 digits)",
            f"max by (namespace, hostname) ({COMMIT})",
            "{{hostname}}",
            "hex",
            needs="git-sync",
            newest=True,
        ),
        Panel("Different commits", COMMITS.format(COMMIT), needs="git-sync"),
        Panel(
            "Commit of each bundle (its first 12 digits)",
            "max by (namespace, bundle) (airflow_dag_bundle_commit{$at})",
            "{{bundle}}",
            "hex",
            needs="git-bundle",
            newest=True,
        ),
        Panel(
            "Fetches per second", _rate("git_sync_count_total", "pod, status"), "{{pod}} {{status}}", needs="git-sync"
        ),
        Panel(
            "Failed fetches per second",
            _rate("git_sync_count_total", "pod", ',status="error"'),
            "{{pod}}",
            needs="git-sync",
        ),
        Panel(
            "Since the DAG processor fetched a bundle",
            "max by (namespace, bundle) (airflow_dag_bundle_refreshed_seconds{$at})",
            "{{bundle}}",
            "s",
        ),
        Panel("DAGs", "max by (namespace) (airflow_dagbag_size{$at})"),
    ),
}


def panels(watched: Watched) -> Iterator[tuple[str, Panel, str]]:
    """Yield dashboard, panel and the panel's expression for this stack."""
    for dashboard, found in DASHBOARDS.items():
        yield from ((dashboard, panel, watched.filled(panel.expression)) for panel in found if watched.has(panel.needs))


def dashboard_files(watched: Watched) -> dict[str, str]:
    """Return the JSON of each dashboard by the name of its file."""
    files: dict[str, list[dict[str, Any]]] = {}
    for dashboard, panel, expression in panels(watched):
        drawn = files.setdefault(dashboard, [])
        drawn.append(_panel(panel, expression, len(drawn)))
    return {
        f"airflow-{_slug(title)}.json": json.dumps(_dashboard(title, drawn, watched.namespace), sort_keys=True)
        for title, drawn in files.items()
    }


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def _dashboard(title: str, drawn: list[dict[str, Any]], namespace: str) -> dict[str, Any]:
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "title": f"Airflow / {title} ({namespace})",
        # At most 40 characters, and the same for the same stack.
        "uid": hashlib.sha256(f"{namespace}/{title}".encode()).hexdigest()[:32],
        "tags": ["airflow", namespace],
        "schemaVersion": _SCHEMA_VERSION,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [source]},
        "annotations": {"list": []},
        "panels": drawn,
    }


def _panel(panel: Panel, expression: str, place: int) -> dict[str, Any]:
    decimals = {"decimals": 0} if panel.newest else {}
    return {
        "id": place + 1,
        "type": "stat" if panel.newest else "timeseries",
        "options": _NEWEST if panel.newest else _GRAPH,
        "title": panel.title,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, **decimals}, "overrides": []},
        "gridPos": {"x": place % 2 * _WIDTH, "y": place // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "targets": [{"refId": "A", "expr": expression, "legendFormat": panel.legend or "__auto"}],
    }
