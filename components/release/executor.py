"""Which executors a deployment runs: what the rest of the program asks of the chart's `executor` value."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class Executor(StrEnum):
    """Values of the chart's `executor`. With two, the first is the default and a task may name the other."""

    CELERY = "CeleryExecutor"
    KUBERNETES = "KubernetesExecutor"
    CELERY_AND_KUBERNETES = "CeleryExecutor,KubernetesExecutor"
    KUBERNETES_AND_CELERY = "KubernetesExecutor,CeleryExecutor"

    @property
    def celery(self) -> bool:
        """Standing workers, a broker and a result backend exist."""
        return "CeleryExecutor" in self.value

    @property
    def kubernetes(self) -> bool:
        """The scheduler starts a pod for each task."""
        return "KubernetesExecutor" in self.value
