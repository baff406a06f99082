"""A change report as Markdown for a pull request: what must not be overlooked first, all else folded up below it.

Kept within what a comment may hold: it is cut between sections, never within one, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from automation.change_report.escape import code, fenced, html_code, sentence
from automation.change_report.model import (
    ChangeReport,
    Kind,
    ObjectChange,
    PolicyChange,
    PropertyChange,
    Severity,
    Source,
    StackReport,
    Step,
)
from automation.change_report.properties import diff_lines, yaml_lines
from automation.plan.model import FailureKind, PolicyResult
from policy.context import DECIDED

MARKER: Final = "<!-- airflow-change-report -->"
"""By which a workflow finds its comment again."""
LIMIT: Final = 65_000
"""GitHub takes 65,536 characters."""

_DONE: Final = {Kind.DELETE: "deleted", Kind.REPLACE: "replaced", Kind.UPDATE: "updated", Kind.CREATE: "created"}
_ICONS: Final = {Severity.DANGER: "⛔", Severity.WARNING: "⚠️", Severity.NOTE: "📝"}
_PATHS: Final = 4
_BLOCK_LINES: Final = 150
_MANDATORY: Final = "mandatory"
_CHECKSUM: Final = 12
_OF_A_RULE: Final = 3
"""So many advisory results of one rule are never folded up: a stack without requests has one for every container."""
_MUST_SHARE: Final = 0.7
"""Of the limit, what the part that is never folded up may take."""


def markdown(report: ChangeReport, *, limit: int | None = LIMIT, link: str = "") -> str:
    """The whole comment, at most `limit` characters; None does not cut. link: to the whole report."""
    end = _end(link)
    if limit is None:
        return _joined([*_head(report), *_details(report, None, 0)[0]])
    head, left_out = _within(_head(report), int(limit * _MUST_SHARE))
    used = len(_joined(head)) + len(end.format(10**6)) + 4
    details, more = _details(report, limit, used)
    left_out += more
    parts = [*head, *details, *([end.format(left_out)] if left_out else [])]
    return _joined(parts)


def _joined(sections: Sequence[str]) -> str:
    """Sections with an empty line between, but for the items of a list."""
    text = ""
    for section in sections:
        text += ("\n" if section.startswith("- ") else "\n\n") + section
    return text.strip() + "\n"


def _end(link: str) -> str:
    where = f"[the whole report]({check_link(link)})" if link else "the whole report (`--json`, `--whole`)"
    return f"Cut to what a comment may hold: {{}} sections are only in {where}."


def check_link(link: str) -> str:
    """A link's target that ends where it ends. Raises ValueError for anything but a plain https address."""
    if not link.startswith("https://") or any(character in link for character in "()<>[]{}\\`\"' \n\t"):
        raise ValueError("link: expected an https:// address without white space, quotes and brackets")
    return link


def _within(sections: Sequence[str], limit: int) -> tuple[list[str], int]:
    """As many sections from the beginning as fit, and how many do not."""
    kept: list[str] = []
    size = 0
    for section in sections:
        size += len(section) + 2
        if size > limit:
            break
        kept.append(section)
    return kept, len(sections) - len(kept)


# What is never folded up


def _head(report: ChangeReport) -> list[str]:
    sections = [f"{MARKER}\n## What this change does", f"{code(report.base)} → {code(report.head)}"]
    if not any(stack.changes_anything for stack in report.stacks):
        sections.append(f"No change for {', '.join(_name(stack) for stack in report.stacks)}.")
    else:
        sections.append(_table(report.stacks))
    for stack in report.stacks:
        sections += _failures(stack)
        told = _told(stack)
        if told:
            # One section a line: a stack with a thousand warnings is cut between them.
            sections += [f"### {_name(stack)}\n\n{told[0]}", *told[1:]]
    return sections


def _told(stack: StackReport) -> list[str]:
    """Warnings, and what policies say that is new: a line each, the gravest first."""
    told, folded = _new_policies(stack)
    lines = [(found.severity, f"**{found.category}**: {sentence(found.text, found.names)}") for found in stack.warnings]
    for found in told:
        severity = Severity.DANGER if found.result.level == _MANDATORY else Severity.WARNING
        decided = f", as {code(DECIDED.as_posix())} decides" if found.decided else ""
        lines.append((severity, f"**policy**: {_policy(found.result, decided)}"))
    for rule, count in Counter(found.result.rule for found in folded).items():
        lines.append((Severity.WARNING, f"**policy**: {code(rule)} has {count} more results, below"))
    order = list(Severity)
    return [f"- {_ICONS[severity]} {text}" for severity, text in sorted(lines, key=lambda line: order.index(line[0]))]


