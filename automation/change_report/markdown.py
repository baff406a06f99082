"""A change report as Markdown for a pull request: what must not be overlooked first, everything else folded up.

A comment holds a limited number of characters. The report is cut between its sections, never within one, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from automation.change_report.escape import code, sentence
from automation.change_report.folded import BLOCK_LINES, block, name_of, parts, policy_text, summary
from automation.change_report.model import ChangeKind, ChangeReport, PolicyChange, Severity, StackReport
from automation.plan.model import FailureKind
from policy.context import DECIDED
from policy.model import Level

MARKER: Final = "<!-- airflow-change-report -->"
"""Marks the comment, so that a workflow finds it again."""
LIMIT: Final = 65_000
"""Characters of a comment; GitHub takes 65,536."""

_ICONS: Final = {Severity.DANGER: "⛔", Severity.WARNING: "⚠️", Severity.NOTE: "📝"}
_OF_A_RULE: Final = 3
"""How many advisory results of one rule are never folded up: a stack without requests has one for every container."""
_MUST_SHARE: Final = 0.7
"""The share of the limit that the part above the folded one may take."""


def markdown(report: ChangeReport, *, limit: int | None = LIMIT, link: str = "") -> str:
    """Return the whole comment.

    Args:
        limit: Characters that it has at most; None does not cut.
        link: Address of the whole report (see `check_link`).
    """
    end = _end(link)
    if limit is None:
        return _joined([*_head(report), *_details(report, None, 0)[0]])
    head, left_out = _within(_head(report), int(limit * _MUST_SHARE))
    used = len(_joined(head)) + len(end.format(10**6)) + 4
    details, more = _details(report, limit, used)
    left_out += more
    return _joined([*head, *details, *([end.format(left_out)] if left_out else [])])


def _joined(sections: Sequence[str]) -> str:
    """Join sections with an empty line between, but none between the items of a list."""
    text = ""
    for section in sections:
        text += ("\n" if section.startswith("- ") else "\n\n") + section
    return text.strip() + "\n"


def _end(link: str) -> str:
    where = f"[the whole report]({check_link(link)})" if link else "the whole report (`--json`, `--whole`)"
    return f"Cut to what a comment may hold: {{}} sections are only in {where}."


def check_link(link: str) -> str:
    """Return a link's target. Raises ValueError for anything but a plain https address: it could write Markdown."""
    if not link.startswith("https://") or any(character in link for character in "()<>[]{}\\`\"' \n\t"):
        raise ValueError("link: expected an https:// address without white space, quotes and brackets")
    return link


def _within(sections: Sequence[str], limit: int) -> tuple[list[str], int]:
    """Return as many of the first sections as fit, and how many do not."""
    kept: list[str] = []
    size = 0
    for section in sections:
        size += len(section) + 2
        if size > limit:
            break
        kept.append(section)
    return kept, len(sections) - len(kept)


def _head(report: ChangeReport) -> list[str]:
    """Return the sections that are never folded up."""
    sections = [f"{MARKER}\n## What this change does", f"{code(report.base)} → {code(report.head)}"]
    if any(stack.changes_anything for stack in report.stacks):
        sections.append(_table(report.stacks))
    else:
        sections.append(f"No change for {', '.join(map(name_of, report.stacks))}.")
    for stack in report.stacks:
        sections += _failures(stack)
        if lines := _lines(stack):
            # Each line is its own section, so that a long list is cut between two lines.
            sections += [f"### {name_of(stack)}\n\n{lines[0]}", *lines[1:]]
    return sections


