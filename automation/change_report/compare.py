"""A change report from two plans of a stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from automation.change_report.assemble import by_urn, completed, ordered, shown, step_of
from automation.change_report.model import (
    ChangeKind,
    PolicyChange,
    PropertyChange,
    ReportSource,
    ResourceChange,
    StackReport,
)
from automation.change_report.properties import additions, in_order, property_changes
from automation.change_report.replacement import may_replace
from automation.change_report.warnings import warnings_of
from automation.plan.model import FailureKind, Plan, PlannedResource
from automation.plan.text import placeholder_text
from components.secrets.masker import without_digests

_PROVIDER: Final = "pulumi:providers:"
_NEW_OUTPUT: Final = "[known after the replacement]"


def compare_plans(base: Plan, head: Plan) -> StackReport:
    """Return what happens to the deployment of `base` when `head` is deployed over it."""
    base_failure = base.failure
    if base.failure is not None and base.failure.kind is FailureKind.NO_STACK:
        base = Plan(stack=base.stack, objects=())  # a new stack: nothing is there
    report = StackReport(
        stack=head.stack,
        source=ReportSource.PLAN,
        encryption=_encryption(base, head),
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
        results_before=base.policies,
        results_after=head.policies,
    )


def _encryption(base: Plan, head: Plan) -> tuple[str, str] | None:
    """Return what encrypts the secrets of a stack before and after; None where nothing changes, or it is not known."""
    before, after = base.encryption, head.encryption
    if not before or not after or before == after:
        return None
    return before["by"], after["by"]


def steps_between(
    before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource]
) -> tuple[ResourceChange, ...]:
    """Return the steps from one set of resources by URN to the other."""
    steps = [step_of(ChangeKind.DELETE, before[urn], None) for urn in before.keys() - after.keys()]
    steps += [
        step_of(ChangeKind.CREATE, None, after[urn], additions(after[urn].inputs)) for urn in after.keys() - before
    ]
    for urn, changes in _changes(before, after).items():
        kind = ChangeKind.REPLACE if any(change.replaces for change in changes) else ChangeKind.UPDATE
        steps.append(step_of(kind, before[urn], after[urn], changes))
    return ordered(steps)


def _changes(
    before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource]
) -> dict[str, tuple[PropertyChange, ...]]:
    """Return the changes of each resource that stays, with those that follow from a replacement."""
    both = sorted(before.keys() & after.keys())
    changes = {
        urn: property_changes(after[urn].type, before[urn].inputs, after[urn].inputs, after[urn].ignore_changes)
        for urn in both
    }
    while True:
        replaced = {urn for urn in both if any(change.replaces for change in changes[urn])}
        more = {urn: list(_following(after[urn], changes[urn], replaced)) for urn in both}
        if not any(more.values()):
            return {urn: changes[urn] for urn in both if changes[urn]}
        changes = {urn: in_order((*changes[urn], *more[urn])) for urn in both}


def _following(
    resource: PlannedResource, known: Sequence[PropertyChange], replaced: set[str]
) -> Iterator[PropertyChange]:
    """Yield the changes that follow from replacements: a replaced resource's outputs are not known beforehand."""
    if resource.component:
        return
    keys = {change.path.partition(".")[0].partition("[")[0] for change in known}
    for key, urns in resource.made_of.items():
        if key not in keys and key not in resource.ignore_changes and not replaced.isdisjoint(urns):
            yield PropertyChange(
                path=key,
                before=without_digests(resource.inputs.get(key)),
                after=_NEW_OUTPUT,
                replaces=may_replace(resource.type, key),
            )
    provider = f"{_PROVIDER}{resource.type.partition(':')[0]}"
    if "provider" not in keys and any(f"::{provider}::" in urn for urn in replaced):
        yield PropertyChange(path="provider", before="the old one", after="the new one", replaces=True)