def _policy(result: PolicyResult, more: str = "") -> str:
    return f"{code(result.subject)}: {code(result.message)}{more} ({code(result.rule)}, {code(result.level)})"


def _new_policies(stack: StackReport) -> tuple[list[PolicyChange], list[PolicyChange]]:
    """Results that are told at once, and those to fold up: beyond the first few of an advisory rule.

    What is decided on is told at once, however much it is.
    """
    of_rule: Counter[str] = Counter()
    told: list[PolicyChange] = []
    folded: list[PolicyChange] = []
    for found in (found for found in stack.policies if found.new):
        if found.result.level == _MANDATORY or found.decided:
            told.append(found)
            continue
        of_rule[found.result.rule] += 1
        (told if of_rule[found.result.rule] <= _OF_A_RULE else folded).append(found)
    return told, folded


def _table(stacks: Iterable[StackReport]) -> str:
    rows = [
        "| Stack | Deleted | Replaced | Updated | Created | Pods that roll | Warnings |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for stack in stacks:
        if stack.head_failure or (stack.base_failure and stack.base_failure.kind is not FailureKind.NO_STACK):
            rows.append(f"| {_name(stack)} | ? | ? | ? | ? | ? | see below |")
            continue
        counts = [str(stack.counts[kind] or "") for kind in Kind]
        grave = sum(found.severity is not Severity.NOTE for found in stack.warnings)
        grave += sum(found.new for found in stack.policies)
        rows.append(f"| {_name(stack)} | {' | '.join(counts)} | {_rolls(stack)} | {grave or ''} |")
    return "\n".join(rows)


def _name(stack: StackReport, written: Callable[[str], str] = code) -> str:
    """A stack's name; a preview of it is not to be taken for the plan."""
    return f"{written(stack.stack)}{', as it is deployed' if stack.source is Source.PREVIEW else ''}"


def _rolls(stack: StackReport) -> str:
    names = [code(roll.component) for roll in stack.rolls]
    if stack.objects is None:
        names.append("not known")
    return ", ".join(names)


def _failures(stack: StackReport) -> Iterator[str]:
    base, head = stack.base_failure, stack.head_failure
    if head is not None and head.kind is FailureKind.NO_STACK:
        yield (
            f"⚠️ {_name(stack)}: its file is removed. Nothing is deployed from here any more; what is deployed "
            "stays, until it is destroyed."
        )
    elif head is not None:
        yield f"⛔ {_name(stack)} cannot be planned with this change ({head.kind}):\n\n{_failure_block(head.text)}"
    if base is None or (head is not None and base == head):
        return
    if base.kind is FailureKind.NO_STACK:
        yield f"📝 {_name(stack)} is new: there is nothing yet that it would change."
    else:
        yield (
            f"⚠️ {_name(stack)} cannot be planned without this change ({base.kind}), so that nothing can be "
            f"compared:\n\n{_failure_block(base.text)}"
        )


def _failure_block(text: str) -> str:
    return _block(text.splitlines(), "text")


# What is folded up


def _details(report: ChangeReport, limit: int | None, used: int) -> tuple[list[str], int]:
    """A folded section a stack, with as many of its parts as fit; and how many do not."""
    sections: list[str] = []
    left_out = 0
    for stack in report.stacks:
        parts = list(_parts(stack, None if limit is None else _BLOCK_LINES))
        if not parts:
            continue
        opening, closing = f"<details>\n<summary>{_summary(stack)}</summary>", "</details>"
        frame = len(opening) + len(closing) + 6
        kept, more = (parts, 0) if limit is None else _within(parts, limit - used - frame)
        if left_out:
            # An earlier stack was cut: what comes after a gap would look as if there were none.
            kept, more = [], len(parts)
        left_out += more
        if kept:
            sections.append("\n\n".join([opening, *kept, closing]))
            used += len(sections[-1]) + 2
    return sections, left_out


def _summary(stack: StackReport) -> str:
    counts = [f"{count} {_DONE[kind]}" for kind, count in stack.counts.items() if count]
    return f"{_name(stack, html_code)}: {', '.join([*counts, f'{stack.unchanged} unchanged'])}"


def _parts(stack: StackReport, longest: int | None) -> Iterator[str]:
    """longest: of a block, in lines."""
    if stack.steps:
        yield _steps_table(stack)
    for step in stack.steps:
        if step.changes and not step.component:
            yield f"**{_DONE[step.kind].capitalize()}: {code(step.label)}**\n\n{_changes(step, longest)}"
    if stack.objects:
        yield f"**Objects of the chart that change: {len(stack.objects)}**"
        yield from (_objects(alike, longest) for alike in _alike(stack.objects))
    elif stack.objects is None and stack.head_failure is None:
        yield f"Objects of the chart are not compared: {code(stack.no_objects)}"
    _, folded = _new_policies(stack)
    known = [found for found in stack.policies if not found.new]
    for heading, results in (("of this change, further ones", folded), ("not of this change, but so", known)):
        if results:
            yield "\n".join([f"**Policies: {heading}**", "", *(f"- {_policy(found.result)}" for found in results)])
    if stack.messages:
        lines = [line for message in stack.messages for line in message.splitlines()]
        yield f"**The program says**\n\n{_block(lines, 'text', longest)}"
    if stack.changes_anything and stack.head_failure is None:
        yield _how(stack)


def _steps_table(stack: StackReport) -> str:
    rows = ["| | Type | Name | Changes |", "| --- | --- | --- | --- |"]
    for step in stack.steps:
        paths = [] if step.kind is Kind.CREATE else [code(change.path) for change in step.changes]
        more = f" and {len(paths) - _PATHS} more" if len(paths) > _PATHS else ""
        kind = f"{step.kind} component" if step.component else step.kind
        rows.append(f"| {kind} | {code(step.type)} | {code(step.name)} | {', '.join(paths[:_PATHS])}{more} |")
    return "\n".join(rows)


def _changes(of: Step | ObjectChange, longest: int | None) -> str:
    """The changes as a block; of what is new the whole as it will be."""
    if of.kind is Kind.CREATE:
        lines = yaml_lines({change.path: change.after for change in of.changes}, "+")
    else:
        lines = [line for change in of.changes for line in _change_lines(change)]
    return _block(lines, "diff", longest)


def _change_lines(change: PropertyChange) -> Iterator[str]:
    yield f"@@ {change.path} @@{' forces the replacement' if change.replaces else ''}"
    before, after = change.before, change.after
    if "checksum/" in change.path:
        before, after = (f"{str(value)[:_CHECKSUM]}…" for value in (before, after))
    if isinstance(before, str) and isinstance(after, str) and ("\n" in before or "\n" in after):
        yield from diff_lines(before, after)
        return
    if before is not None:
        yield from _value_lines(before, "-")
    if after is not None:
        yield from _value_lines(after, "+")


def _value_lines(value: Any, sign: str) -> list[str]:
    if isinstance(value, str):
        return [f"{sign}{line}" for line in value.splitlines() or [""]]
    return yaml_lines(value, sign)


def _alike(objects: Iterable[ObjectChange]) -> list[list[ObjectChange]]:
    """Objects to which the same is done, together: another chart changes a label of every one."""
    groups: dict[str, list[ObjectChange]] = {}
    for found in objects:
        groups.setdefault(repr((found.kind, found.changes)), []).append(found)
    return list(groups.values())


def _objects(alike: Sequence[ObjectChange], longest: int | None) -> str:
    heading = f"{_DONE[alike[0].kind].capitalize()}: {', '.join(code(found.label) for found in alike)}"
    return f"{heading}\n\n{_changes(alike[0], longest)}" if alike[0].changes else heading


def _block(lines: Sequence[str], language: str, longest: int | None = _BLOCK_LINES) -> str:
    kept = list(lines[:longest])
    block = fenced(kept, language)
    more = len(lines) - len(kept)
    return f"{block}\n\n{more} more lines are only in the whole report." if more else block


def _how(stack: StackReport) -> str:
    if stack.source is Source.PREVIEW:
        return "From the engine's preview: compared with what is deployed."
    lines = ["From two plans: compared with what the base would deploy, not with what is deployed. Stood in for:"]
    lines += [f"- {code(text)}" for text in (*stack.stand_ins, *stack.placeholders)]
    lines.append("- what providers make up: generated values, identifiers, endings of names")
    return "\n".join([lines[0], "", *lines[1:]])
