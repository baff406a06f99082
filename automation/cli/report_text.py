"""Results as tables: in colour on a terminal, as plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TextIO

from automation.cli.plain_text import plain
from automation.verification.result import Status, Verification

if TYPE_CHECKING:
    from automation.stages.result import PlannedStage

_STYLE: Final = {
    Status.PASSED: "green",
    Status.WARNING: "yellow",
    Status.FAILED: "bold red",
    Status.SKIPPED: "dim",
}


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    headings: tuple[str, ...]
    """One for each column; shown on a terminal only."""
    rows: tuple[tuple[str, ...], ...]
    """The rows, each with a text for each heading."""
    styles: tuple[str, ...] = ()
    """Style of the first cell of each row, in `rich`'s words; none for plain rows."""


def write_table(content: Verification | Table, file: TextIO) -> None:
    """Write a table to a stream."""
    table = verification_table(content) if isinstance(content, Verification) else content
    table = replace(table, rows=tuple(tuple(map(plain, row)) for row in table.rows))
    if file.isatty():
        _write_rich(table, file)
    else:
        file.write("".join(f"{line}\n" for line in table_lines(table)))
    file.flush()


def verification_table(verification: Verification) -> Table:
    """Return a row for each check: status, name, detail."""
    return Table(
        headings=("", "check", "seen"),
        rows=tuple((f"{check.status:<7}", check.name, check.detail) for check in verification.checks),
        styles=tuple(_STYLE[check.status] for check in verification.checks),
    )


def stage_table(stages: Sequence[PlannedStage], rolls: str = "rolls") -> Table:
    """Return a row for each stage. rolls: heading of the pods that it replaces."""
    rows = tuple(
        (
            str(number),
            stage.text,
            ", ".join(stage.rolls) or "nothing",
            "done" if stage.done else f"{stage.seconds:.0f} s" if stage.seconds is not None else "unknown",
        )
        for number, stage in enumerate(stages, 1)
    )
    return Table(("stage", "when it is done", rolls, "about"), rows)


def table_lines(table: Table) -> list[str]:
    """Return a line for each row, in columns."""
    widths = [max(map(len, column)) for column in zip(*table.rows, strict=True)]
    return [_line(row, widths) for row in table.rows]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _write_rich(content: Table, file: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(box=None, pad_edge=False)
    for heading in content.headings:
        table.add_column(heading, overflow="fold")
    for number, (first, *others) in enumerate(content.rows):
        style = content.styles[number] if content.styles else ""
        # As text, not as markup: a detail may hold brackets.
        table.add_row(Text(first, style), *map(Text, others))
    Console(file=file).print(table)
