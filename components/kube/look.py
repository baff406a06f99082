"""One look at the workloads of a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from components.kube.client import KubeApi
from components.kube.rest import KubeRequestFailed
from components.kube.scheduled_jobs import failed_schedules
from components.kube.unready_pods import Unready
from components.kube.workload_states import Namespace, WorkloadState, kube_event, loose_pods, workload_states

_LOG_LINES: Final = 12
"""The database tells of a statement that failed in several lines."""
_NODE_COMES: Final = frozenset({"TriggeredScaleUp", "Nominated", "NominatedPod"})
"""Reasons of the events by which the cluster autoscaler and Karpenter say that they make room for a pod."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """The objects that one look at the namespace has seen."""

    workloads: tuple[WorkloadState, ...] = ()
    """All workloads, Jobs and volumes of the namespace, by kind and name."""
    schedules: tuple[WorkloadState, ...] = ()
    """The CronJobs whose newest ended Job failed, by name."""
    loose: tuple[Unready, ...] = ()
    """Why pods are not ready that belong to nothing, such as those that run a single task."""
    ending: tuple[str, ...] = ()
    """Names of the pods that are being deleted."""
    signs: frozenset[str] = frozenset()
    """What stands for every pod and every event that was seen (see `Unready.sign`)."""
    node_comes: bool = False
    """Whether the cluster says that it makes room for a pod."""


def look(api: KubeApi, namespace: str, clean: Callable[[str], str] = str) -> Look:
    """Look at a namespace. Raises KubeRequestFailed, KubeUnreachable.

    Args:
        api: The cluster.
        namespace: The namespace; it may be missing.
        clean: Masks secrets in what logs and messages say.
    """
    pods = [_cleaned(pod, clean) for pod in api.items("v1", "Pod", namespace)]
    events = [kube_event(_cleaned(item, clean)) for item in api.items("v1", "Event", namespace)]
    found = Namespace(
        pods=pods,
        deployments=[_cleaned(item, clean) for item in api.items("apps/v1", "Deployment", namespace)],
        stateful_sets=api.items("apps/v1", "StatefulSet", namespace),
        jobs=api.items("batch/v1", "Job", namespace),
        claims=api.items("v1", "PersistentVolumeClaim", namespace),
        events=events,
    )

    def log(unready: Unready) -> str:
        try:
            return clean(api.log(namespace, unready.pod, unready.container, lines=_LOG_LINES))
        except KubeRequestFailed:
            return ""  # there is none yet, or this user may not read it

    living = {str(pod["metadata"].get("uid")) for pod in pods if not pod["metadata"].get("deletionTimestamp")}
    return Look(
        workloads=workload_states(found, log),
        schedules=failed_schedules(found, log),
        loose=loose_pods(found),
        ending=tuple(sorted(pod["metadata"]["name"] for pod in pods if pod["metadata"].get("deletionTimestamp"))),
        signs=frozenset(str(pod["metadata"].get("uid")) for pod in pods) | {event.sign for event in events},
        node_comes=any(event.reason in _NODE_COMES and event.uid in living for event in events)
        or any((pod.get("status") or {}).get("nominatedNodeName") for pod in pods),
    )


def _cleaned(item: Mapping[str, Any], clean: Callable[[str], str]) -> dict[str, Any]:
    """Return an object with its messages masked, before any of them is shortened."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                key: clean(inner) if key == "message" and isinstance(inner, str) else cleaned(inner)
                for key, inner in value.items()
            }
        return [cleaned(inner) for inner in value] if isinstance(value, list) else value

    return {**item, **cleaned({key: item[key] for key in ("status", "message") if key in item})}
