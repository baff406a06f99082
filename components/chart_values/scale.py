"""How many pods of each component run, and how far KEDA may move the number of workers. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Pods of each component. Each number is at least 1."""

    api_server: int = 1
    """Pods of the API server."""
    scheduler: int = 1
    """Pods of the scheduler."""
    dag_processor: int = 1
    """Pods of the DAG processor."""
    triggerer: int = 1
    """Pods of the triggerer."""
    worker: int = 1
    """Celery workers. With autoscaling the smallest number."""
    worker_concurrency: int = 16
    """Tasks that one Celery worker runs at a time."""


@dataclass(frozen=True, kw_only=True)
class WorkerAutoscaling:
    """Bounds and pace of the autoscaling of Celery workers. The smallest number is `Scale.worker`."""

    max_workers: int
    """The largest number of workers."""
    stabilization_seconds: int = 300
    """Workers go only after there were too many for this many seconds, 0 to 3600."""
    keda_namespace: str = "keda"
    """Namespace of KEDA's operator. KEDA's own documentation installs it in `keda`."""
