"""Stops the workloads that write to the database by themselves, and starts them again.

An annotation of a stopped workload says how many pods it had, so that another process can start it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from automation.wait import Clock, wait_for
from components.kube.client import KubeApi

WRITERS: Final = ("scheduler", "dag-processor", "triggerer")
"""Values of the label `component`. The API server is not among them: running tasks need it."""
PAUSED: Final = "airflow-stack/paused-replicas"
_APPS: Final = "apps/v1"
_INTERVAL_SECONDS: Final = 1.0


def pause(api: KubeApi, namespace: str, *, seconds: float, clock: Clock, on_line: Callable[[str], object]) -> list[str]:
    """Scale the writers to zero. Return the pods that are still there after so many seconds.

    Raises KubeRequestFailed, KubeUnreachable.
    """
    for kind, item in _workloads(api, namespace):
        replicas = int(item["spec"].get("replicas") or 0)
        if replicas:
            annotations = {PAUSED: str(replicas)}
            changes = {"metadata": {"annotations": annotations}, "spec": {"replicas": 0}}
            api.merge(_APPS, kind, namespace, item["metadata"]["name"], changes)
            on_line(f"stopping {item['metadata']['name']}")
    return wait_for(
        lambda: _pods(api, namespace), lambda left: not left, seconds=seconds, interval=_INTERVAL_SECONDS, clock=clock
    )


def resume(api: KubeApi, namespace: str) -> None:
    """Start what was stopped and nothing has started since. Raises KubeRequestFailed, KubeUnreachable."""
    for kind, item in _workloads(api, namespace):
        metadata = item["metadata"]
        paused = (metadata.get("annotations") or {}).get(PAUSED)
        if paused is None:
            continue
        changes: dict[str, Any] = {"metadata": {"annotations": {PAUSED: None}}}
        if not item["spec"].get("replicas"):
            changes["spec"] = {"replicas": int(paused)}
        api.merge(_APPS, kind, namespace, metadata["name"], changes)


def _workloads(api: KubeApi, namespace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for component in WRITERS:
        for kind in ("Deployment", "StatefulSet"):
            for item in api.items(_APPS, kind, namespace, labels={"tier": "airflow", "component": component}):
                yield kind, item


def _pods(api: KubeApi, namespace: str) -> list[str]:
    return [
        pod["metadata"]["name"]
        for component in WRITERS
        for pod in api.items("v1", "Pod", namespace, labels={"tier": "airflow", "component": component})
        if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]
