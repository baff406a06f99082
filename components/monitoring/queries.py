"""Expressions that alerts and panels share, or that need an explanation. Pure. See `expressions.py` for `$at`."""

from __future__ import annotations

from typing import Final

WAITS_FOR_POOL: Final = (
    "airflow_pool_starving_tasks{$at} > 0"
    " or airflow_pool_scheduled_slots{$at} * (airflow_pool_open_slots{$at} <= bool 0)"
)
"""Tasks that wait for a pool. The scheduler of Airflow 3.2.2 does not look at pools that are full, so it counts as
starving only tasks that need more slots than a pool has left (`_executable_task_instances_to_queued`)."""
FETCHES: Final = 'sum by (namespace, pod) (git_sync_count_total{$at,status=~"success|noop"}'
COMMITS: Final = 'count by (namespace) (count_values by (namespace) ("commit", {0})) or $zero'
"""How many different commits pods have, by what selects the pods."""
COMMIT: Final = "airflow_git_sync_commit{$at}"
SETTLED: Final = f"{COMMIT} and {COMMIT} offset $window and changes({COMMIT}[$window]) == 0"
"""The commits of pods that have had theirs for the whole window: a pod that is new, or has just fetched, is ahead."""


def grown(metric: str) -> str:
    """Return by how much a counter grew. `increase` misses the first event, with which a counter begins.

    A counter that was not there counts as 0 only if statsd was scraped then: a Prometheus that has just started knows
    no earlier value.
    """
    total = f"sum by (namespace) ({metric}{{$at}}"
    return f"({total}) or $zero) - ({total} offset $window) or $zero_then)"


def keda_errors() -> str:
    """Return by how much the errors of each ScaledObject grew in five minutes."""
    return _of_keda("keda_scaled_object_errors_total", "increase({0}[5m])")


def _of_keda(metric: str, function: str = "{0}") -> str:
    """Return a metric of KEDA's operator about this stack. Its own label `namespace` may be that of the operator.

    Prometheus then has KEDA's in `exported_namespace` (`honor_labels`).
    """
    ours, theirs = (function.format(f"{metric}{{{label}}}") for label in ("$at", 'exported_namespace="$ns"'))
    return f'max by (namespace, scaledObject) ({ours} or label_replace({theirs}, "namespace", "$ns", "", ""))'


def _because(reason: str, vector: str) -> str:
    return f'label_replace({vector}, "why", "{reason}", "", "")'


def _by_workload(kind: str, vector: str) -> str:
    """Return a vector of kube-state-metrics with the label `workload` in place of its own."""
    return f'label_replace(max by (namespace, {kind}) ({vector}), "workload", "$$1", "{kind}", "(.+)")'


def _missing(kind: str, wanted: str, ready: str) -> str:
    return _by_workload(kind, f"kube_{kind}_{wanted}{{$at}} - kube_{kind}_{ready}{{$at}}")


SCALING_FAILS: Final = (
    "max by (namespace, scaledObject, why) ("
    + _because("errors", f"({keda_errors()}) > bool 10")
    + " or "
    + _because("paused", _of_keda("keda_scaled_object_paused"))
    + ") or $zero"
)
"""ScaledObjects that KEDA does not follow, and why. It asks every ten seconds: an error now and then, as while
PgBouncer rolls, is none to look at."""
PODS_MISSING: Final = (
    "max by (namespace, workload) ("
    f"{_missing('deployment', 'spec_replicas', 'status_replicas_available')}"
    f" or {_missing('statefulset', 'replicas', 'status_replicas_ready')}) or $zero"
)
ROLLS_STUCK: Final = (
    "max by (namespace, workload) ("
    + _by_workload("deployment", 'kube_deployment_status_condition{$at,condition="Progressing",status="false"}')
    + ") or $zero"
)
"""Deployments whose new pods are late (`progressDeadlineSeconds`)."""
