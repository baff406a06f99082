"""What keeps pods serving: resources, probes, disruption budgets, spread. None of it is asked of a laptop's stack."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from policy.chart import (
    CELERY_WORKERS,
    GIT_SYNC,
    airflow_values,
    component_value,
    components,
    has_task_pods,
    sidecars,
)
from policy.context import Context
from policy.model import UNKNOWN, Finding, RenderedObject, Resource
from policy.paths import entries, get, has_unknown, mapping
from policy.pods import SERVERS, Container, containers, labels, pod_of, replicas, selects
from policy.rule import Check, Rule, WhenUnknown

SEVERAL: Final = 2
"""Pods from which there is anything to spread, or to keep while one of them goes."""

_WANTED: Final = ("requests.cpu", "requests.memory", "limits.memory")
"""The CPU is not limited on purpose: see components/release/size_preset.py."""
_ZONE: Final = "topology.kubernetes.io/zone"
_PROBES: Final = ("livenessProbe", "readinessProbe")
_HANDLERS: Final = ("exec", "grpc", "httpGet", "tcpSocket")
_NO_PROBES: Final = ("redis",)
_NO_PROBES_ENDING: Final = "-log-groomer"
"""Containers for whose probes chart 1.22 has no key: Redis ends when it cannot go on, and a groomer that hangs loses
nothing."""
_WORKER: Final = "worker"
_LIMIT: Final = re.compile(r"([0-9]{1,9})(%?)")


def _in_release(judge: Callable[[dict[str, Any]], Iterator[Finding]]) -> Check[Resource]:
    def check(resource: Resource, context: Context) -> Iterator[Finding]:
        values = None if context.disposable else airflow_values(resource)
        if values is not None:
            yield from judge(values)

    return check


def _in_objects(judge: Callable[[Sequence[RenderedObject]], Iterator[Finding]]) -> Check[Sequence[RenderedObject]]:
    def check(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
        if not context.disposable:
            yield from judge(objects)

    return check


# Resources


def _resources_in_values(values: dict[str, Any]) -> Iterator[Finding]:
    for path in (*(component.path for component in components(values)), *sidecars(values)):
        yield from _lacking(component_value(values, path, "resources"), f"values.{path}.resources")


def _resources_in_objects(objects: Sequence[RenderedObject]) -> Iterator[Finding]:
    for rendered in objects:
        for container in containers(rendered):
            for finding in _lacking(container.body.get("resources"), f"container {container.name}"):
                yield Finding.about(rendered, finding.message, unknown=finding.unknown)


def _lacking(resources: Any, where: str) -> Iterator[Finding]:
    found = {wanted: get(resources, wanted) for wanted in _WANTED}
    missing = [wanted for wanted, value in found.items() if value in (None, "")]
    if missing:
        yield Finding(message=f"{where}: no {', no '.join(missing)}")
    elif UNKNOWN in found.values():
        yield Finding(message=f"{where}: not known in this preview", unknown=True)


# Probes


def _probes_in_values(values: dict[str, Any]) -> Iterator[Finding]:
    running = {component.path for component in components(values)}
    if CELERY_WORKERS in running:
        enabled = component_value(values, CELERY_WORKERS, "livenessProbe.enabled")
        yield from _switched(enabled, f"values.{CELERY_WORKERS}.livenessProbe.enabled")
    if GIT_SYNC in sidecars(values):
        yield from _switched(_git_sync_probed(values), f"values.{GIT_SYNC}.livenessProbe.enabled")


def _git_sync_probed(values: dict[str, Any]) -> Any:
    """The chart makes a probe of its own with its recommended setting, and else takes what the values hold."""
    recommended = get(values, f"{GIT_SYNC}.recommendedProbeSetting")
    if recommended is True or recommended is UNKNOWN:
        return UNKNOWN if recommended is UNKNOWN else get(values, f"{GIT_SYNC}.livenessProbe.enabled")
    probes = [get(values, f"{GIT_SYNC}.{probe}") for probe in _PROBES]
    return any(map(_is_probe, probes)) or (UNKNOWN if has_unknown(probes) else False)


def _is_probe(probe: Any) -> bool:
    """It says what to ask: without that, Kubernetes takes the container for none that it can ask."""
    return any(mapping(probe).get(handler) not in (None, UNKNOWN) for handler in _HANDLERS)


def _probes_in_objects(objects: Sequence[RenderedObject]) -> Iterator[Finding]:
    for rendered in objects:
        for container in containers(rendered) if rendered.kind in SERVERS else ():
            probes = [container.body.get(probe) for probe in _PROBES]
            if not _needs_probe(container) or any(map(_is_probe, probes)):
                continue
            if has_unknown(probes):
                yield Finding.about(rendered, f"container {container.name}: probes not known yet", unknown=True)
            else:
                yield Finding.about(rendered, f"container {container.name}: neither {' nor '.join(_PROBES)}")


def _needs_probe(container: Container) -> bool:
    return not container.init and container.name not in _NO_PROBES and not container.name.endswith(_NO_PROBES_ENDING)


# Disruption budgets


def _budgets_in_values(values: dict[str, Any]) -> Iterator[Finding]:
    for component in components(values):
        # A budget for workers would be for task pods too, which no controller counts: see components/release/values.py.
        exempt = component.path == CELERY_WORKERS and has_task_pods(values)
        if component.replicas >= SEVERAL and not exempt:
            path = f"{component.path}.podDisruptionBudget"
            enabled = component_value(values, component.path, "podDisruptionBudget.enabled")
            yield from _switched(enabled, f"values.{path}.enabled")
            config = component_value(values, component.path, "podDisruptionBudget.config")
            if enabled is True and _blocks(config, component.replicas):
                yield Finding(message=f"values.{path}.config lets no pod go: no node could be drained")


def _budgets_in_objects(objects: Sequence[RenderedObject]) -> Iterator[Finding]:
    budgets = [found for found in objects if found.kind == "PodDisruptionBudget"]
    task_pods = any(found.kind == "Pod" and labels(found).get("component") == _WORKER for found in objects)
    unclear = any(has_unknown(get(found.body, "spec.selector")) for found in budgets)
    for rendered in objects:
        number = replicas(rendered)
        if number < SEVERAL or (task_pods and labels(rendered).get("component") == _WORKER):
            continue
        own = [found for found in budgets if selects(get(found.body, "spec.selector"), labels(rendered))]
        if not own and (unclear or has_unknown(get(pod_of(rendered), "metadata.labels"))):
            yield Finding.about(rendered, "labels or budgets not known in this preview", unknown=True)
        elif not own:
            yield Finding.about(rendered, f"{number} pods and no PodDisruptionBudget")
        for budget in own:
            if _blocks(mapping(budget.body.get("spec")), number):
                yield Finding.about(budget, f"lets none of the {number} pods of {rendered.label} go")


def _blocks(budget: Any, pods: int) -> bool:
    """A limit under which no pod may go: no node with one on it could be drained."""
    least, most = _limit(get(budget, "minAvailable"), pods), _limit(get(budget, "maxUnavailable"), pods)
    return most == 0 or (least is not None and least >= pods)


def _limit(limit: Any, pods: int) -> float | None:
    """So many pods; None where nobody knows.

    Of both limits Kubernetes rounds a percentage up (kubernetes.io/docs/tasks/run-application/configure-pdb, "Rounding
    logic when specifying percentages"; getExpectedPodCount in pkg/controller/disruption/disruption.go).
    """
    if isinstance(limit, int | float):
        return limit
    found = _LIMIT.fullmatch(limit) if isinstance(limit, str) else None
    if found is None:
        return None
    return math.ceil(int(found[1]) * pods / 100) if found[2] else int(found[1])


# Spread


def _spread_in_values(values: dict[str, Any]) -> Iterator[Finding]:
    for component in components(values):
        if component.replicas >= SEVERAL:
            path = f"{component.path}.topologySpreadConstraints"
            constraints = component_value(values, component.path, "topologySpreadConstraints")
            yield from _spread(constraints or get(values, "topologySpreadConstraints"), f"values.{path}")


def _spread_in_objects(objects: Sequence[RenderedObject]) -> Iterator[Finding]:
    for rendered in objects:
        if replicas(rendered) >= SEVERAL:
            constraints = get(pod_of(rendered), "spec.topologySpreadConstraints")
            for finding in _spread(constraints, f"{replicas(rendered)} pods"):
                yield Finding.about(rendered, finding.message, unknown=finding.unknown)


def _spread(constraints: Any, where: str) -> Iterator[Finding]:
    keys = [constraint.get("topologyKey") for constraint in entries(constraints)]
    if _ZONE in keys:
        return
    if has_unknown(constraints):
        yield Finding(message=f"{where}: spread not known in this preview", unknown=True)
    else:
        yield Finding(message=f"{where}: not spread over zones ({_ZONE})")


def _switched(enabled: Any, path: str) -> Iterator[Finding]:
    if enabled is UNKNOWN:
        yield Finding(message=f"{path}: not known in this preview", unknown=True)
    elif enabled is not True:
        yield Finding(message=f"{path} is not true")


def _rule(
    id_: str,
    description: str,
    remedy: str,
    source: str,
    values: Callable[[dict[str, Any]], Iterator[Finding]],
    objects: Callable[[Sequence[RenderedObject]], Iterator[Finding]],
) -> Rule:
    return Rule(
        id=id_,
        description=description,
        remedy=remedy,
        source=source,
        when_unknown=WhenUnknown.WARNING,
        needs_stack=True,
        resource=_in_release(values),
        objects=_in_objects(objects),
    )


RULES: Final = (
    _rule(
        "resources-set",
        "Every container asks for CPU and memory, and has a limit of memory, but in a laptop's stack.",
        "Set airflow:size to small, medium or large, or the resources in airflow:helmValues.",
        "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
        _resources_in_values,
        _resources_in_objects,
    ),
    _rule(
        "probes-set",
        "Every container that serves has a liveness or a readiness probe, but in a laptop's stack.",
        "Take what switches the probe off out of airflow:helmValues.",
        "https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/",
        _probes_in_values,
        _probes_in_objects,
    ),
    _rule(
        "disruption-budgets-set",
        "What runs as several pods has a disruption budget that lets one go, but in a laptop's stack.",
        "Take what switches the budget off out of airflow:helmValues.",
        "https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-budgets",
        _budgets_in_values,
        _budgets_in_objects,
    ),
    _rule(
        "pods-spread",
        "What runs as several pods is spread over zones, but in a laptop's stack.",
        "Take the empty topologySpreadConstraints out of airflow:helmValues.",
        "https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/",
        _spread_in_values,
        _spread_in_objects,
    ),
)
