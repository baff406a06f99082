"""How much of a node every container asks for and may use at most, by the size of a deployment. Pure.

Memory is limited, the CPU is not. A process over a CPU limit is stopped for the rest of each period, however idle its
node is, and so misses probes and heartbeats; the requests already share out the CPU when it is short. Without a limit
the chart cannot work out `[celery] sync_parallelism`, and 0 there means a process for every CPU of the node: the
program sets it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

from components.release.chart_defaults import merged


@unique
class SizePreset(StrEnum):
    """`none`: no requests and no limits, for a laptop.

    `small`: tens of DAGs. `medium`: hundreds. `large`: thousands, or tasks that compute in their own process.
    """

    NONE = "none"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True, kw_only=True)
class _Container:
    """cpu: millicores to ask for. memory, memory_limit: MiB to ask for, and at most.

    disk, disk_limit: MiB of the node's own disk (image layer, logs, emptyDir); no limit where it is None.
    """

    cpu: int
    memory: int
    memory_limit: int
    disk: int = 64
    disk_limit: int | None = 1024

    def resources(self) -> dict[str, Any]:
        requests = {"cpu": f"{self.cpu}m", "memory": f"{self.memory}Mi", "ephemeral-storage": f"{self.disk}Mi"}
        limits = {"memory": f"{self.memory_limit}Mi"}
        if self.disk_limit is not None:
            limits["ephemeral-storage"] = f"{self.disk_limit}Mi"
        return {"requests": requests, "limits": limits}


@dataclass(frozen=True, kw_only=True)
class _Size:
    """Containers by the chart's key; the Celery worker apart, whose size follows the number of its tasks.

    task_cpu, task_memory, task_memory_limit: of one task of a Celery worker, in millicores and MiB.
    """

    containers: Mapping[str, _Container]
    task_cpu: int
    task_memory: int
    task_memory_limit: int


_WORKER_MEMORY: Final = 512
_WORKER_MEMORY_LIMIT: Final = 1024
"""MiB of a Celery worker beside its tasks: Celery itself, and the server of its logs."""

_LOGS: Final = 10 * 1024
"""MiB. Where no volume keeps them, logs are on the node's disk until a sidecar grooms them; DAG files are there too."""


def _task(cpu: int, memory: int, memory_limit: int) -> _Container:
    """A container in a pod that runs tasks: what they write is not limited.

    The kubelet adds up the limits of a pod's containers and evicts the pod, with every task in it, when all that it
    wrote is more; a container without a limit adds nothing. So none in such a pod may have one, git-sync included,
    which is in other pods too (kubernetes: pkg/kubelet/eviction, podEphemeralStorageLimitEviction).
    """
    return _Container(cpu=cpu, memory=memory, memory_limit=memory_limit, disk=256, disk_limit=None)


def _airflow(cpu: int, memory: int, memory_limit: int) -> _Container:
    """The main container of a component that keeps logs: it writes them to the node's disk."""
    return _Container(cpu=cpu, memory=memory, memory_limit=memory_limit, disk=1024, disk_limit=_LOGS)


def _small_tool(cpu: int, memory: int, memory_limit: int) -> _Container:
    return _Container(cpu=cpu, memory=memory, memory_limit=memory_limit)


_GROOMER: Final = _small_tool(10, 64, 128)
_TASK_GROOMER: Final = _task(10, 64, 128)
_EXPORTER: Final = _small_tool(10, 64, 128)

# Measured of the official image 3.2.2, idle, in MiB: API server 340, scheduler 360 (its probe is a process of its own),
# DAG processor and triggerer 380, Celery worker 800 with 16 processes, all others 10 and less. A task that imports one
# operator is a process of 130. The rest is for DAGs, requests and whatever tasks import.
_SIZES: Final[Mapping[SizePreset, _Size]] = {
    SizePreset.SMALL: _Size(
        containers={
            "apiServer": _airflow(250, 1024, 2048),
            "scheduler": _airflow(500, 1024, 2048),
            "dagProcessor": _airflow(500, 1024, 2048),
            "triggerer": _airflow(250, 768, 1536),
            "workers.kubernetes": _task(250, 512, 1024),
            "redis": _small_tool(100, 128, 256),
            "statsd": _small_tool(50, 64, 128),
            "pgbouncer": _small_tool(100, 64, 128),
            "dags.gitSync": _task(50, 128, 512),
            "databaseCleanup": _small_tool(100, 512, 1024),
        },
        task_cpu=50,
        task_memory=160,
        task_memory_limit=320,
    ),
    SizePreset.MEDIUM: _Size(
        containers={
            "apiServer": _airflow(500, 1536, 3072),
            "scheduler": _airflow(1000, 2048, 4096),
            "dagProcessor": _airflow(1000, 2048, 4096),
            "triggerer": _airflow(500, 1024, 2048),
            "workers.kubernetes": _task(500, 1024, 2048),
            "redis": _small_tool(200, 256, 512),
            "statsd": _small_tool(100, 128, 256),
            "pgbouncer": _small_tool(250, 128, 256),
            "dags.gitSync": _task(100, 128, 512),
            "databaseCleanup": _small_tool(250, 512, 2048),
        },
        task_cpu=100,
        task_memory=224,
        task_memory_limit=512,
    ),
    SizePreset.LARGE: _Size(
        containers={
            "apiServer": _airflow(1000, 2048, 4096),
            "scheduler": _airflow(2000, 4096, 8192),
            "dagProcessor": _airflow(2000, 4096, 8192),
            "triggerer": _airflow(1000, 2048, 4096),
            "workers.kubernetes": _task(1000, 2048, 4096),
            "redis": _small_tool(500, 512, 1024),
            "statsd": _small_tool(200, 256, 512),
            "pgbouncer": _small_tool(500, 256, 512),
            "dags.gitSync": _task(100, 256, 1024),
            "databaseCleanup": _small_tool(500, 1024, 4096),
        },
        task_cpu=200,
        task_memory=320,
        task_memory_limit=1024,
    ),
}

_SIDECARS: Final[Mapping[str, _Container]] = {
    "scheduler.logGroomerSidecar": _GROOMER,
    "dagProcessor.logGroomerSidecar": _GROOMER,
    "triggerer.logGroomerSidecar": _GROOMER,
    "workers.celery.logGroomerSidecar": _TASK_GROOMER,
    "pgbouncer.metricsExporterSidecar": _EXPORTER,
}
"""The same in every size: none does more where Airflow does."""


def size_values(preset: SizePreset, worker_concurrency: int) -> dict[str, Any]:
    """The chart's `resources` of every container; none with `none`.

    worker_concurrency: tasks that one Celery worker runs at a time.
    """
    if preset is SizePreset.NONE:
        return {}
    size = _SIZES[preset]
    worker = _task(
        worker_concurrency * size.task_cpu,
        _WORKER_MEMORY + worker_concurrency * size.task_memory,
        _WORKER_MEMORY_LIMIT + worker_concurrency * size.task_memory_limit,
    )
    values: dict[str, Any] = {}
    for path, container in {**size.containers, **_SIDECARS, "workers.celery": worker}.items():
        part: dict[str, Any] = {"resources": container.resources()}
        for key in reversed(path.split(".")):
            part = {key: part}
        values = merged(values, part)
    return values


def sync_parallelism(preset: SizePreset) -> int | None:
    """Processes with which a scheduler asks Celery for the state of tasks: as many as it asks CPUs for.

    None with `none`: the chart's own value stays.
    """
    if preset is SizePreset.NONE:
        return None
    return math.ceil(_SIZES[preset].containers["scheduler"].cpu / 1000)
