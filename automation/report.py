"""A verification as a table: with colours on a terminal, as plain lines in a pipe."""

from __future__ import annotations

from typing import Final, TextIO

from automation.verification import Status, Verification

_STYLE: Final = {
    Status.PASSED: "green",
    Status.WARNING: "yellow",
    Status.FAILED: "bold red",
    Status.SKIPPED: "dim",
}


def write_table(verification: Verification, file: TextIO) -> None:
    """Writes it to a stream."""
    if file.isatty():
        _write_rich(verification, file)
    else:
        file.write("".join(f"{line}\n" for line in table_lines(verification)))
    file.flush()


def table_lines(verification: Verification) -> list[str]:
    """One line a check: status, name, detail, in columns."""
    checks = verification.checks
    width = max((len(check.name) for check in checks), default=0)
    return [f"{check.status:<7}  {check.name:<{width}}  {check.detail}".rstrip() for check in checks]


def _write_rich(verification: Verification, file: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("", "check", "seen"):
        table.add_column(heading, overflow="fold")
    for check in verification.checks:
        # Text, not markup: a detail may hold brackets.
        table.add_row(Text(check.status, _STYLE[check.status]), Text(check.name), Text(check.detail))
    Console(file=file).print(table)
