"""What changes between two plans of a stack: steps, properties, rendered objects, pods that roll."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final, TypeVar, cast

from automation.change_report.model import Kind, ObjectChange, PolicyChange, PropertyChange, Source, StackReport, Step
from automation.change_report.properties import additions, property_changes
from automation.change_report.replacement import refused, replaces
from automation.change_report.warnings import warnings_of
from automation.change_report.workloads import rolls_between
from automation.helm_template import object_key
from automation.plan import policies
from automation.plan.model import FailureKind, Plan, PlannedResource, PolicyResult
from automation.plan.text import placeholder_text
from components.secrets.masker import without_digests
from policy.model import Level

_ORDER: Final = {kind: index for index, kind in enumerate(Kind)}
_PROVIDER: Final = "pulumi:providers:"
_NEW_OUTPUT: Final = "[known after the replacement]"

_T = TypeVar("_T")
Manifests = Sequence[Mapping[str, Any]]


def compare_plans(base: Plan, head: Plan) -> StackReport:
    """What becomes of what `base` deploys when `head` is deployed over it."""
    base_failure = base.failure
    if base.failure is not None and base.failure.kind is FailureKind.NO_STACK:
        base = Plan(stack=base.stack, objects=())  # a new stack: nothing is there
    report = StackReport(
        stack=head.stack,
        source=Source.PLAN,
        base_failure=base_failure,
        head_failure=head.failure,
        placeholders=tuple(map(placeholder_text, head.placeholders)),
        stand_ins=head.stand_ins,
        messages=head.messages,
    )
    if base.failure is not None or head.failure is not None:
        results = tuple(PolicyChange(result=result, new=False) for result in head.policies)
        return shown(replace(report, policies=results, warnings=warnings_of(report, {}, {})))
    before, after = by_urn(base.resources), by_urn(head.resources)
    steps = steps_between(before, after)
    no_objects = head.no_objects or base.no_objects
    rendered = base.objects is not None and head.objects is not None
    return completed(
        replace(report, steps=steps, decided=head.decided, no_objects="" if rendered else no_objects),
        before,
        after,
        (base.objects or (), head.objects or ()) if rendered else None,
        there=base.policies,
        shall_be=head.policies,
    )


def completed(
    report: StackReport,
    before: Mapping[str, PlannedResource],
    after: Mapping[str, PlannedResource],
    objects: tuple[Manifests, Manifests] | None,
    *,
    there: Iterable[PolicyResult] = (),
    shall_be: Iterable[PolicyResult] = (),
) -> StackReport:
    """A report that has its steps and decisions, with all that follows. before, after: resources by URN.

    objects: manifests of the chart before and after, or None. there, shall_be: results of policies.
    """
    touched = {step.urn for step in report.steps}
    own = [
        [found.inputs for found in side.values() if found.type.startswith("kubernetes:apps/")]
        for side in (before, after)
    ]
    rendered = objects or ((), ())
    report = replace(
        report,
        unchanged=sum(not found.component for urn, found in after.items() if urn in before and urn not in touched),
        objects=None if objects is None else object_changes(*objects),
        rolls=rolls_between([*own[0], *rendered[0]], [*own[1], *rendered[1]]),
        policies=_policy_changes(report, before, after, tuple(there), tuple(shall_be)),
    )
    return shown(replace(report, warnings=warnings_of(report, before, after)))


def by_urn(resources: Iterable[PlannedResource]) -> dict[str, PlannedResource]:
    """Resources by URN."""
    return {found.urn: found for found in resources}


def shown(value: _T) -> _T:
    """A part of a report as it may be shown, whatever was put into it."""
    found: Any = value
    if isinstance(value, Enum):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        found = replace(value, **{item.name: shown(getattr(value, item.name)) for item in fields(value)})
    elif isinstance(value, tuple):
        found = tuple(shown(item) for item in value)
    elif isinstance(value, Mapping | list | str):
        found = without_digests(value)
    return cast(_T, found)


# Steps


def steps_between(before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource]) -> tuple[Step, ...]:
    """Steps from one to the other, ordered by kind, type and name."""
    steps = {urn: _step(Kind.DELETE, before[urn], ()) for urn in before.keys() - after.keys()}
    for urn in after.keys() - before.keys():
        found = after[urn]
        steps[urn] = _step(Kind.CREATE, found, additions(found.inputs))
    for urn, changes in _changes(before, after).items():
        kind = Kind.REPLACE if any(change.replaces for change in changes) else Kind.UPDATE
        # What is there decides what may be done to it, but for how it is deleted.
        steps[urn] = _step(kind, before[urn], changes)
    return ordered(steps.values())


def ordered(steps: Iterable[Step]) -> tuple[Step, ...]:
    """In the order in which reports tell of them."""
    return tuple(
        sorted(steps, key=lambda step: (_ORDER[step.kind], not step.component, step.type, step.name, step.urn))
    )


def _changes(
    before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource]
) -> dict[str, tuple[PropertyChange, ...]]:
    """Changes of what is in both, with those that follow from a replacement.

    The engine does not know the outputs of what it will replace, and so whatever is made of them changes.
    """
    both = sorted(before.keys() & after.keys())
    changes = {
        urn: property_changes(after[urn].type, before[urn].inputs, after[urn].inputs, after[urn].ignore_changes)
        for urn in both
    }
    while True:
        replaced = {urn for urn, found in changes.items() if any(change.replaces for change in found)}
        more = {urn: _following(after[urn], changes[urn], replaced) for urn in both}
        if not any(more.values()):
            return {urn: found for urn, found in changes.items() if found}
        for urn, found in more.items():
            changes[urn] = tuple(sorted((*changes[urn], *found), key=lambda change: change.path))


def _following(found: PlannedResource, changes: Sequence[PropertyChange], replaced: set[str]) -> list[PropertyChange]:
    """Changes of a resource that follow from replacements, beside those that are known."""
    if found.component:
        return []
    following = []
    known = {change.path.partition(".")[0].partition("[")[0] for change in changes}
    for key, urns in found.made_of.items():
        if key not in known and key not in found.ignore_changes and not replaced.isdisjoint(urns):
            following.append(
                PropertyChange(
                    path=key,
                    before=without_digests(found.inputs.get(key)),
                    after=_NEW_OUTPUT,
                    replaces=replaces(found.type, key),
                )
            )
    provider = f"{_PROVIDER}{found.type.partition(':')[0]}"
    if "provider" not in known and any(f"::{provider}::" in urn for urn in replaced):
        following.append(PropertyChange(path="provider", before="the old one", after="the new one", replaces=True))
    return following


def _step(kind: Kind, found: PlannedResource, changes: tuple[PropertyChange, ...]) -> Step:
    return Step(
        kind=kind,
        urn=found.urn,
        type=found.type,
        name=found.name,
        component=found.component,
        protected=found.protect,
        kept=found.retain_on_delete,
        changes=changes,
    )


# Objects


def object_changes(before: Manifests, after: Manifests) -> tuple[ObjectChange, ...]:
    """What becomes of the chart's objects, ordered by kind of change, kind and name."""
    there, shall_be = ({object_key(found): found for found in side} for side in (before, after))
    found = []
    for key in there.keys() | shall_be.keys():
        old, new = there.get(key), shall_be.get(key)
        if old == new:
            continue
        label = f"{key[0]} {key[2]}"
        if old is None:
            found.append(ObjectChange(kind=Kind.CREATE, label=label, changes=additions(new or {})))
        elif new is None:
            found.append(ObjectChange(kind=Kind.DELETE, label=label))
        else:
            changes = property_changes("", old, new)
            immutable = () if _is_hook(new) else refused(key[0], _asked(changes))
            found.append(ObjectChange(kind=Kind.UPDATE, label=label, changes=changes, refused=immutable))
    return tuple(sorted(found, key=lambda change: (_ORDER[change.kind], change.label)))


