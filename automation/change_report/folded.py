"""The folded part of a comment: the steps, changes, objects, policies and messages of one stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from automation.change_report.escape import code, fenced, html_code
from automation.change_report.model import (
    ChangeKind,
    ObjectChange,
    PolicyChange,
    PropertyChange,
    ReportSource,
    ResourceChange,
    StackReport,
)
from automation.change_report.properties import diff_lines, yaml_lines
from automation.change_report.repeated import Changed, same_values, without_repetition
from automation.plan.model import PolicyResult

_DONE: Final = {
    ChangeKind.DELETE: "deleted",
    ChangeKind.REPLACE: "replaced",
    ChangeKind.UPDATE: "updated",
    ChangeKind.CREATE: "created",
}
_PATHS: Final = 4
BLOCK_LINES: Final = 150
_LONG_BEGINNING: Final = 400
"""Characters that two values may share at their beginning without being cut there."""
_OF_BEGINNING: Final = 40
"""Characters that are left of a longer one."""

_Change = ResourceChange | ObjectChange


def name_of(stack: StackReport, written: Callable[[str], str] = code) -> str:
    """Return a stack's name, marked where the report is of a preview and not of plans."""
    return f"{written(stack.stack)}{', as it is deployed' if stack.source is ReportSource.PREVIEW else ''}"


def policy_text(result: PolicyResult, more: str = "") -> str:
    """Return what a policy says, as Markdown."""
    return f"{code(result.subject)}: {code(result.message)}{more} ({code(result.rule)}, {code(result.level)})"


def summary(stack: StackReport) -> str:
    """Return the line that stays visible, as HTML."""
    counts = [f"{count} {_done(stack, kind)}" for kind, count in stack.counts.items() if count]
    return f"{name_of(stack, html_code)}: {', '.join([*counts, f'{stack.unchanged} unchanged'])}"


def _done(stack: StackReport, kind: ChangeKind) -> str:
    """Return what is done; only the engine knows that something is replaced."""
    return "may be replaced" if kind is ChangeKind.REPLACE and stack.source is ReportSource.PLAN else _DONE[kind]


def parts(stack: StackReport, folded: Sequence[PolicyChange], longest: int | None) -> Iterator[str]:
    """Yield the parts of a stack's section.

    Args:
        folded: New results of policies that are not shown above.
        longest: Lines that a block has at most; None does not cut.
    """
    if stack.steps:
        yield _steps_table(stack)
    if stack.checks:
        yield f"The preflight checks first: {', '.join(sorted(stack.checks))}."
    steps = without_repetition([step for step in stack.steps if step.changes and not step.component])
    yield from _repeated(steps)
    for alike in _alike(steps.others):
        heading = f"{_done(stack, alike[0].kind).capitalize()}: {_labels(alike)}"
        yield f"**{heading}**\n\n{_changes(alike[0], stack, longest)}"
    if stack.objects:
        yield f"**Objects of the chart that change: {len(stack.objects)}**"
        yield from _chart_objects(stack, stack.objects, longest)
    elif stack.objects is None and stack.head_failure is None:
        yield f"Objects of the chart are not compared: {code(stack.no_objects)}"
    known = [change for change in stack.policies if not change.new]
    for heading, results in (("of this change, further ones", folded), ("not of this change, but so", known)):
        if results:
            yield "\n".join(
                [f"**Policies: {heading}**", "", *(f"- {policy_text(change.result)}" for change in results)]
            )
    if stack.messages:
        lines = [line for message in stack.messages for line in message.splitlines()]
        yield f"**The program says**\n\n{block(lines, 'text', longest)}"
    if stack.changes_anything and stack.head_failure is None:
        yield _how(stack)


def _steps_table(stack: StackReport) -> str:
    rows = ["| | Type | Name | Changes |", "| --- | --- | --- | --- |"]
    for step in stack.steps:
        paths = [] if step.kind is ChangeKind.CREATE else [code(change.path) for change in step.changes]
        more = f" and {len(paths) - _PATHS} more" if len(paths) > _PATHS else ""
        kind = (
            "may replace" if step.kind is ChangeKind.REPLACE and stack.source is ReportSource.PLAN else step.kind.value
        )
        if step.component:
            kind += " component"
        rows.append(f"| {kind} | {code(step.type)} | {code(step.name)} | {', '.join(paths[:_PATHS])}{more} |")
    return "\n".join(rows)


