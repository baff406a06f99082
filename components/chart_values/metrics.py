"""Chart values with which Airflow's and git-sync's metrics have labels and can be scraped. Pure.

Airflow sends to one statsd exporter, which adds up what all pods count. With tags (`statsd_influxdb_enabled`), a pool,
a queue or a DAG is a label and no part of a name (ADR 29).
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Any, Final


@unique
class Monitoring(StrEnum):
    """`annotations`: pods are annotated for scraping. `operator`: objects of the Prometheus operator are made.

    `off`: nothing beside what the chart has.
    """

    OFF = "off"
    ANNOTATIONS = "annotations"
    OPERATOR = "operator"


GIT_SYNC_PORT: Final = 1234
"""The chart's `dags.gitSync.httpPort`."""

COMMIT_SCRIPT: Final = """\
while :; do
  commit=$(readlink /git/repo) && commit=${commit##*/}
  if [[ $commit =~ ^[0-9a-f]{12} ]]; then
    echo "airflow.git_sync.commit,hostname=$HOSTNAME:$((16#${commit:0:12}))|g" >/dev/udp/airflow-statsd/9125
  fi
  sleep 30
done </dev/null >/dev/null 2>&1 &
"""
"""Tells statsd twice a minute which commit a pod has: a gauge whose value is the first 12 digits of the hash, which a
floating-point number holds exactly. It needs bash, which git-sync's image has. It always succeeds: git-sync would be
killed otherwise."""

_STALE: Final = "5m"
"""A gauge that is not sent for this long goes: its pool, its pod or its file is no more."""


def _mapping(match: str, name: str, **more: Any) -> dict[str, Any]:
    # The exporter looks for a match anywhere in a name.
    return {"match": rf"^airflow\.{match}$", "match_type": "regex", "name": name, **more}


def _dropped(match: str) -> dict[str, Any]:
    return _mapping(match, "dropped", action="drop")


MAPPINGS: Final[tuple[dict[str, Any], ...]] = (
    # Airflow 3.2.2 sends each of these under another name too, which has pool, host, DAG or task in it. Its option
    # `legacy_names_on` is read by nothing there.
    _dropped(r"(?:pool|ti|triggerer|triggers)\.\w+\..+"),
    _dropped(r"dag\..+\.(?:duration|queued_duration|scheduled_duration)"),
    _dropped(r"dagrun\.(?:duration\.(?:success|failed)|dependency-check|schedule_delay)\..+"),
    _dropped(r"dagrun\..+\.first_task_scheduling_delay"),
    _dropped(r"dag_processing\.last_duration\..+"),
    _dropped(r"(?:operator_successes|operator_failures|task_instance_created)_.+"),
    _dropped(r"(?:local_task_job\.task_exit|task_removed_from_dag|task_restored_to_dag)\..+"),
    # It goes up and down, which a counter cannot.
    _dropped(r"dag_processing\.processes"),
    _mapping(
        r"dag_processing\.last_run\.seconds_ago\.(.+)",
        "airflow_dag_processing_last_run_seconds_ago",
        labels={"dag_file": "$1"},
        ttl=_STALE,
    ),
    # Airflow sends seconds where statsd expects milliseconds (dag_processing/manager.py of 3.2.2).
    _mapping(r"dag_processing\.last_duration", "airflow_dag_processing_last_duration", scale=1000),
    _mapping(r"git_sync\.commit", "airflow_git_sync_commit", match_metric_type="gauge", ttl="2m"),
    # Sent only while a pool starves: without an end, it would starve for ever.
    _mapping(r"pool\.starving_tasks", "airflow_pool_starving_tasks", match_metric_type="gauge", ttl="1m"),
    # With several executors, Airflow sends the class of each in the name, and in a label as well.
    _mapping(r"executor\.(\w+)(?:\..+)?", "airflow_executor_${1}", match_metric_type="gauge", ttl=_STALE),
    _mapping(r"(pool|triggerer|triggers|ti)\.(\w+)", "airflow_${1}_${2}", match_metric_type="gauge", ttl=_STALE),
)
"""Mappings of the statsd exporter in place of the chart's, which take labels out of names (its mapping-config)."""


def scrape_annotations(port: int) -> dict[str, str]:
    """Return the annotations of a pod by which Prometheus's own scrape configuration finds it."""
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(port)}


def git_sync_variables(monitoring: Monitoring) -> list[dict[str, str]]:
    """Return the variables with which git-sync serves its metrics.

    The chart gives them to the init container too, which gets no address from the chart. git-sync 4.4.2 refuses to
    start with metrics and without an address (its main.go).
    """
    if monitoring is Monitoring.OFF:
        return []
    served = {"GITSYNC_HTTP_BIND": f":{GIT_SYNC_PORT}", "GITSYNC_HTTP_METRICS": "true"}
    return [{"name": name, "value": value} for name, value in served.items()]


def git_sync_hooks(monitoring: Monitoring) -> dict[str, Any]:
    """Return the hook of git-sync's container that starts the script. The init container has no hooks."""
    if monitoring is Monitoring.OFF:
        return {}
    return {"containerLifecycleHooks": {"postStart": {"exec": {"command": ["bash", "-c", COMMIT_SCRIPT]}}}}


def metrics_values(monitoring: Monitoring, *, git_sync: bool) -> dict[str, Any]:
    """Return the values; none while monitoring is off. git_sync: whether pods have it beside Airflow."""
    if monitoring is Monitoring.OFF:
        return {}
    values: dict[str, Any] = {
        "config": {"metrics": {"statsd_influxdb_enabled": "True", "legacy_names_on": "False"}},
        # The chart rolls the exporter when the mappings change, but only if it has an annotation.
        "statsd": {"overrideMappings": list(MAPPINGS), "podAnnotations": {"airflow/monitoring": monitoring.value}},
    }
    if monitoring is Monitoring.ANNOTATIONS and git_sync:
        # The chart annotates the Services of statsd and PgBouncer itself.
        annotated = {"podAnnotations": scrape_annotations(GIT_SYNC_PORT)}
        values |= {"dagProcessor": annotated, "triggerer": annotated, "workers": {"celery": annotated}}
    return values
