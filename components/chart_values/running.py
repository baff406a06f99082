"""How much of a deployment runs: all of it, the API server alone, or nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Any, Final

from components.chart_values.chart_defaults import merged
from components.chart_values.value_paths import at, nested
from components.chart_values.worker_sets import SETS

PAUSED: Final = "autoscaling.keda.sh/paused-replicas"
"""Annotation of a ScaledObject by which KEDA keeps a number of pods whatever it counts
(keda.sh/docs/latest/concepts/scaling-deployments, "Pausing autoscaling")."""
BEGINNING: Final = "airflow:running is"
"""How a sentence about a deployment that does not run whole begins."""


@unique
class Running(StrEnum):
    """Values of `airflow:running`. Data, keys, volumes and Services stay in each of them."""

    ALL = "all"
    """Everything runs."""
    FROZEN = "frozen"
    """The API server runs, with PgBouncer, Redis and StatsD. Nothing is scheduled, and no worker runs a task."""
    STOPPED = "stopped"
    """No pod runs, not even that of a container database."""

    def told(self, stack: str) -> str:
        """Return what runs, and what brings the rest back; "" if everything runs."""
        if self is Running.ALL:
            return ""
        what = "the API server alone runs" if self is Running.FROZEN else "nothing runs"
        back = f"pulumi config set --stack {stack} airflow:running all, and an update, bring everything back"
        return f"{BEGINNING} {self}: {what}; {back}"


_NONE_OF: Final = ("scheduler", "dagProcessor", "triggerer", "workers.celery")
_NEVER: Final = ("databaseCleanup.enabled", "cleanup.enabled", "flower.enabled")
"""Switches of what runs by a schedule of its own, or gives orders to workers."""
_SERVERS: Final = (
    # PgBouncer's template takes 0 for 1, and the others have no number of pods: they are left out, and Redis's volume
    # stays, because a StatefulSet does not delete its claims.
    "pgbouncer.enabled",
    "redis.enabled",
    "statsd.enabled",
    "otelCollector.metricsEnabled",
    "otelCollector.tracesEnabled",
    "apiServer.hpa.enabled",
)


def with_running(values: Mapping[str, Any], running: Running) -> dict[str, Any]:
    """Return the values of a release with only what should run. values: with the user's on top."""
    result = dict(values)
    if running is Running.ALL:
        return result
    for component in (*_NONE_OF, *(["apiServer"] if running is Running.STOPPED else [])):
        result = merged(result, nested(f"{component}.replicas", 0))
    for path in (*_NEVER, *(_SERVERS if running is Running.STOPPED else ())):
        result = merged(result, nested(path, False))
    sets = at(result, SETS)
    if sets:
        result = merged(result, nested(SETS, [{**element, "replicas": 0} for element in sets]))
    return result
