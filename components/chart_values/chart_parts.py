"""Which parts of the Airflow chart run with given values, and what each part takes from them, as the templates say.

A part is named by the path of its values, such as `scheduler` or `workers.celery`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from components.chart_values.value_paths import at

CELERY_WORKERS: Final = "workers.celery"
_OTHERS: Final = ("statsd", "flower", "cleanup", "databaseCleanup", "createUserJob", "migrateDatabaseJob")


def part_value(
    values: Mapping[str, Any], part: str, key: str, get: Callable[[Mapping[str, Any], str], Any] = at
) -> Any:
    """Return a value of a part as the chart takes it: Celery's workers fall back to `workers`. `get` reads a path."""
    found = get(values, f"{part}.{key}")
    if found in (None, {}, []) and part.startswith("workers."):
        return get(values, f"workers.{key}")
    return found


def running_parts(values: Mapping[str, Any], get: Callable[[Mapping[str, Any], str], Any] = at) -> Iterator[str]:
    """Yield the parts that run with these values, without sidecars. `get` reads a path."""
    executor = get(values, "executor")
    executors = executor if isinstance(executor, str) else ""
    celery = "Celery" in executors
    for part, runs in {
        "apiServer": get(values, "apiServer.enabled"),
        "scheduler": get(values, "scheduler.enabled"),
        "dagProcessor": get(values, "dagProcessor.enabled") is not False,  # null is yes, from Airflow 3 on
        "triggerer": get(values, "triggerer.enabled"),
        CELERY_WORKERS: celery,
        "pgbouncer": get(values, "pgbouncer.enabled"),
        "workers.kubernetes": "Kubernetes" in executors,
        "redis": celery and get(values, "redis.enabled"),
        **{name: get(values, f"{name}.enabled") for name in _OTHERS},
    }.items():
        if runs:
            yield part
