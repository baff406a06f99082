"""Errors on a terminal and in a pipe."""

from __future__ import annotations

import io

import pytest

from automation.cli.error_text import error_lines, write_error

TEXT = """\
up of stack dev ended: the preflight found one problem
  airflow:dagsRef: expected a branch of ssh://git@git.test/dags.git, found none named mian. Fix: pulumi config set m"""


def test_pipe_gets_each_error_in_one_line() -> None:
    assert error_lines(TEXT, None) == [f"error: {TEXT.splitlines()[0]}", TEXT.splitlines()[1]]
    assert error_lines("a. Fix: b\nc. Fix: d", None) == ["error: a. Fix: b", "error: c. Fix: d"]


def test_terminal_breaks_between_words_and_keeps_the_command_in_one_piece() -> None:
    assert error_lines(TEXT, 50) == [
        "error: up of stack dev ended: the preflight found",
        "  one problem",
        "  airflow:dagsRef: expected a branch of",
        "    ssh://git@git.test/dags.git, found none named",
        "    mian.",
        "    Fix: pulumi config set m",
    ]
    assert error_lines("no room. Fix: make some room on the disk", 20) == [
        "error: no room.",
        "  Fix: make some room on the disk",
    ]


def test_terminal_shows_what_is_wrong_in_red_and_what_to_do_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, pipe = Terminal(), io.StringIO()
    for file in (terminal, pipe):
        write_error("no [room]. Fix: make some", file)
    assert terminal.getvalue() == "\x1b[31merror: no [room].\x1b[0m\n  Fix: make some\n"
    assert pipe.getvalue() == "error: no [room]. Fix: make some\n"
