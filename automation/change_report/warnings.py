"""The warnings of a report, as sentences, the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from automation.change_report.cost_warnings import database, downtime, keys, under_way
from automation.change_report.loss_warnings import deletions, places, protection, refusals, replacements
from automation.change_report.model import Category, ChangeKind, Remark, ReportSource, Severity, StackReport, listed
from automation.plan.model import RELEASE_TYPE, PlannedResource
from policy.context import DECIDED

_NAMESPACE: Final = "kubernetes:core/v1:Namespace"
_NETWORK_POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"


def warnings_of(
    report: StackReport, before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource]
) -> tuple[Remark, ...]:
    """Return the warnings of a report that has its steps and rolls. before, after: resources by URN."""
    alerts = dict.fromkeys(
        [
            *_errors(report),
            *refusals(report),
            *protection(report, before, after),
            *deletions(report),
            *replacements(report),
            *places(report),
            *database(report, after),
            *_encryption(report),
            *keys(report),
            *under_way(report),
            *downtime(report),
            *_isolation(report),
            *_chart(report),
            *_placeholders(report),
            *_decisions(report),
        ]
    )
    severities, categories = list(Severity), list(Category)
    return tuple(
        sorted(
            alerts,
            key=lambda item: (severities.index(item.severity), categories.index(item.category), str(item)),
        )
    )


def _errors(report: StackReport) -> Iterator[Remark]:
    """Yield errors of the engine or a provider beside known steps. An error that a program only logged is none."""
    if report.source is not ReportSource.PREVIEW or report.head_failure is not None:
        return
    for message in report.messages:
        if message.startswith("error: "):
            text = "the preview failed, so the report ends here: {0}"
            yield Remark.danger(Category.FAILED, text, " ".join(message.removeprefix("error: ").split()))


def _encryption(report: StackReport) -> Iterator[Remark]:
    """Yield that another key encrypts the secrets. No resource changes, and whoever has that key reads the state."""
    if report.encryption is not None:
        before, after = report.encryption
        another = "{0} becomes {1}" if before != after else "{0} stays, with another data key"
        text = f"what encrypts the stack's secrets changes: {another}; whoever may use it can read them"
        yield Remark.warning(Category.KEYS, text, *dict.fromkeys(report.encryption))


def _isolation(report: StackReport) -> Iterator[Remark]:
    deleted = [step.name for step in report.of(ChangeKind.DELETE, type_=_NETWORK_POLICY)]
    if deleted:
        text, names = listed("network policies are deleted, which opens what they closed: {}", deleted)
        yield Remark.warning(Category.ISOLATION, text, *names)
    changed = [step.name for step in report.of(ChangeKind.UPDATE, ChangeKind.REPLACE, type_=_NETWORK_POLICY)]
    if changed:
        text, names = listed("network policies change: {}", changed)
        yield Remark.warning(Category.ISOLATION, text, *names)
    for step in report.of(ChangeKind.UPDATE, type_=_NAMESPACE):
        if any("pod-security" in change.path for change in step.changes):
            yield Remark.warning(Category.ISOLATION, "{0}: the namespace admits other pods than before", step.label)


def _chart(report: StackReport) -> Iterator[Remark]:
    for step in report.of(ChangeKind.UPDATE, ChangeKind.REPLACE, type_=RELEASE_TYPE):
        for change in step.changes:
            if change.path == "chart":
                archives = (str(path).rpartition("/")[2] for path in (change.before, change.after))
                text = "the chart changes from {0} to {1}: see docs/runbooks/upgrade-airflow-or-chart.md"
                yield Remark.warning(Category.CHART, text, *archives)


def _placeholders(report: StackReport) -> Iterator[Remark]:
    missing = [text.partition(" (")[0] for text in report.placeholders if text.endswith("(not in the stack's file)")]
    if missing:
        text, names = listed(
            "secrets that are not in the stack's file, so placeholders stand for them; the update needs them: {}",
            missing,
        )
        yield Remark.note(Category.PLACEHOLDERS, text, *names)


def _decisions(report: StackReport) -> Iterator[Remark]:
    """Yield decisions that nothing needs. One that is misspelt or left over would let the next accident pass."""
    if report.head_failure is not None:
        return
    happens = {name for step in report.of(ChangeKind.DELETE, ChangeKind.REPLACE) for name in (step.name, step.urn)}
    # A decision about a rule holds as long as the stack breaks it.
    happens |= {change.result.rule for change in report.policies}
    unneeded = [name for name in report.decided if name not in happens]
    if unneeded:
        text, names = listed(
            f"lines of {DECIDED.as_posix()} that nothing needs; remove them, or correct the names: {{}}",
            unneeded,
        )
        yield Remark.note(Category.POLICY, text, *names)
