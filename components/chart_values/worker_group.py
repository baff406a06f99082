"""A group of Celery workers beside the default workers: what it is, and its name in Kubernetes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from components.chart_values.scale import WorkerAutoscaling
from components.chart_values.value_paths import at

DEFAULT_QUEUE: Final = "default"
"""Queue of a task that names none (`[operators] default_queue`); the default workers serve it."""
GROUP_LABEL: Final = "worker-set"
"""The chart's label of the pods of a group; pods of the default workers do not have it."""


@dataclass(frozen=True, kw_only=True)
class WorkerGroup:
    """A group of Celery workers with queues of its own."""

    name: str
    """Name of the group, at most 30 of a-z, 0-9 and hyphens."""
    queues: tuple[str, ...]
    """Queues that it serves, at least one; no other workers serve them."""
    replicas: int = 1
    """Its workers, at least 1. With autoscaling the smallest number, which may be 0."""
    concurrency: int = 16
    """Tasks that one of its workers runs at a time."""
    autoscaling: WorkerAutoscaling | None = None
    """Bounds of the number of its workers if KEDA scales them, or None."""
    policy_arns: tuple[str, ...] | None = None
    """IAM policies of its tasks in place of those of all tasks, or None for those."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Other values of the chart's `workers.celery` for this group, such as `resources` and `nodeSelector`."""

    @property
    def most_workers(self) -> int:
        """The largest number of its workers."""
        return max(self.replicas, self.autoscaling.max_workers if self.autoscaling else 0)

    @property
    def account(self) -> str:
        """The part of the names of its workload and its service account after the release's."""
        return f"worker-{self.name}"


def default_queues(helm_values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the queues that the default workers serve: those of the user's `helmValues`, else Airflow's own."""
    given = str(at(helm_values, "workers.celery.queue") or DEFAULT_QUEUE)
    if given == DEFAULT_QUEUE:  # the chart then names none, and Airflow takes its option
        given = str(at(helm_values, "config.operators.default_queue") or DEFAULT_QUEUE)
    return split_queues(given)


def split_queues(given: Any) -> tuple[str, ...]:
    """Return the queues of a text that separates them by commas; Airflow's own without one."""
    return tuple(queue for part in str(given or DEFAULT_QUEUE).split(",") if (queue := part.strip()))
