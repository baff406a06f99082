"""Errors as lines: one for each in a pipe, where programs read them; broken between words on a terminal."""

from __future__ import annotations

import textwrap
from typing import Final, TextIO

from automation.cli.plain_text import plain
from components.kube.fix_text import FIX

_MORE: Final = "  "


def write_error(text: str, file: TextIO) -> None:
    """Write an error to a stream."""
    text = plain(text)
    if not file.isatty():
        print(*error_lines(text, None), sep="\n", file=file, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    terminal = Console(file=file)
    for line in error_lines(text, terminal.width):
        style = "" if line.lstrip().startswith(FIX.lstrip(". ")) else "red"
        # As text, not as markup: it may hold brackets.
        terminal.print(Text(line, style), soft_wrap=True)


def error_lines(text: str, columns: int | None) -> list[str]:
    """Return the lines of an error.

    Args:
        text: The error. A line that continues the one before is indented.
        columns: Width of the terminal, None without one. A fix is a command to copy, so it is never broken there.
    """
    lines = [line if line.startswith(" ") else f"error: {line}" for line in text.splitlines()]
    return lines if columns is None else [part for line in lines for part in broken(line, columns)]


def broken(line: str, columns: int) -> list[str]:
    """Return a line in pieces that fit, its fix in one piece below them."""
    what, fix, remedy = line.partition(FIX)
    indent = what[: len(what) - len(what.lstrip())] + _MORE
    pieces = textwrap.wrap(
        f"{what}." if fix else what,
        columns,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [*pieces, f"{indent}{fix.lstrip('. ')}{remedy}"] if fix else pieces
