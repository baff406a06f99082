"""Which pods are replaced, and whether none serves for a moment. Read from manifests as Kubernetes does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from automation.change_report.model import Roll
from automation.helm_template import object_key
from components.chart_values.worker_group import GROUP_LABEL

_KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet")
_GRACE_SECONDS: Final = 30  # Kubernetes's default
_DEFAULT_ROLL: Final = "25%"  # of a Deployment: kubernetes.io/docs/reference/kubernetes-api, DeploymentSpec


def rolls_between(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> tuple[Roll, ...]:
    """Return the workloads in both whose pods differ, ordered by component."""
    olds, news = (
        {object_key(manifest): manifest for manifest in side if manifest.get("kind") in _KINDS}
        for side in (before, after)
    )
    changed = [key for key in olds.keys() & news.keys() if _pods(olds[key]) != _pods(news[key])]
    return tuple(sorted((_roll(news[key]) for key in changed), key=lambda roll: (roll.component, roll.kind)))


def _pods(workload: Mapping[str, Any]) -> Any:
    return (workload.get("spec") or {}).get("template")


def _roll(workload: Mapping[str, Any]) -> Roll:
    spec = workload.get("spec") or {}
    replicas = spec.get("replicas", 1)
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    component = str(labels.get("component") or (workload.get("metadata") or {}).get("name"))
    group = labels.get(GROUP_LABEL)
    grace = (template.get("spec") or {}).get("terminationGracePeriodSeconds")
    return Roll(
        component=f"{component}-{group}" if group else component,
        kind=str(workload["kind"]),
        replicas=replicas if isinstance(replicas, int) else 1,
        interrupts=_interrupts(workload, replicas if isinstance(replicas, int) else 1),
        grace_seconds=grace if isinstance(grace, int) else _GRACE_SECONDS,
    )


def _interrupts(workload: Mapping[str, Any], replicas: int) -> bool:
    """Return whether the last pod goes before another is ready."""
    if workload["kind"] != "Deployment":
        return replicas == 1  # a StatefulSet's pod goes before its successor comes, because both have one name
    strategy = (workload.get("spec") or {}).get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return True
    rolling = strategy.get("rollingUpdate") or {}
    surge = _pods_of(rolling.get("maxSurge", _DEFAULT_ROLL), replicas, math.ceil)
    away = _pods_of(rolling.get("maxUnavailable", _DEFAULT_ROLL), replicas, math.floor)
    if surge == 0 and away == 0:
        away = 1  # as Kubernetes does: else nothing would ever roll
    return 0 < replicas <= away


def _pods_of(given: Any, replicas: int, rounded: Any) -> int:
    if isinstance(given, str) and given.endswith("%"):
        return int(rounded(replicas * int(given[:-1]) / 100))
    return int(given)