def _changes(of: _Change, stack: StackReport, longest: int | None) -> str:
    """Return the changes as a block; something new is shown whole."""
    forces = " forces the replacement" if stack.source is ReportSource.PREVIEW else " may force a replacement"
    if of.kind is ChangeKind.CREATE:
        lines = yaml_lines({change.path: change.after for change in of.changes}, "+")
    else:
        lines = [line for paths, change in same_values(of.changes) for line in _change_lines(paths, change, forces)]
    return block(lines, "diff", longest)


def _change_lines(paths: Sequence[str], change: PropertyChange, forces: str) -> Iterator[str]:
    yield f"@@ {', '.join(paths)} @@{forces if change.replaces else ''}"
    before, after = change.before, change.after
    if isinstance(before, str) and isinstance(after, str):
        if "\n" in before or "\n" in after:
            yield from diff_lines(before, after)
            return
        before, after = _from_difference(before, after)
    old, new = _value_lines(before, "-"), _value_lines(after, "+")
    if [line[1:] for line in old] == [line[1:] for line in new]:
        old, new = yaml_lines(before, "-"), yaml_lines(after, "+")  # with quotes, where a text becomes a number
    yield from (*old, *new)


def _value_lines(value: Any, sign: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [f"{sign}{line}" for line in value.splitlines() or [""]]
    return yaml_lines(value, sign)


def _from_difference(before: str, after: str) -> tuple[str, str]:
    """Return two texts without most of a long beginning that they share: it would hide the difference."""
    pairs = enumerate(zip(before, after, strict=False))
    shared = next((place for place, (old, new) in pairs if old != new), min(len(before), len(after)))
    if shared <= _LONG_BEGINNING:
        return before, after
    cut = shared - _OF_BEGINNING
    return f"…{before[cut:]}", f"…{after[cut:]}"


def _chart_objects(stack: StackReport, objects: Sequence[ObjectChange], longest: int | None) -> Iterator[str]:
    """Yield what changes in the objects of the chart: what repeats is said once."""
    found = without_repetition(objects)
    yield from _repeated(found)
    yield from (_objects(alike, stack, longest) for alike in _alike(found.others))


def _repeated(found: Changed) -> Iterator[str]:
    """Yield a list of what is said once of many: images that move, and checksums."""
    lines = [
        f"- image {code(moved.before)} → {code(moved.after)} in {', '.join(map(code, moved.labels))}"
        for moved in found.moved
    ]
    if found.checksums:
        lines.append(f"- checksums of what the pods use in {', '.join(map(code, found.checksums))}")
    if lines:
        yield "\n".join(lines)


def _labels(alike: Iterable[_Change]) -> str:
    return ", ".join(code(change.label) for change in alike)


def _alike(changes: Iterable[_Change]) -> list[list[_Change]]:
    """Group what the same is done to: another chart changes a label of every object."""
    groups: dict[str, list[_Change]] = {}
    for change in changes:
        groups.setdefault(repr((change.kind, change.changes)), []).append(change)
    return list(groups.values())


def _objects(alike: Sequence[_Change], stack: StackReport, longest: int | None) -> str:
    heading = f"{_DONE[alike[0].kind].capitalize()}: {_labels(alike)}"
    return f"{heading}\n\n{_changes(alike[0], stack, longest)}" if alike[0].changes else heading


def block(lines: Sequence[str], language: str, longest: int | None = BLOCK_LINES) -> str:
    """Return lines as a block of code, cut where it is long."""
    kept = list(lines[:longest])
    block = fenced(kept, language)
    more = len(lines) - len(kept)
    return f"{block}\n\n{more} more lines are only in the whole report." if more else block


def _how(stack: StackReport) -> str:
    if stack.source is ReportSource.PREVIEW:
        return "From the engine's preview: compared with what is deployed."
    lines = [
        "From two plans: compared with what the base would deploy, not with what is deployed. Placeholders stand for:"
    ]
    lines += [f"- {code(text)}" for text in (*stack.stand_ins, *stack.placeholders)]
    lines.append("- what providers make up: generated values, identifiers, endings of names")
    return "\n".join([lines[0], "", *lines[1:]])
