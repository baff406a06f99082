"""Chart values that keep a component serving while it rolls, and while nodes are drained or lost. Pure.

They are disruption budgets, the spread over zones and nodes, and rolling updates. A budget does not cover a node that
dies, nor the tasks of a worker that takes longer than its grace period to finish them.
"""

from __future__ import annotations

from typing import Any, Final

SEVERAL: Final = 2
"""Least number of pods for which a spread or a disruption budget makes sense."""

ROLL: Final[dict[str, Any]] = {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
"""No pod stops before its successor is ready, so a broken image takes nothing away. The chart's default stops half of
the workers, DAG processors and triggerers at once."""

API_SERVER_HOOKS: Final[dict[str, Any]] = {"preStop": {"exec": {"command": ["sleep", "10"]}}}
"""Proxies and load balancers learn some seconds late that a pod is stopping; until then it must answer."""

PGBOUNCER_HOOKS: Final[dict[str, Any]] = {
    "preStop": {"exec": {"command": ["/bin/sh", "-c", "sleep 5 && killall -INT pgbouncer && sleep 20"]}}
}
"""The same for the pooler, which then lets transactions finish. The chart's hook refuses new connections at once, and
waits longer than the 30 seconds that Kubernetes gives the pod."""

WORKERS_AT_ONCE: Final = "25%"
"""Share of the workers that may stop at once, rounded up by Kubernetes. One at a time, each finishing its tasks, would
delay the drain of a large fleet for hours."""


def component_labels(release_name: str, component: str) -> dict[str, str]:
    """Return the chart's labels of the pods of a component."""
    return {"tier": "airflow", "component": component, "release": release_name}


def disruption_budget(pods: int, at_once: int | str = 1) -> dict[str, Any]:
    """Return the `podDisruptionBudget` of a component with `pods` pods; none for one pod, which could never be drained.

    It always uses `maxUnavailable`, at least one, so that a drain makes progress. The chart's default uses it too:
    together with a `minAvailable` it would give the Kubernetes API both, which it refuses.
    """
    if pods < SEVERAL:
        return {}
    # A pod that is not ready must not keep a node from being drained.
    config = {"maxUnavailable": at_once, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    return {"podDisruptionBudget": {"enabled": True, "config": config}}


def spread(pods: int, labels: dict[str, str], revision_label: str = "pod-template-hash") -> dict[str, Any]:
    """Return the `topologySpreadConstraints` of a component with `pods` pods, which have these labels.

    The spread is preferred, not required (ScheduleAnyway): when a zone is lost or a node is full, a pod in the wrong
    place is better than one that waits. Nodes that do not accept the pod (tainted, cordoned) do not count.

    `revision_label` separates the pods of one roll from those of the previous one, so that the new ones are spread
    evenly; for a StatefulSet it is `controller-revision-hash`.
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
