"""What every check works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import Kube, Pod
from automation.cluster.deployment import Deployment
from automation.wait import Clock

COMPONENT: Final = "component"
AIRFLOW: Final = {"tier": "airflow"}
"""Labels of the chart's objects."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """timeout_seconds: of each wait. on_progress: hears what is being waited for, in one line."""

    deployment: Deployment
    kube: Kube
    api: AirflowApi
    timeout_seconds: float
    clock: Clock = field(default_factory=Clock)
    on_progress: Callable[[str], None] = lambda line: None

    def pods(self, component: str) -> tuple[Pod, ...]:
        """Of one component, by name."""
        return tuple(sorted(self.kube.pods({**AIRFLOW, COMPONENT: component}), key=lambda pod: pod.name))

    def ready_pod(self, component: str) -> Pod | None:
        """The first ready one."""
        return next((pod for pod in self.pods(component) if pod.ready), None)

    def standing_workers(self) -> tuple[Pod, ...]:
        """Ready Celery workers; pods of single tasks, which KubernetesExecutor starts, are not among them."""
        return tuple(pod for pod in self.pods("worker") if pod.ready and "worker" in pod.containers)
