"""The executors of a deployment, and what the rest of the program needs to know about them."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class Executor(StrEnum):
    """Values of the chart's `executor`. With two executors, the first is the default and a task may name the other."""

    CELERY = "CeleryExecutor"
    KUBERNETES = "KubernetesExecutor"
    CELERY_AND_KUBERNETES = "CeleryExecutor,KubernetesExecutor"
    KUBERNETES_AND_CELERY = "KubernetesExecutor,CeleryExecutor"

    @property
    def celery(self) -> bool:
        """Whether there are standing workers, a broker and a result backend."""
        return "CeleryExecutor" in self.value

    @property
    def default_is_celery(self) -> bool:
        """Whether a task that names no executor goes to the standing workers."""
        return self.value.startswith("CeleryExecutor")

    @property
    def kubernetes(self) -> bool:
        """Whether the scheduler starts a pod for each task."""
        return "KubernetesExecutor" in self.value
