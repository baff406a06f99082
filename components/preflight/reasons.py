"""Recognise a failure in what a program wrote: the first pattern that matches says what is wrong and how to fix it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from components.preflight.finding import Finding, failed

_LENGTH: Final = 300
_ENDS: Final = re.compile(r"(?:\\{1,2}[nr])+|[\r\n]+")
"""Ends of lines. git-sync writes JSON in which git's lines are quoted, and quoted again."""
_QUOTED: Final = re.compile(r"^.*stderr: \\*\"|\\*\" }.*$")
"""The frame that git-sync puts around git's messages."""
_TELLING: Final = re.compile(r"^(fatal|error|ERROR)\b|Error\b")


@dataclass(frozen=True)
class Reason:
    """One usual failure."""

    pattern: str
    """A regular expression that finds it in one line, whatever the case."""
    what: str
    """`KEY: what was expected, what was found`, with `{names}` of what is known; `{line}` is the line that matched."""
    fix: str
    """What to do, with the same names."""
    outage: bool = False
    """Whether another system may be down for a while."""


def explained(check: str, text: str, reasons: Sequence[Reason], known: Mapping[str, str]) -> Finding:
    """Return the finding of the first reason that matches a line of the text. The last one has the pattern ""."""
    written = lines(text)
    matches = (
        (reason, line) for reason in reasons for line in written if re.search(reason.pattern, line, re.IGNORECASE)
    )
    reason, line = next(matches)
    if not reason.pattern:
        line = next(filter(_TELLING.search, reversed(written)), written[-1])
    names = {**known, "line": line if len(line) <= _LENGTH else f"{line[:_LENGTH]}…"}
    return failed(check, reason.what.format_map(names), reason.fix.format_map(names), outage=reason.outage)


def lines(text: str) -> list[str]:
    """Return what was written, line by line; at least one line."""
    found = [_QUOTED.sub("", line).strip() for line in _ENDS.split(text)]
    return [line for line in found if line] or ["nothing"]
