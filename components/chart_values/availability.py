"""Chart values that keep a component serving while it rolls, and while nodes are drained or lost. Pure.

They are disruption budgets, the spread over zones and nodes, and rolling updates. A budget does not cover a node that
dies, nor the tasks of a worker that takes longer than its grace period to finish them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from components.chart_values.chart_defaults import merged
from components.chart_values.release_inputs import ReleaseInputs
from components.chart_values.size_preset import SizePreset
from components.chart_values.value_paths import at, nested
from components.task_logs.store import TaskLogStore

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

_OLD_REVISIONS: Final = 3
"""Old ReplicaSets that are kept for inspection; Helm does not need them for a rollback."""

_SPREAD: Final = "topologySpreadConstraints"
_SPREAD_COMPONENTS: Final = ("apiServer", "scheduler", "dagProcessor", "triggerer", "pgbouncer", "workers.celery")
_HOOKS: Final = "containerLifecycleHooks"

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


def availability_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return disruption budgets and spread of every component that has several pods."""
    scale = inputs.scale
    values: dict[str, Any] = {}
    for key, component, pods in (
        ("apiServer", "api-server", scale.api_server),
        ("scheduler", "scheduler", scale.scheduler),
        ("dagProcessor", "dag-processor", scale.dag_processor),
        ("triggerer", "triggerer", scale.triggerer),
        ("pgbouncer", "pgbouncer", inputs.pgbouncer.replicas if inputs.pgbouncer else 0),
    ):
        values[key] = {**disruption_budget(pods), **spread(pods, component_labels(inputs.release_name, component))}
    workers = inputs.most_workers if inputs.executor.celery else 0
    stateful = inputs.task_logs.store is TaskLogStore.WORKER
    labels = component_labels(inputs.release_name, "worker")
    celery = spread(workers, labels, "controller-revision-hash" if stateful else "pod-template-hash")
    if not inputs.executor.kubernetes:
        # A budget would select task pods too, which have the same labels. They have no controller that says how many
        # there should be, so Kubernetes would never evict any of these pods.
        celery |= disruption_budget(workers, WORKERS_AT_ONCE)
    return merged(values, {"workers": {"celery": celery}})


def without_what_hides(values: Mapping[str, Any], helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the program's values without what would hide a value that a user gives for all pods.

    The chart takes a component's own value before the one at its root. The program's spread over other domains stays.
    """
    result = dict(values)
    given = helm_values.get(_SPREAD) or ()
    domains = {constraint.get("topologyKey") for constraint in given}
    for component in _SPREAD_COMPONENTS if given else ():
        own = at(result, f"{component}.{_SPREAD}")
        if own:
            kept = [constraint for constraint in own if constraint["topologyKey"] not in domains]
            result = merged(result, nested(f"{component}.{_SPREAD}", [*given, *kept]))
    hooks, own = helm_values.get(_HOOKS), at(result, f"apiServer.{_HOOKS}")
    if hooks and own:
        result["apiServer"] = {**result["apiServer"], _HOOKS: {**own, **hooks}}
    return result


def roll_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return how pods are replaced, if there is room for a second one beside the first."""
    if inputs.size is SizePreset.NONE:
        return {}
    return {
        "revisionHistoryLimit": _OLD_REVISIONS,
        "apiServer": {"strategy": ROLL, "containerLifecycleHooks": API_SERVER_HOOKS},
        "scheduler": {"strategy": ROLL},
        "dagProcessor": {"strategy": ROLL},
        "triggerer": {"strategy": ROLL},
        "workers": {"celery": {"strategy": ROLL}},
        "pgbouncer": {"containerLifecycleHooks": PGBOUNCER_HOOKS},
    }
