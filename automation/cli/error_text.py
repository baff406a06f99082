"""Errors as lines: one for each in a pipe, where programs read them; broken between words on a terminal."""

from __future__ import annotations

import textwrap

from automation.errors import FIX

_MORE = "  "


def error_lines(text: str, columns: int | None) -> list[str]:
    """Return the lines of an error.

    Args:
        text: The error. A line that continues the one before is indented.
        columns: Width of the terminal, None without one. A fix is a command to copy, so it is never broken there.
    """
    lines = [line if line.startswith(" ") else f"error: {line}" for line in text.splitlines()]
    return lines if columns is None else [part for line in lines for part in _broken(line, columns)]


def _broken(line: str, columns: int) -> list[str]:
    what, fix, remedy = line.partition(FIX)
    indent = what[: len(what) - len(what.lstrip())] + _MORE
    broken = textwrap.wrap(
        f"{what}." if fix else what,
        columns,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return [*broken, f"{indent}{fix.lstrip('. ')}{remedy}"] if fix else broken
