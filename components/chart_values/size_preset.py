"""Resource requests and limits of every container, by the size of a deployment. Pure.

Memory is limited, CPU is not. A process over a CPU limit is stopped for the rest of each period, even on an idle node,
and so misses probes and heartbeats; requests already divide scarce CPU. Without a CPU limit the chart cannot compute
`[celery] sync_parallelism`, and its 0 means a process for every CPU of the node, so the program sets it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

from components.chart_values.chart_defaults import merged
from components.chart_values.value_paths import nested


@unique
class SizePreset(StrEnum):
    """Size of a deployment."""

    NONE = "none"
    """No requests and no limits, for a laptop."""
    SMALL = "small"
    """Tens of DAGs."""
    MEDIUM = "medium"
    """Hundreds of DAGs."""
    LARGE = "large"
    """Thousands of DAGs, or tasks that compute in their own process."""


@dataclass(frozen=True, kw_only=True)
class _Container:
    """Resources of one container."""

    cpu: int
    """Requested CPU in millicores."""
    memory: int
    """Requested memory in MiB."""
    memory_limit: int
    """Most memory in MiB."""
    disk: int = 64
    """Requested MiB on the node's disk, for image layer, logs and emptyDir volumes."""
    disk_limit: int | None = 1024
    """Most MiB on the node's disk, or None for no limit."""

    def resources(self) -> dict[str, Any]:
        requests = {"cpu": f"{self.cpu}m", "memory": f"{self.memory}Mi", "ephemeral-storage": f"{self.disk}Mi"}
        limits = {"memory": f"{self.memory_limit}Mi"}
        if self.disk_limit is not None:
            limits["ephemeral-storage"] = f"{self.disk_limit}Mi"
        return {"requests": requests, "limits": limits}


_WORKER_MEMORY: Final = 512
_WORKER_MEMORY_LIMIT: Final = 1024
"""MiB of a Celery worker in addition to its tasks, for Celery itself and its log server."""

_LOGS: Final = 10 * 1024
"""MiB for logs on the node's disk, where a sidecar deletes old ones if no volume keeps them, and for DAG files."""


def _task(cpu: int, memory: int, memory_limit: int) -> _Container:
    """Return a container in a pod that runs tasks, without a disk limit.

    The kubelet adds up the disk limits of a pod's containers, and evicts the pod with all its tasks when the pod has
    written more; a container without a limit adds nothing. So no container of such a pod may have a limit, not even
    git-sync, which is in other pods too (kubernetes: pkg/kubelet/eviction, podEphemeralStorageLimitEviction).
    """
    return _Container(cpu=cpu, memory=memory, memory_limit=memory_limit, disk=256, disk_limit=None)


def _airflow(cpu: int, memory: int, memory_limit: int) -> _Container:
    """Return the main container of a component that writes its logs to the node's disk."""
    return _Container(cpu=cpu, memory=memory, memory_limit=memory_limit, disk=1024, disk_limit=_LOGS)


def _small_tool(cpu: int, memory: int, memory_limit: int) -> _Container:
    return _Container(cpu=cpu, memory=memory, memory_limit=memory_limit)


_GROOMER: Final = _small_tool(10, 64, 128)
_TASK_GROOMER: Final = _task(10, 64, 128)
_EXPORTER: Final = _small_tool(10, 64, 128)

_PRESETS: Final = (SizePreset.SMALL, SizePreset.MEDIUM, SizePreset.LARGE)
_Amounts = tuple[int, int, int]
"""CPU in millicores and memory in MiB that are requested, and the most memory in MiB."""

# Measured with the official image 3.2.2, idle, in MiB: API server 340, scheduler 360 (its probe is a separate process),
# DAG processor and triggerer 380, Celery worker 800 with 16 processes, all others at most 10. A task that imports one
# operator is a process of 130. The rest is for DAGs, requests and what tasks import.
_CONTAINERS: Final[Mapping[str, tuple[Callable[[int, int, int], _Container], tuple[_Amounts, _Amounts, _Amounts]]]] = {
    "apiServer": (_airflow, ((250, 1024, 2048), (500, 1536, 3072), (1000, 2048, 4096))),
    "scheduler": (_airflow, ((500, 1024, 2048), (1000, 2048, 4096), (2000, 4096, 8192))),
    "dagProcessor": (_airflow, ((500, 1024, 2048), (1000, 2048, 4096), (2000, 4096, 8192))),
    "triggerer": (_airflow, ((250, 768, 1536), (500, 1024, 2048), (1000, 2048, 4096))),
    "workers.kubernetes": (_task, ((250, 512, 1024), (500, 1024, 2048), (1000, 2048, 4096))),
    "redis": (_small_tool, ((100, 128, 256), (200, 256, 512), (500, 512, 1024))),
    "statsd": (_small_tool, ((50, 64, 128), (100, 128, 256), (200, 256, 512))),
    "pgbouncer": (_small_tool, ((100, 64, 128), (250, 128, 256), (500, 256, 512))),
    "dags.gitSync": (_task, ((50, 128, 512), (100, 128, 512), (100, 256, 1024))),
    "databaseCleanup": (_small_tool, ((100, 512, 1024), (250, 512, 2048), (500, 1024, 4096))),
}
"""Containers by the chart's key, except the Celery worker, with what each needs in the sizes of `_PRESETS`."""
_CELERY_TASK: Final[tuple[_Amounts, _Amounts, _Amounts]] = ((50, 160, 320), (100, 224, 512), (200, 320, 1024))
"""The resources that one task of a Celery worker needs."""

_SIDECARS: Final[dict[str, _Container]] = {
    "scheduler.logGroomerSidecar": _GROOMER,
    "dagProcessor.logGroomerSidecar": _GROOMER,
    "triggerer.logGroomerSidecar": _GROOMER,
    "workers.celery.logGroomerSidecar": _TASK_GROOMER,
    "pgbouncer.metricsExporterSidecar": _EXPORTER,
}
"""Sidecars, which need the same in every size."""


def size_values(preset: SizePreset, worker_concurrency: int) -> dict[str, Any]:
    """Return the chart's `resources` of every container, or nothing for size `none`.

    `worker_concurrency` is the number of tasks that one Celery worker runs at a time.
    """
    if preset is SizePreset.NONE:
        return {}
    size = _PRESETS.index(preset)
    containers = {path: make(*amounts[size]) for path, (make, amounts) in _CONTAINERS.items()} | _SIDECARS
    resources = {path: container.resources() for path, container in containers.items()}
    resources["workers.celery"] = worker_resources(preset, worker_concurrency)
    values: dict[str, Any] = {}
    for path, found in resources.items():
        values = merged(values, nested(path, {"resources": found}))
    return values


def worker_resources(preset: SizePreset, worker_concurrency: int) -> dict[str, Any]:
    """Return the resources of a Celery worker that runs so many tasks at a time, or nothing for size `none`."""
    if preset is SizePreset.NONE:
        return {}
    cpu, memory, memory_limit = _CELERY_TASK[_PRESETS.index(preset)]
    return _task(
        worker_concurrency * cpu,
        _WORKER_MEMORY + worker_concurrency * memory,
        _WORKER_MEMORY_LIMIT + worker_concurrency * memory_limit,
    ).resources()


def sync_parallelism(preset: SizePreset) -> int | None:
    """Return the number of processes with which a scheduler asks Celery for task states: one for each requested CPU.

    None for size `none`, which keeps the chart's value.
    """
    if preset is SizePreset.NONE:
        return None
    _, amounts = _CONTAINERS["scheduler"]
    cpu, _, _ = amounts[_PRESETS.index(preset)]
    return math.ceil(cpu / 1000)
