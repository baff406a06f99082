"""Finds mounts that hide what Airflow's image has, and volumes that nothing mounts. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
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
_VOLUME: Final = re.compile(r"((?:(?P<part>.+)\.extraV|v)olumes)\[\d+\]\.name")
_MOUNTED: Final = re.compile(r"(?:.+\.)?(?:volumeMounts|extraVolumeMounts|volumeDevices)\[\d+\]\.name")
_OF_EVERY_POD: Final = ("volumeMounts[", "dags.gitSync.")
_CELERY: Final = "workers.celery"


def mounted_names(values: Any) -> frozenset[str]:
    """Return the names of the volumes that are mounted anywhere in values."""
    return frozenset(str(name) for path, name in leaves(values) if _MOUNTED.fullmatch(path))


def volume_problems(helm_values: Mapping[str, Any], mounted: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each volume that no container mounts: Kubernetes does not even look for it.

    mounted: Names of the volumes that something else than the values mounts.
    """
    listed = list(leaves(helm_values))
    mounts = [(path, str(name)) for path, name in listed if _MOUNTED.fullmatch(path)]
    template = str(helm_values.get("podTemplate") or "")
    for path, value in listed:
        found, name = _VOLUME.fullmatch(path), str(value)
        if found is None or name in mounted or name in template or "{{" in name:
            continue
        # What `workers.celery` has, its sets have too.
        part = _CELERY if (found["part"] or "").startswith(_CELERY) else found["part"]
        roots = ("",) if part is None else (*_OF_EVERY_POD, f"{part}.")
        if not any(other == name and place.startswith(roots) for place, other in mounts):
            where = f"{found['part']}.extraVolumeMounts" if found["part"] else "volumeMounts"
            problem = f"{found[1]}: nothing mounts the volume {name}; add it to {where}, or leave it out"
            yield path.removesuffix(".name"), problem


def mount_problems(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each mount that hides what the image has."""
    for path, value in leaves(helm_values):
        hiding = isinstance(value, str) and (value.rstrip("/") or "/") in _HIDING
        if hiding and _MOUNT_PATH.fullmatch(path) and not _OF_OTHER_IMAGES.match(path):
            yield path, f"{path}: a volume at {value} hides what Airflow's image has there; use another folder"
