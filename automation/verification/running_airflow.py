"""The running Airflow that the checks look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.cluster.pods import Pod
from automation.wait import Clock

COMPONENT: Final = "component"
"""Label of the chart's objects: the component that they belong to."""
AIRFLOW: Final = {"tier": "airflow"}
"""Label of every object of the chart."""


@dataclass(frozen=True, kw_only=True)
class RunningAirflow:
    """The sources of a check: the deployment's facts, its cluster, and Airflow itself."""

    deployment: Deployment
    """What the stack's outputs say."""
    kube: KubeClient
    """The deployment's namespace."""
    api: AirflowApi
    """The deployment's API server."""
    timeout_seconds: float
    """Time limit of each wait."""
    clock: Clock = field(default_factory=Clock)
    """Measures the waits."""
    on_progress: Callable[[str], None] = lambda line: None
    """Is told in one line what is being checked or waited for."""

    def pods(self, component: str) -> tuple[Pod, ...]:
        """Return the pods of a component, by name."""
        return tuple(sorted(self.kube.pods({**AIRFLOW, COMPONENT: component}), key=lambda pod: pod.name))

    def ready_pod(self, component: str) -> Pod | None:
        """Return the first ready pod of a component."""
        return next((pod for pod in self.pods(component) if pod.ready), None)

    def standing_workers(self) -> tuple[Pod, ...]:
        """Return the ready Celery workers, without the pods that KubernetesExecutor starts for single tasks."""
        return tuple(pod for pod in self.pods("worker") if pod.ready and "worker" in pod.containers)
