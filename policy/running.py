"""The workloads of a stack as the rules of availability judge them, read from Helm values or from rendered objects.

The policy pack sees values, and a plan also sees the objects that the chart renders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from components.chart_values.chart_parts import CELERY_WORKERS
from components.kube.any_form import mapping
from policy.chart import (
    GIT_SYNC,
    component_value,
    components,
    has_task_pods,
    has_worker_groups,
    sidecars,
)
from policy.model import UNKNOWN, Finding, RenderedObject, Unknown, get, has_unknown
from policy.pods import SERVERS, Container, containers, labels, pod_of, replicas, selects

SEVERAL: Final = 2
"""The number of pods from which there is anything to spread, or to keep while one of them goes."""

_PROBES: Final = ("livenessProbe", "readinessProbe")
_HANDLERS: Final = ("exec", "grpc", "httpGet", "tcpSocket")
_NO_PROBES: Final = ("redis",)
_NO_PROBES_ENDING: Final = "-log-groomer"
"""Containers for whose probes chart 1.22 has no key: Redis ends when it cannot go on, and a groomer that hangs loses
nothing."""
_WORKER: Final = "worker"


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where something stands."""

    path: str
    """The path of the values, or the container; "" for an object as a whole."""
    subject: RenderedObject | None = None
    """The object; None in values."""

    def finding(self, message: str, *, unknown: bool = False) -> Finding:
        """Return a finding about this place."""
        text = f"{self.path}: {message}" if self.path else message
        if self.subject is None:
            return Finding(message=text, unknown=unknown)
        return Finding.about(self.subject, text, unknown=unknown)


@dataclass(frozen=True, kw_only=True)
class Replicated:
    """A workload of several pods."""

    place: Location
    pods: int
    spread: Any
    """Its topology spread constraints."""
    has_budget: bool | Unknown
    """Whether a disruption budget is for its pods, or it needs none."""
    budgets: Sequence[tuple[Location, Any]]
    """The limits of its disruption budgets."""


@dataclass(frozen=True, kw_only=True)
class RunningWorkloads:
    """Everything that runs."""

    resources: Sequence[tuple[Location, Any]]
    """The resources of each container."""
    probes: Sequence[tuple[Location, bool | Unknown]]
    """Whether a container that serves has a probe."""
    replicated: Sequence[Replicated]


def running_with_values(values: Mapping[str, Any]) -> RunningWorkloads:
    """Return what the Airflow chart runs with these values, as far as they tell."""
    paths = (*(component.path for component in components(values)), *sidecars(values))
    return RunningWorkloads(
        resources=[
            (Location(path=f"values.{path}.resources"), component_value(values, path, "resources")) for path in paths
        ],
        probes=list(_probes_with(values, paths)),
        replicated=list(_replicated_with(values)),
    )


def _probes_with(values: Mapping[str, Any], paths: Sequence[str]) -> Iterator[tuple[Location, bool | Unknown]]:
    if CELERY_WORKERS in paths:
        enabled = component_value(values, CELERY_WORKERS, "livenessProbe.enabled")
        yield Location(path=f"values.{CELERY_WORKERS}.livenessProbe"), _switch(enabled)
    if GIT_SYNC in paths:
        yield Location(path=f"values.{GIT_SYNC}.livenessProbe"), _git_sync_probed(values)


def _git_sync_probed(values: Mapping[str, Any]) -> bool | Unknown:
    """The chart makes a probe of its own with its recommended setting, and otherwise takes what the values hold."""
    recommended = get(values, f"{GIT_SYNC}.recommendedProbeSetting")
    if recommended is True or recommended is UNKNOWN:
        return _switch(get(values, f"{GIT_SYNC}.livenessProbe.enabled") if recommended is True else UNKNOWN)
    return _probed([get(values, f"{GIT_SYNC}.{probe}") for probe in _PROBES])


def _replicated_with(values: Mapping[str, Any]) -> Iterator[Replicated]:
    for component in components(values):
        if component.replicas < SEVERAL:
            continue
        path = component.path
        # A budget for workers would be for task pods too, which no controller counts: see availability.py.
        # Beside worker groups, the budget of the default workers is an object of its own.
        exempt = path == CELERY_WORKERS and (has_task_pods(values) or has_worker_groups(values))
        has_budget = True if exempt else _switch(component_value(values, path, "podDisruptionBudget.enabled"))
        place = Location(path=f"values.{path}.podDisruptionBudget.config")
        limits = component_value(values, path, "podDisruptionBudget.config")
        spread = component_value(values, path, "topologySpreadConstraints")
        yield Replicated(
            place=Location(path=f"values.{path}"),
            pods=component.replicas,
            spread=spread or get(values, "topologySpreadConstraints"),
            has_budget=has_budget,
            budgets=[(place, limits)] if has_budget is True and not exempt else [],
        )


def _switch(enabled: Any) -> bool | Unknown:
    return UNKNOWN if enabled is UNKNOWN else enabled is True


def running_as_objects(objects: Sequence[RenderedObject]) -> RunningWorkloads:
    """Return what these objects run."""
    found = [(rendered, container) for rendered in objects for container in containers(rendered)]
    return RunningWorkloads(
        resources=[(_place(*item), item[1].body.get("resources")) for item in found],
        probes=[
            (_place(rendered, container), _probed([container.body.get(probe) for probe in _PROBES]))
            for rendered, container in found
            if rendered.kind in SERVERS and _needs_probe(container)
        ],
        replicated=list(_replicated_as(objects)),
    )


def _place(rendered: RenderedObject, container: Container) -> Location:
    return Location(path=f"container {container.name}", subject=rendered)


def _needs_probe(container: Container) -> bool:
    return not container.init and container.name not in _NO_PROBES and not container.name.endswith(_NO_PROBES_ENDING)


def _probed(probes: Sequence[Any]) -> bool | Unknown:
    """Tell whether one of the probes says what to ask: without that, Kubernetes asks nothing."""
    if any(mapping(probe).get(handler) not in (None, UNKNOWN) for probe in probes for handler in _HANDLERS):
        return True
    return UNKNOWN if has_unknown(list(probes)) else False


def _replicated_as(objects: Sequence[RenderedObject]) -> Iterator[Replicated]:
    budgets = [rendered for rendered in objects if rendered.kind == "PodDisruptionBudget"]
    task_pods = any(item.kind == "Pod" and labels(item).get("component") == _WORKER for item in objects)
    unclear = any(has_unknown(get(budget.body, "spec.selector")) for budget in budgets)
    for rendered in objects:
        if replicas(rendered) < SEVERAL:
            continue
        exempt = task_pods and labels(rendered).get("component") == _WORKER
        own = [budget for budget in budgets if selects(get(budget.body, "spec.selector"), labels(rendered))]
        unknown = unclear or has_unknown(get(pod_of(rendered), "metadata.labels"))
        yield Replicated(
            place=Location(path="", subject=rendered),
            pods=replicas(rendered),
            spread=get(pod_of(rendered), "spec.topologySpreadConstraints"),
            has_budget=True if exempt or own else UNKNOWN if unknown else False,
            budgets=[]
            if exempt
            else [(Location(path="", subject=budget), mapping(budget.body.get("spec"))) for budget in own],
        )
