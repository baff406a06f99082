"""Finds mounts that hide what Airflow's image has: no pod with them starts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.value_paths import leaves

_MOUNT_PATH: Final = re.compile(r"(?:.+\.)?(?:volumeMounts|extraVolumeMounts)\[\d+\]\.mountPath")
_HIDING: Final = (
    *("/", "/bin", "/etc", "/home", "/home/airflow", "/home/airflow/.local", "/home/airflow/.local/bin"),
    *("/home/airflow/.local/lib", "/lib", "/lib64", "/sbin", "/usr", "/usr/bin", "/usr/lib", "/usr/local"),
    *("/usr/local/bin", "/usr/local/lib", "/usr/sbin"),
)
"""Folders without which the image cannot start."""
_OF_OTHER_IMAGES: Final = re.compile(r"(dags\.gitSync|pgbouncer|redis|statsd|otelCollector)\.|.*[cC]ontainers\[")


def mount_problems(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each such mount."""
    for path, value in leaves(helm_values):
        hiding = isinstance(value, str) and (value.rstrip("/") or "/") in _HIDING
        if hiding and _MOUNT_PATH.fullmatch(path) and not _OF_OTHER_IMAGES.match(path):
            yield path, f"{path}: a volume at {value} hides what Airflow's image has there; use another folder"