def _lines(stack: StackReport) -> list[str]:
    """Return a line for each warning and each new result of a policy, the gravest first."""
    shown, folded = _new_policies(stack)
    lines = [(alert.severity, f"**{alert.category}**: {sentence(alert.text, alert.names)}") for alert in stack.warnings]
    for change in shown:
        severity = Severity.DANGER if change.result.level == Level.MANDATORY else Severity.WARNING
        decided = f", as {code(DECIDED.as_posix())} decides" if change.decided else ""
        lines.append((severity, f"**policy**: {policy_text(change.result, decided)}"))
    for rule, count in Counter(change.result.rule for change in folded).items():
        lines.append((Severity.WARNING, f"**policy**: {code(rule)} has {count} more results, below"))
    order = list(Severity)
    return [f"- {_ICONS[severity]} {text}" for severity, text in sorted(lines, key=lambda line: order.index(line[0]))]


def _new_policies(stack: StackReport) -> tuple[list[PolicyChange], list[PolicyChange]]:
    """Return the new results to show at once, and those to fold up: all but the first few of an advisory rule.

    A result that is decided on is always shown.
    """
    of_rule: Counter[str] = Counter()
    shown: list[PolicyChange] = []
    folded: list[PolicyChange] = []
    for change in (change for change in stack.policies if change.new):
        if change.result.level == Level.MANDATORY or change.decided:
            shown.append(change)
            continue
        of_rule[change.result.rule] += 1
        (shown if of_rule[change.result.rule] <= _OF_A_RULE else folded).append(change)
    return shown, folded


def _table(stacks: Iterable[StackReport]) -> str:
    rows = [
        "| Stack | Deleted | Replaced | Updated | Created | Pods that roll | Warnings |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for stack in stacks:
        if stack.head_failure or (stack.base_failure and stack.base_failure.kind is not FailureKind.NO_STACK):
            rows.append(f"| {name_of(stack)} | ? | ? | ? | ? | ? | see below |")
            continue
        counts = [str(stack.counts[kind] or "") for kind in ChangeKind]
        rolls = [code(roll.component) for roll in stack.rolls] + (["not known"] if stack.objects is None else [])
        grave = sum(alert.severity is not Severity.NOTE for alert in stack.warnings)
        grave += sum(change.new for change in stack.policies)
        rows.append(f"| {name_of(stack)} | {' | '.join(counts)} | {', '.join(rolls)} | {grave or ''} |")
    return "\n".join(rows)


def _failures(stack: StackReport) -> Iterator[str]:
    base, head = stack.base_failure, stack.head_failure
    if head is not None and head.kind is FailureKind.NO_STACK:
        yield (
            f"⚠️ {name_of(stack)}: its file is removed. It can no longer be deployed from here; what is deployed "
            "stays until somebody destroys it."
        )
    elif head is not None:
        yield f"⛔ {name_of(stack)} cannot be planned with this change ({head.kind}):\n\n{_text_block(head.text)}"
    if base is None or (head is not None and base == head):
        return
    if base.kind is FailureKind.NO_STACK:
        yield f"📝 {name_of(stack)} is new: nothing is deployed yet that it could change."
    else:
        yield (
            f"⚠️ {name_of(stack)} cannot be planned without this change ({base.kind}), so that nothing can be "
            f"compared:\n\n{_text_block(base.text)}"
        )


def _text_block(text: str) -> str:
    return block(text.splitlines(), "text")


def _details(report: ChangeReport, limit: int | None, used: int) -> tuple[list[str], int]:
    """Return a folded section for each stack, with as many parts as fit, and how many parts do not."""
    sections: list[str] = []
    left_out = 0
    for stack in report.stacks:
        _, folded = _new_policies(stack)
        content = list(parts(stack, folded, None if limit is None else BLOCK_LINES))
        if not content:
            continue
        opening, closing = f"<details>\n<summary>{summary(stack)}</summary>", "</details>"
        frame = len(opening) + len(closing) + 6
        kept, more = (content, 0) if limit is None else _within(content, limit - used - frame)
        if left_out:
            # An earlier stack was cut: what comes after a gap would look as if there were none.
            kept, more = [], len(content)
        left_out += more
        if kept:
            sections.append("\n\n".join([opening, *kept, closing]))
            used += len(sections[-1]) + 2
    return sections, left_out
