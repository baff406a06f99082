"""What keeps pods serving: resources, probes, disruption budgets, spread. A laptop's stack need not have them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from components.kube.any_form import entries
from policy.chart import airflow_values
from policy.context import Context
from policy.model import UNKNOWN, Finding, JudgedResource, RenderedObject, get, has_unknown
from policy.rule import Rule, WhenUnknown
from policy.running import RunningWorkloads, running_as_objects, running_with_values

_WANTED: Final = ("requests.cpu", "requests.memory", "limits.memory")
"""The CPU is not limited on purpose: see components/chart_values/size_preset.py."""
_ZONE: Final = "topology.kubernetes.io/zone"
_LIMIT: Final = re.compile(r"([0-9]{1,9})(%?)")
_NOT_KNOWN: Final = "not known in this preview"


def _sized(running: RunningWorkloads) -> Iterator[Finding]:
    for place, resources in running.resources:
        found = {wanted: get(resources, wanted) for wanted in _WANTED}
        missing = [wanted for wanted, value in found.items() if value in (None, "")]
        if missing:
            yield place.finding(f"no {', no '.join(missing)}")
        elif UNKNOWN in found.values():
            yield place.finding(_NOT_KNOWN, unknown=True)


def _probed(running: RunningWorkloads) -> Iterator[Finding]:
    for place, probed in running.probes:
        if probed is UNKNOWN:
            yield place.finding(f"probes {_NOT_KNOWN}", unknown=True)
        elif not probed:
            yield place.finding("neither a liveness nor a readiness probe")


def _budgeted(running: RunningWorkloads) -> Iterator[Finding]:
    for part in running.replicated:
        if part.has_budget is UNKNOWN:
            yield part.place.finding(f"its PodDisruptionBudget is {_NOT_KNOWN}", unknown=True)
        elif not part.has_budget:
            yield part.place.finding(f"{part.pods} pods and no PodDisruptionBudget")
        for place, limits in part.budgets:
            if _blocks(limits, part.pods):
                yield place.finding(f"lets none of the {part.pods} pods go: no node could be drained")


def _blocks(budget: Any, pods: int) -> bool:
    """Tell whether the limits let no pod go, so that no node with one on it could be drained."""
    least, most = _limit(get(budget, "minAvailable"), pods), _limit(get(budget, "maxUnavailable"), pods)
    return most == 0 or (least is not None and least >= pods)


def _limit(limit: Any, pods: int) -> float | None:
    """Return a limit as a number of pods; None where it is not known.

    Kubernetes rounds a percentage of either up (kubernetes.io/docs/tasks/run-application/configure-pdb, "Rounding
    logic when specifying percentages"; getExpectedPodCount in pkg/controller/disruption/disruption.go).
    """
    if isinstance(limit, int | float):
        return limit
    match = _LIMIT.fullmatch(limit) if isinstance(limit, str) else None
    if match is None:
        return None
    return math.ceil(int(match[1]) * pods / 100) if match[2] else int(match[1])


def _spread(running: RunningWorkloads) -> Iterator[Finding]:
    for part in running.replicated:
        if _ZONE in [constraint.get("topologyKey") for constraint in entries(part.spread)]:
            continue
        if has_unknown(part.spread):
            yield part.place.finding(f"spread of {part.pods} pods {_NOT_KNOWN}", unknown=True)
        else:
            yield part.place.finding(f"{part.pods} pods are not spread over zones ({_ZONE})")


def _rule(
    id_: str, description: str, remedy: str, source: str, judge: Callable[[RunningWorkloads], Iterator[Finding]]
) -> Rule:
    def in_release(resource: JudgedResource, context: Context) -> Iterator[Finding]:
        values = None if context.disposable else airflow_values(resource)
        if values is not None:
            yield from judge(running_with_values(values))

    def in_objects(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
        if not context.disposable:
            yield from judge(running_as_objects(objects))

    return Rule(
        id=id_,
        description=description,
        remedy=remedy,
        source=source,
        when_unknown=WhenUnknown.WARNING,
        needs_stack=True,
        resource=in_release,
        objects=in_objects,
    )


RULES: Final = (
    _rule(
        "resources-set",
        "Every container asks for CPU and memory, and has a limit of memory, except in a laptop's stack.",
        "Set airflow:size to small, medium or large, or the resources in airflow:helmValues.",
        "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
        _sized,
    ),
    _rule(
        "probes-set",
        "Every container that serves has a liveness or a readiness probe, except in a laptop's stack.",
        "Remove the value that switches the probe off from airflow:helmValues.",
        "https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/",
        _probed,
    ),
    _rule(
        "disruption-budgets-set",
        "Each workload of several pods has a disruption budget that allows an eviction, except in a laptop's stack.",
        "Remove the value that switches the budget off from airflow:helmValues.",
        "https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-budgets",
        _budgeted,
    ),
    _rule(
        "pods-spread",
        "The pods of each workload are spread over zones, except in a laptop's stack.",
        "Remove the empty topologySpreadConstraints from airflow:helmValues.",
        "https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/",
        _spread,
    ),
)