def _is_hook(manifest: Mapping[str, Any]) -> bool:
    """Helm makes it anew each time (helm.sh/docs/topics/charts_hooks, "before-hook-creation")."""
    return "helm.sh/hook" in ((manifest.get("metadata") or {}).get("annotations") or {})


def _asked(changes: Iterable[PropertyChange]) -> Iterator[str]:
    """Paths at which something else is asked for; of an address that is no longer asked for, the old one stays."""
    return (change.path for change in changes if (change.path, change.after) != ("spec.clusterIP", None))


# Policies


def _policy_changes(
    report: StackReport,
    before: Mapping[str, PlannedResource],
    after: Mapping[str, PlannedResource],
    there: tuple[PolicyResult, ...],
    shall_be: tuple[PolicyResult, ...],
) -> tuple[PolicyChange, ...]:
    asked = [(step.kind.value, before.get(step.urn) or after[step.urn]) for step in report.steps]
    undecided = set(policies.step_results(asked, before.values(), report.decided))
    known = set(there)
    return (
        *(
            _of_step(result, decided=result not in undecided)
            for result in policies.step_results(asked, before.values())
        ),
        *(PolicyChange(result=result, new=result not in known) for result in shall_be),
    )


def _of_step(result: PolicyResult, *, decided: bool) -> PolicyChange:
    """What is decided on is told all the same, and refuses nothing."""
    if decided:
        result = replace(result, level=Level.ADVISORY.value)
    return PolicyChange(result=result, new=True, decided=decided)
