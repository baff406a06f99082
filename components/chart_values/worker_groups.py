"""Chart values of the worker groups: each is an element of `workers.celery.sets`. Pure.

The chart reads an element as `workers.celery` once more: a list of the element replaces the inherited one. So each
element gets the variables and volumes of the default workers, with the group's own behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from components.aws.pod_identity import PodRole
from components.chart_values.availability import WORKERS_AT_ONCE, disruption_budget, spread
from components.chart_values.chart_defaults import merged
from components.chart_values.size_preset import SizePreset, worker_resources
from components.chart_values.value_paths import at, nested, without_nulls
from components.chart_values.worker_group import GROUP_LABEL, WorkerGroup
from components.chart_values.worker_sets import SETS
from components.kube.env import variable

CONCURRENCY_VARIABLE: Final = "AIRFLOW__CELERY__WORKER_CONCURRENCY"
AUTOSCALE_VARIABLE: Final = "AIRFLOW__CELERY__WORKER_AUTOSCALE"
"""Sets another number, which wins over the first (providers/celery, celery_command.py)."""

_BUDGET: Final = "workers.celery.podDisruptionBudget"
_INHERITED: Final = {"env": "name", "extraVolumes": "name", "extraVolumeMounts": "mountPath"}
"""Lists of `workers.celery` that a group adds to, each with the field that tells its entries apart."""


def group_sets(
    groups: Iterable[WorkerGroup],
    *,
    labels: Mapping[str, str],
    size: SizePreset,
    concurrency: int,
    stateful: bool,
    roles: Mapping[str, PodRole],
) -> list[dict[str, Any]]:
    """Return an element of `workers.celery.sets` for each group, without what it inherits.

    Args:
        groups: The groups.
        labels: Labels of every worker.
        size: Size of the deployment.
        concurrency: Tasks that one of the default workers runs at a time.
        stateful: Whether workers are StatefulSets.
        roles: IAM roles of pods, by the part of their service account's name after the release's.
    """
    revision = "controller-revision-hash" if stateful else "pod-template-hash"
    found = []
    for group in groups:
        own = _set(group, labels, size, concurrency, revision)
        if group.account in roles:
            own = merged(own, {"serviceAccount": {"annotations": roles[group.account].annotations}})
        found.append(own)
    return found


def _set(
    group: WorkerGroup, labels: Mapping[str, str], size: SizePreset, concurrency: int, revision: str
) -> dict[str, Any]:
    most = group.most_workers
    # Said for one worker too: the budget of the default workers would be inherited.
    budget = disruption_budget(most, WORKERS_AT_ONCE) or {"podDisruptionBudget": {"enabled": False}}
    resources = {} if group.concurrency == concurrency else worker_resources(size, group.concurrency)
    own: dict[str, Any] = {
        "name": group.name,
        "queue": ",".join(group.queues),
        "replicas": group.replicas,
        **budget,
        **spread(most, {**labels, GROUP_LABEL: group.name}, revision),
        **({"resources": resources} if resources else {}),
        # A variable wins over airflow.cfg, which holds the number of the default workers.
        "env": [variable(CONCURRENCY_VARIABLE, str(group.concurrency))],
    }
    values = dict(group.values)
    if at(values, "podDisruptionBudget.config"):
        own["podDisruptionBudget"].pop("config", None)  # Kubernetes takes one limit
    return merged(own, {**values, "env": [*own["env"], *(values.get("env") or ())]})


def with_inherited(values: Mapping[str, Any]) -> list[Any]:
    """Return the elements with what each takes over from the default workers. values: with the user's on top."""
    celery = at(values, "workers.celery")
    result = []
    for element in celery["sets"]:
        lists = {key: _joined(celery.get(key), element.get(key), field) for key, field in _INHERITED.items()}
        # The chart takes the annotations of one place only.
        annotations = {
            **(at(celery, "serviceAccount.annotations") or {}),
            **(at(element, "serviceAccount.annotations") or {}),
        }
        account = merged(element.get("serviceAccount") or {}, {"annotations": annotations} if annotations else {})
        result.append({**element, **lists, **({"serviceAccount": account} if account else {})})
    return result


def _joined(inherited: list[Any] | None, own: list[Any] | None, field: str) -> list[Any]:
    """Return both lists; an entry of the second takes the place of one with the same name in the first."""
    names = {entry.get(field) for entry in own or ()}
    return [*(entry for entry in inherited or () if entry.get(field) not in names), *(own or ())]


def default_budget(
    values: Mapping[str, Any], helm_values: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return the spec of the disruption budget of the default workers beside groups or sets, or None without one.

    The chart's budget would select the pods of all of them too, and Kubernetes evicts no pod that has two budgets.

    Args:
        values: The program's values.
        helm_values: The user's values.
        labels: Labels of every worker.
    """
    if (not at(values, SETS) and not at(helm_values, SETS)) or at(helm_values, "workers.celery.enableDefault") is False:
        return None
    budget = merged(at(values, _BUDGET) or {}, at(helm_values, _BUDGET) or {})
    if not budget.get("enabled"):
        return None
    config = without_nulls(budget.get("config") or {}) or {"maxUnavailable": WORKERS_AT_ONCE}
    if "minAvailable" in config:
        config.pop("maxUnavailable", None)  # Kubernetes takes one limit
    selector = {"matchLabels": dict(labels), "matchExpressions": [{"key": GROUP_LABEL, "operator": "DoesNotExist"}]}
    return {"selector": selector, **config}


def without_default_budget(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the chart's budget of the default workers switched off."""
    return merged(values, nested(f"{_BUDGET}.enabled", False))
