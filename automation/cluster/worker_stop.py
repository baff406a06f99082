"""Stops the pods of a deployment before a destroy takes away what they use: their broker, policies and Secrets.

A worker that stops first ends its tasks. If its Redis is gone by then, it never ends, even without a task: it waits for
an answer of the broker until Kubernetes kills it, 600 s later by default. Helm deletes all objects of a
release at once, so the workers must have ended before.

The other pods end before too. Kubernetes deletes a namespace only without pods, and looks again only after half of the
longest time that one of its pods may take to end, however soon it ends: after 31 s with a triggerer
(kubernetes: pkg/controller/namespace/deletion/namespaced_resources_deleter.go, `estimateGracefulTermination`).
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

_RELEASE: Final = {"release": "airflow"}
_WORKER: Final = "worker"
_LATER: Final = (frozenset({"api-server", "redis", "statsd", "otel-collector"}), frozenset({"pgbouncer"}))
"""Components that end after all others, those that others use last. Running tasks need the API server and Redis."""
STOPPED: Final = "airflow-stack/stopped-replicas"
"""Annotation of what a destroy stopped: how many pods it had, so that an update after a killed destroy starts it."""
_OTHERS_SECONDS: Final = 15.0
"""How long pods without tasks may take: they save nothing that a destroy leaves."""
_APPS: Final = "apps/v1"
_KINDS: Final = ("Deployment", "StatefulSet")
_KEDA: Final = "keda.sh/v1alpha1"
_INTERVAL_SECONDS: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class StoppedPods:
    """Workloads that were scaled to zero."""

    replicas: Mapping[tuple[str, str], int]
    """The replicas that each workload had, by its kind and name."""
    scaled_objects: tuple[str, ...] = ()
    """KEDA's ScaledObjects that were paused."""


def stop_workers(
    api: KubeApi,
    namespace: str,
    *,
    seconds: float,
    on_line: Callable[[str], object],
    clock: Clock,
    whole: bool = False,
) -> StoppedPods:
    """Scale the workers to zero, and return when their pods are gone.

    Pods that are there after `seconds` are killed: with them ends a task that runs longer.
    Raises KubeRequestFailed, KubeUnreachable.

    Args:
        api: The cluster.
        namespace: The namespace of the release.
        seconds: How long tasks may take to end.
        on_line: Is told what is done.
        clock: Measures the wait.
        whole: Stop the whole release, each workload before those that it uses.
    """
    standing = {
        (kind, item["metadata"]["name"]): item
        for kind in _KINDS
        for item in api.items(_APPS, kind, namespace, labels=_RELEASE)
        if (whole or _component(item) == _WORKER) and item["spec"].get("replicas")
    }
    if not standing:
        return StoppedPods(replicas={})
    names = {name for _, name in standing}
    scaled = tuple(
        item["metadata"]["name"]
        for item in api.items(_KEDA, "ScaledObject", namespace)
        if ((item.get("spec") or {}).get("scaleTargetRef") or {}).get("name") in names
    )
    replicas = {key: int(item["spec"]["replicas"]) for key, item in standing.items()}
    stopped = StoppedPods(replicas=replicas, scaled_objects=scaled)
    try:
        for name in scaled:
            # Otherwise KEDA would start them again.
            annotations = {PAUSED: "0", **({STOPPED: ""} if whole else {})}
            api.merge(_KEDA, "ScaledObject", namespace, name, {"metadata": {"annotations": annotations}})
        for late in range(len(_LATER) + 1):
            part = {key: item for key, item in standing.items() if _lateness(item) == late}
            for kind, name in part:
                annotations = {STOPPED: str(replicas[kind, name])} if whole else {}
                changes = {"metadata": {"annotations": annotations}, "spec": {"replicas": 0}}
                api.merge(_APPS, kind, namespace, name, changes)
            components = {_component(item) for item in part.values()}
            for waited, limit in (({_WORKER} & components, seconds), (components - {_WORKER}, _OTHERS_SECONDS)):
                what = sorted(name for (_, name), item in part.items() if _component(item) in waited)
                if what:
                    _end(api, namespace, waited, what, limit, on_line, clock)
    except BaseException:
        with contextlib.suppress(KubeRequestFailed, KubeUnreachable):
            start_workers(api, namespace, stopped)
        raise
    return stopped


