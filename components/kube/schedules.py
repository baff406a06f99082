"""When a CronJob runs, as Kubernetes reads it (github.com/robfig/cron, v3, `ParseStandard`). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[tuple[tuple[int, int, Sequence[str]], ...]] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
"""Least, most and names of minute, hour, day, month and weekday. Sunday is 0 alone."""
_WORDS: Final = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every ([0-9.]+(ns|us|ms|s|m|h))+")


def is_schedule(text: str) -> bool:
    """Return whether Kubernetes accepts a schedule."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return _WORDS.fullmatch(text.strip()) is not None
    return all(_is_field(part, *field) for part, field in zip(parts, _FIELDS, strict=True))


def _is_field(text: str, least: int, most: int, names: Sequence[str]) -> bool:
    return all(_is_range(part, least, most, names) for part in text.split(","))


def _is_range(text: str, least: int, most: int, names: Sequence[str]) -> bool:
    span, slash, step = text.partition("/")
    if slash and not re.fullmatch("0*[1-9][0-9]{0,3}", step):
        return False
    if span in ("*", "?"):
        return True
    ends = [_number(end, least, names) for end in span.split("-")]
    known = [end for end in ends if end is not None]
    return len(known) == len(ends) <= 2 and least <= known[0] <= known[-1] <= most


def _number(text: str, least: int, names: Sequence[str]) -> int | None:
    if text.lower() in names:
        return names.index(text.lower()) + least
    return int(text) if re.fullmatch("[0-9]{1,4}", text) else None
