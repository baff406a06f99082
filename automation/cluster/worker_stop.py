"""Stops the Celery workers of a deployment before a destroy takes their broker, their policies and their Secrets away.

A worker that stops first ends its tasks. If its Redis is gone by then, it never ends, even without a task: it waits for
an answer of the broker until Kubernetes kills it, 600 s later by default. Helm deletes all objects of a
release at once, so the workers must have ended before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from automation.wait import Clock, wait_for
from components.chart_values.running import PAUSED
from components.kube.client import KubeApi
from components.kube.kubeconfig import KubeUnreachable
from components.kube.rest import KubeRequestFailed

_WORKER: Final = {"release": "airflow", "component": "worker"}
_APPS: Final = "apps/v1"
_KEDA: Final = "keda.sh/v1alpha1"
_INTERVAL_SECONDS: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class StoppedWorkers:
    """Worker workloads that were scaled to zero."""

    replicas: Mapping[tuple[str, str], int]
    """The replicas that each workload had, by its kind and name."""
    scaled_objects: tuple[str, ...] = ()
    """KEDA's ScaledObjects that were paused."""


def stop_workers(
    api: KubeApi, namespace: str, *, seconds: float, on_line: Callable[[str], object], clock: Clock
) -> StoppedWorkers:
    """Scale the workers to zero, and return when their pods are gone.

    Pods that are there after `seconds` are killed: with them ends a task that runs longer.
    Raises KubeRequestFailed, KubeUnreachable.

    Args:
        api: The cluster.
        namespace: The namespace of the release.
        seconds: How long tasks may take to end.
        on_line: Is told what is done.
        clock: Measures the wait.
    """
    workloads = {
        (kind, item["metadata"]["name"]): int(item["spec"].get("replicas") or 0)
        for kind in ("Deployment", "StatefulSet")
        for item in api.items(_APPS, kind, namespace, labels=_WORKER)
    }
    standing = {key: replicas for key, replicas in workloads.items() if replicas}
    if not standing:
        return StoppedWorkers(replicas={})
    on_line(f"stopping {_names(standing)}: their tasks end before their broker does")
    names = {name for _, name in standing}
    scaled = tuple(
        item["metadata"]["name"]
        for item in api.items(_KEDA, "ScaledObject", namespace)
        if ((item.get("spec") or {}).get("scaleTargetRef") or {}).get("name") in names
    )
    stopped = StoppedWorkers(replicas=standing, scaled_objects=scaled)
    try:
        for name in scaled:
            # Otherwise KEDA would start them again.
            api.merge(_KEDA, "ScaledObject", namespace, name, {"metadata": {"annotations": {PAUSED: "0"}}})
        for kind, name in standing:
            api.merge(_APPS, kind, namespace, name, {"spec": {"replicas": 0}})
        left = wait_for(
            lambda: _pods(api, namespace),
            lambda pods: not pods,
            seconds=seconds,
            interval=_INTERVAL_SECONDS,
            clock=clock,
        )
    except BaseException:
        with contextlib.suppress(KubeRequestFailed, KubeUnreachable):
            start_workers(api, namespace, stopped)
        raise
    if left:
        on_line(f"killing {', '.join(left)}: not ended after {seconds:.0f} s")
    for pod in left:
        api.delete("v1", "Pod", namespace, pod, grace_seconds=0)
    return stopped


def start_workers(api: KubeApi, namespace: str, stopped: StoppedWorkers) -> None:
    """Give stopped workers their replicas again, where they still exist. Raises KubeRequestFailed, KubeUnreachable."""
    for (kind, name), replicas in stopped.replicas.items():
        if api.get(_APPS, kind, namespace, name, metadata_only=True) is not None:
            api.merge(_APPS, kind, namespace, name, {"spec": {"replicas": replicas}})
    for name in stopped.scaled_objects:
        if api.get(_KEDA, "ScaledObject", namespace, name, metadata_only=True) is not None:
            api.merge(_KEDA, "ScaledObject", namespace, name, {"metadata": {"annotations": {PAUSED: None}}})


def resume_scaling(api: KubeApi, namespace: str) -> None:
    """Let KEDA scale again what is paused at no worker. Raises KubeRequestFailed, KubeUnreachable."""
    for item in api.items(_KEDA, "ScaledObject", namespace):
        if (item["metadata"].get("annotations") or {}).get(PAUSED) == "0":
            changed = {"metadata": {"annotations": {PAUSED: None}}}
            api.merge(_KEDA, "ScaledObject", namespace, item["metadata"]["name"], changed)


def _pods(api: KubeApi, namespace: str) -> list[str]:
    """Return the pods of the workers, and not those that a KubernetesExecutor started for single tasks."""
    pods: list[dict[str, Any]] = api.items("v1", "Pod", namespace, labels=_WORKER)
    return [pod["metadata"]["name"] for pod in pods if pod["metadata"].get("ownerReferences")]


def _names(workloads: Mapping[tuple[str, str], int]) -> str:
    return " and ".join(sorted(name for _, name in workloads))