def start_workers(api: KubeApi, namespace: str, stopped: StoppedPods) -> None:
    """Give what was stopped its replicas again, where it still exists. Raises KubeRequestFailed, KubeUnreachable."""
    nothing = {"metadata": {"annotations": {STOPPED: None}}}
    for (kind, name), replicas in stopped.replicas.items():
        if api.get(_APPS, kind, namespace, name, metadata_only=True) is not None:
            api.merge(_APPS, kind, namespace, name, {**nothing, "spec": {"replicas": replicas}})
    for name in stopped.scaled_objects:
        if api.get(_KEDA, "ScaledObject", namespace, name, metadata_only=True) is not None:
            changes = {"metadata": {"annotations": {PAUSED: None, STOPPED: None}}}
            api.merge(_KEDA, "ScaledObject", namespace, name, changes)


def start_after_killed_destroy(api: KubeApi, namespace: str) -> None:
    """Start what a destroy stopped that was killed before it deleted it. Raises KubeRequestFailed, KubeUnreachable."""
    marked = {
        (kind, item["metadata"]["name"]): int(item["spec"].get("replicas") or _annotations(item)[STOPPED])
        for kind in _KINDS
        for item in api.items(_APPS, kind, namespace, labels=_RELEASE)
        if STOPPED in _annotations(item)
    }
    if marked:
        scaled = [item for item in api.items(_KEDA, "ScaledObject", namespace) if STOPPED in _annotations(item)]
        names = tuple(item["metadata"]["name"] for item in scaled)
        start_workers(api, namespace, StoppedPods(replicas=marked, scaled_objects=names))


def resume_scaling(api: KubeApi, namespace: str) -> None:
    """Let KEDA scale again what is paused at no worker. Raises KubeRequestFailed, KubeUnreachable."""
    for item in api.items(_KEDA, "ScaledObject", namespace):
        if _annotations(item).get(PAUSED) == "0":
            changed = {"metadata": {"annotations": {PAUSED: None}}}
            api.merge(_KEDA, "ScaledObject", namespace, item["metadata"]["name"], changed)


def _end(
    api: KubeApi,
    namespace: str,
    components: set[str],
    names: list[str],
    seconds: float,
    on_line: Callable[[str], object],
    clock: Clock,
) -> None:
    """Wait for the end of pods, and kill those that are there after so many seconds."""
    why = ": their tasks end before their broker does" if components == {_WORKER} else ""
    on_line(f"stopping {_listed(names)}{why}")
    left = wait_for(
        lambda: _pods(api, namespace, components),
        lambda pods: not pods,
        seconds=seconds,
        interval=_INTERVAL_SECONDS,
        clock=clock,
    )
    if left:
        on_line(f"killing {', '.join(left)}: not ended after {seconds:.0f} s")
    for pod in left:
        api.delete("v1", "Pod", namespace, pod, grace_seconds=0)


def _pods(api: KubeApi, namespace: str, components: set[str]) -> list[str]:
    """Return the pods of workloads that may run, and not those that a KubernetesExecutor started for single tasks."""
    pods: list[dict[str, Any]] = api.items("v1", "Pod", namespace, labels=_RELEASE)
    return [
        pod["metadata"]["name"]
        for pod in pods
        if _component(pod) in components
        and pod["metadata"].get("ownerReferences")
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]


def _component(item: Mapping[str, Any]) -> str:
    return str((item["metadata"].get("labels") or {}).get("component") or "")


def _lateness(item: Mapping[str, Any]) -> int:
    return next((late for late, components in enumerate(_LATER, 1) if _component(item) in components), 0)


def _annotations(item: Mapping[str, Any]) -> Mapping[str, str]:
    return item["metadata"].get("annotations") or {}


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
