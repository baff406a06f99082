"""Warnings about what is lost or refused: immutable fields, protection, deletions, replacements, another place."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from automation.change_report.model import (
    Category,
    ChangeKind,
    Remark,
    ReportSource,
    ResourceChange,
    StackReport,
    listed,
)
from automation.plan import policies
from automation.plan.model import PlannedResource

_CLAIM: Final = "PersistentVolumeClaim"
_NETWORK_POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
_SECRET: Final = "kubernetes:core/v1:Secret"
_AWS_PROVIDER: Final = "pulumi:providers:aws"
_CLUSTER_PROVIDER: Final = "pulumi:providers:kubernetes"
_REPLACED_BY_DESIGN: Final = frozenset(
    {
        "kubernetes:batch/v1:Job",
        "kubernetes:core/v1:ConfigMap",
        "aws:secretsmanager/secretVersion:SecretVersion",
    }
)
"""The new one has a name of its own, and the old one stays until nothing uses it."""


def refusals(report: StackReport) -> Iterator[Remark]:
    """Yield the chart's objects that Helm cannot patch: the update would fail in the middle, without a warning."""
    for change in report.objects or ():
        if not change.refused:
            continue
        kind, _, name = change.label.partition(" ")
        text = "{0}: Kubernetes never changes {1}, so the update fails after the database is migrated. Undo it"
        if kind == _CLAIM:
            text += ". To delete the claim first also deletes its data"
        else:
            text += ", or run this in the stack's namespace right before the update: {2}"
        command = shlex.join(["kubectl", "delete", kind.lower(), name])
        if kind == "StatefulSet" and "spec.selector" not in change.refused:
            command += " --cascade=orphan"
            text += "; its pods keep running, and existing volumes stay as they are"
        yield Remark.danger(Category.REFUSED, text, change.label, ", ".join(change.refused), command)


def protection(
    report: StackReport, before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource]
) -> Iterator[Remark]:
    """Yield protected resources that would go, and protection that goes. before, after: resources by URN."""
    refused = [step.label for step in report.of(ChangeKind.DELETE, ChangeKind.REPLACE) if step.protected]
    if refused:
        verb = "is" if len(refused) == 1 else "are"
        text, names = listed(
            f"{{}} {verb} protected, so the update is refused. Undo the change, or first remove the "
            "protection (airflow:protect)",
            refused,
        )
        yield Remark.danger(Category.PROTECTED, text, *names)
    unprotected = [
        f"{resource.type.rpartition(':')[2]} {resource.name}"
        for urn, resource in sorted(before.items())
        if urn in after and resource.protect and not after[urn].protect and not resource.component
    ]
    if unprotected:
        text, names = listed("no longer protected, so that a later update may delete or replace it: {}", unprotected)
        yield Remark.warning(Category.PROTECTED, text, *names)


def deletions(report: StackReport) -> Iterator[Remark]:
    """Yield what is deleted: components as one, what is lost, what is kept, and the rest together."""
    deleted = report.of(ChangeKind.DELETE)
    components = [step for step in report.steps if step.component and step.kind is ChangeKind.DELETE]
    for component in components:
        owned = sum(_owns(component, step) for step in deleted)
        text = f"component {{0}} is deleted, with all that it owns: resources: {owned}"
        yield Remark.warning(Category.DELETE, text, component.label)
    harmless = []
    for step in deleted:
        lost = policies.loss(step.type, step.name, step.urn)
        if step.kept:
            text = "{0} leaves the stack; it keeps existing, but no stack owns it"
            yield Remark.note(Category.DELETE, text, step.label)
        elif lost is not None:
            yield Remark.danger(Category.DELETE, f"{{0}} is deleted, and {lost} is lost", step.label)
        elif step.type != _NETWORK_POLICY and not any(_owns(component, step) for component in components):
            harmless.append(step.label)
    if harmless:
        text, names = listed("deleted: {}", harmless)
        yield Remark.warning(Category.DELETE, text, *names)
    objects = [change.label for change in report.objects or () if change.kind is ChangeKind.DELETE]
    if objects:
        text, names = listed("objects of the chart that are deleted: {}", objects)
        yield Remark.warning(Category.DELETE, text, *names)


def _owns(component: ResourceChange, step: ResourceChange) -> bool:
    """Return whether a component owns a resource.

    The resource's URN names the types of all its parents, and its name begins with the component's.
    """
    parents = component.urn.rpartition("::")[0]
    return step.urn.startswith(f"{parents}$") and step.name.startswith(component.name)


def replacements(report: StackReport) -> Iterator[Remark]:
    """Yield what is replaced, but for what another warning covers, or what is replaced by design."""
    certain = report.source is ReportSource.PREVIEW
    replaced, then = ("is replaced", "and") if certain else ("may be replaced", "and then")
    for step in report.of(ChangeKind.REPLACE):
        if step.type == _SECRET:
            continue  # what another key costs is told with the keys
        lost = policies.loss(step.type, step.name, step.urn)
        inputs = [change.path for change in step.changes if change.replaces]
        verb = "changes" if len(inputs) == 1 else "change"
        names = (step.label, *([", ".join(inputs)] if inputs else []))
        text = f"{{0}} {replaced}, {f'because {{1}} {verb}' if inputs else 'for an unknown reason'}"
        if lost is not None:
            yield Remark.danger(Category.REPLACE, f"{text}, {then} {lost} is lost", *names)
        elif step.type not in _REPLACED_BY_DESIGN and not step.changes_input("provider"):
            yield Remark.warning(Category.REPLACE, text, *names)


def places(report: StackReport) -> Iterator[Remark]:
    """Yield another cluster, region or account."""
    for step in report.of(ChangeKind.UPDATE, ChangeKind.REPLACE):
        if step.type == _CLUSTER_PROVIDER and step.changes_input("clusterIdentifier"):
            yield Remark.danger(Category.REPLACE, "another cluster: all objects are created there, with empty volumes")
        elif step.type == _AWS_PROVIDER and any(
            change.path.startswith(("region", "allowedAccountIds")) for change in step.changes
        ):
            yield Remark.danger(
                Category.REPLACE,
                "another AWS region or account: the stack no longer reaches what it has in the old one",
            )
