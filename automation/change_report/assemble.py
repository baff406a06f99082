"""What a report says beyond its steps: objects, pods that roll, policies, warnings. The same for both sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final, TypeVar, cast

from automation.change_report.model import (
    ChangeKind,
    ObjectChange,
    PolicyChange,
    PropertyChange,
    ResourceChange,
    StackReport,
)
from automation.change_report.properties import additions, property_changes
from automation.change_report.replacement import refused
from automation.change_report.warnings import warnings_of
from automation.change_report.workloads import rolls_between
from automation.helm_template import object_key
from automation.plan import policies
from automation.plan.model import PlannedResource, PolicyResult
from components.preflight import finding as preflight
from components.secrets.masker import without_digests
from policy.model import Level

_CHECK: Final = f"${preflight.TYPE}"
_ORDER: Final = {kind: index for index, kind in enumerate(ChangeKind)}

_T = TypeVar("_T")
Manifests = Sequence[Mapping[str, Any]]


def by_urn(resources: Iterable[PlannedResource]) -> dict[str, PlannedResource]:
    """Return resources by URN."""
    return {resource.urn: resource for resource in resources}


def step_of(
    kind: ChangeKind,
    before: PlannedResource | None,
    after: PlannedResource | None,
    changes: tuple[PropertyChange, ...] = (),
) -> ResourceChange:
    """Return the step on a resource that is there before, after, or both."""
    # Options of what is there decide what may be done to it.
    resource = before or after
    assert resource is not None
    return ResourceChange(
        kind=kind,
        urn=resource.urn,
        type=resource.type,
        name=resource.name,
        component=resource.component,
        protected=before is not None and before.protect,
        kept=resource.retain_on_delete,
        changes=changes,
    )


def ordered(steps: Iterable[ResourceChange]) -> tuple[ResourceChange, ...]:
    """Return steps in the order of a report."""
    return tuple(
        sorted(steps, key=lambda step: (_ORDER[step.kind], not step.component, step.type, step.name, step.urn))
    )


def completed(
    report: StackReport,
    before: Mapping[str, PlannedResource],
    after: Mapping[str, PlannedResource],
    objects: tuple[Manifests, Manifests] | None,
    *,
    results_before: Iterable[PolicyResult] = (),
    results_after: Iterable[PolicyResult] = (),
) -> StackReport:
    """Complete a report that has its steps and decisions.

    Args:
        before, after: Resources by URN.
        objects: The chart's manifests before and after, or None.
        results_before, results_after: What the policies say about either side.
    """
    touched = {step.urn for step in report.steps}
    workloads = [
        [resource.inputs for resource in side.values() if resource.type.startswith("kubernetes:apps/")]
        for side in (before, after)
    ]
    rendered = objects or ((), ())
    report = replace(
        report,
        steps=tuple(step for step in report.steps if _CHECK not in step.urn),
        checks=tuple(
            step.name.rpartition("-preflight-")[2]
            for step in report.steps
            if f"{_CHECK}$" in step.urn and step.kind is not ChangeKind.DELETE
        ),
        unchanged=sum(not after[urn].component for urn in before.keys() & after.keys() - touched),
        objects=None if objects is None else object_changes(*objects),
        rolls=rolls_between([*workloads[0], *rendered[0]], [*workloads[1], *rendered[1]]),
        policies=_policy_changes(report, before, after, set(results_before), tuple(results_after)),
    )
    return shown(replace(report, warnings=warnings_of(report, before, after)))


def shown(value: _T) -> _T:
    """Return a part of a report without digests, whatever was put into it."""
    result: Any = value
    if isinstance(value, Enum):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        result = replace(value, **{item.name: shown(getattr(value, item.name)) for item in fields(value)})
    elif isinstance(value, tuple):
        result = tuple(shown(item) for item in value)
    elif isinstance(value, Mapping | list | str):
        result = without_digests(value)
    return cast(_T, result)


def object_changes(before: Manifests, after: Manifests) -> tuple[ObjectChange, ...]:
    """Return what happens to the chart's objects, ordered by kind of change, kind and name."""
    olds, news = ({object_key(manifest): manifest for manifest in side} for side in (before, after))
    changes = []
    for key in olds.keys() | news.keys():
        old, new = olds.get(key), news.get(key)
        label = f"{key[0]} {key[2]}"
        if old is None:
            changes.append(ObjectChange(kind=ChangeKind.CREATE, label=label, changes=additions(new or {})))
        elif new is None:
            changes.append(ObjectChange(kind=ChangeKind.DELETE, label=label))
        elif old != new:
            properties = property_changes("", old, new)
            # An address that is no longer asked for stays as it is.
            asked = (item.path for item in properties if (item.path, item.after) != ("spec.clusterIP", None))
            immutable = () if _is_hook(new) else refused(key[0], asked)
            if not properties:
                continue  # a null, which Kubernetes takes for nothing
            changes.append(ObjectChange(kind=ChangeKind.UPDATE, label=label, changes=properties, refused=immutable))
    return tuple(sorted(changes, key=lambda change: (_ORDER[change.kind], change.label)))


def _is_hook(manifest: Mapping[str, Any]) -> bool:
    """Return whether Helm makes it anew each time (helm.sh/docs/topics/charts_hooks, "before-hook-creation")."""
    return "helm.sh/hook" in ((manifest.get("metadata") or {}).get("annotations") or {})


def _policy_changes(
    report: StackReport,
    before: Mapping[str, PlannedResource],
    after: Mapping[str, PlannedResource],
    known: set[PolicyResult],
    results: tuple[PolicyResult, ...],
) -> tuple[PolicyChange, ...]:
    steps = [(step.kind.value, before.get(step.urn) or after[step.urn]) for step in report.steps]
    undecided = set(policies.step_results(steps, before.values(), report.decided))
    return (
        *(
            _of_step(result, decided=result not in undecided)
            for result in policies.step_results(steps, before.values())
        ),
        *(PolicyChange(result=result, new=result not in known) for result in results),
    )


def _of_step(result: PolicyResult, *, decided: bool) -> PolicyChange:
    """Return a result about a step. A decision keeps it in the report, and makes it advisory."""
    if decided:
        result = replace(result, level=Level.ADVISORY.value)
    return PolicyChange(result=result, new=True, decided=decided)
