"""What keeps a component serving while nodes are drained, lost or short, and while it rolls. Pure values of the chart.

Owns disruption budgets, the spread over zones and nodes, and rolling updates. What a budget does not cover: a node that
dies, and the tasks of a worker that takes longer than its grace period to end them.
"""

from __future__ import annotations

from typing import Any, Final

SEVERAL: Final = 2
"""Pods from which there is anything to spread, or to keep while one of them goes."""

ROLL: Final[dict[str, Any]] = {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
"""No pod goes before its successor is ready: a broken image takes nothing away. The chart's own lets half of the
workers, DAG processors and triggerers go at once."""

API_SERVER_HOOKS: Final[dict[str, Any]] = {"preStop": {"exec": {"command": ["sleep", "10"]}}}
"""Proxies and load balancers hear some seconds late that a pod is going; until then it answers."""

PGBOUNCER_HOOKS: Final[dict[str, Any]] = {
    "preStop": {"exec": {"command": ["/bin/sh", "-c", "sleep 5 && killall -INT pgbouncer && sleep 20"]}}
}
"""The same for the pooler, which then lets transactions end. The chart's hook refuses new connections at once, and
waits longer than the 30 seconds that Kubernetes gives the pod."""

WORKERS_AT_ONCE: Final = "25%"
"""Workers that may go at once; Kubernetes rounds it up to whole ones. One at a time, each ending its tasks, would hold
up the drain of a large fleet for hours."""


def disruption_budget(pods: int, at_once: int | str = 1) -> dict[str, Any]:
    """`podDisruptionBudget` of a component with so many pods; none for a single pod, which could never be drained.

    Only ever `maxUnavailable`, at least one: with pods to spare a drain always gets on. The chart's default has it too,
    and merged with a `minAvailable` it would give the Kubernetes API both, which it refuses.
    """
    if pods < SEVERAL:
        return {}
    # A pod that is not ready serves nobody, and must not keep a node from being drained.
    config = {"maxUnavailable": at_once, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    return {"podDisruptionBudget": {"enabled": True, "config": config}}


def spread(pods: int, labels: dict[str, str], revision_label: str = "pod-template-hash") -> dict[str, Any]:
    """`topologySpreadConstraints` of a component with so many pods, whose labels are `labels`.

    revision_label: tells the pods of one roll from those of the one before, so that the new ones are even among
    themselves; `controller-revision-hash` of a StatefulSet.
    Wished, not demanded (ScheduleAnyway): when a zone is lost or a node is full, a pod in the wrong place is better
    than one that waits. Nodes that do not take the pod (tainted, cordoned) do not count.
    """
    if pods < SEVERAL:
        return {}
    return {
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "nodeTaintsPolicy": "Honor",
                "labelSelector": {"matchLabels": labels},
                "matchLabelKeys": [revision_label],
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]
    }
