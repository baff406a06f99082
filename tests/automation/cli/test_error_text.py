"""Errors on a terminal and in a pipe."""

from __future__ import annotations

from automation.cli.error_text import error_lines

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
