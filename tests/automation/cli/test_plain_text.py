"""What pods, a cluster, a Git host and the authors of branches say, on a terminal and in the log of a CI job."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Final

import pytest

from automation.cli.console import Console
from automation.cli.declare import Call
from automation.cli.error_text import write_error
from automation.cli.plain_text import plain
from automation.cli.report_text import Table
from automation.engine.events import Event, EventKind
from components.kube.unready_pods import Unready
from components.kube.workload_states import WorkloadState
from tests.cases import each

STEERING: Final = {
    "clears the screen": "\x1b[2J\x1b[H",
    "sets the title": "\x1b]0;root@prod\x07",
    "writes to the clipboard": "\x1b]52;c;Y3VybCBldmlsfHNo\x07",
    "leads elsewhere": "\x1b]8;;https://evil.test\x1b\\status\x1b]8;;\x1b\\",
    "writes over the line": "failed\rall is well",
    "goes back": "no\b\byes",
    "begins a sequence with one byte": "\x9b2J",
    "turns the text around": "\u202edelleh\u202c",
    "is not seen": "a\u200bb\u2060c",
    "ends a line elsewhere": "a\u2028b\x85c\x0bd\x0ce",
}
COMMANDS: Final = (
    *("::add-mask::failed", "  ::stop-commands::x", "\xa0::error file=a::b", "::set-output name=changes::true"),
    *("x ##[add-mask]failed", "##[group]a", "\u2028::warning::a"),
)


def seen(text: str) -> str:
    """A text in all that the command line writes."""
    file = io.StringIO()
    console = Console(results=file, progress=file)
    args = argparse.Namespace(json=False)
    console.line(text)
    console.event(Event(kind=EventKind.WARNING, text=text))
    console.result(text)
    console.json({"text": text})
    write_error(text, file)
    Call(args, console, Path()).show(None, text, Table(("a", "b"), ((text, "x"),)))
    return file.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def seen_on_a_terminal(text: str) -> str:
    """The same on a terminal, with the view of what is under way."""
    file = Terminal()
    console = Console(results=file, progress=file)
    state = WorkloadState(
        kind="Job", name="migrate", ready=0, wanted=1, unready=Unready("x", "s", detail=text), release="airflow"
    )
    of_a_step = {"operation": "create", "type": "kubernetes:batch/v1:Job", "name": "migrate"}
    console.event(Event(kind=EventKind.BEGUN, text=text, **of_a_step))  # type: ignore[arg-type]
    console.event(Event(kind=EventKind.WORKLOAD, text=text, workload=state))
    rows = [cell for row in console.view.rows(0) for cell in row]
    console.line(text)
    console.event(Event(kind=EventKind.ERROR, text=text))
    console.event(Event(kind=EventKind.WAITING, text=text))
    rows.append(console.view.waits(0))
    console.close()
    assert text not in file.getvalue()
    return "\n".join(rows)


@each("what", STEERING)
def test_nothing_of_others_steers_a_terminal(what: str) -> None:
    text = STEERING[what]
    shown = seen(f"a pod says {text} and ends")
    assert not [sign for sign in shown if not sign.isprintable() and sign not in "\n\t"], repr(shown)
    assert shown.count("and ends") == 7


def test_view_of_what_is_under_way_shows_it_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for text in STEERING.values():
        shown = seen_on_a_terminal(text)
        assert not [sign for sign in shown if not sign.isprintable() and sign not in "\n\t"], repr(shown)


@each("command", COMMANDS)
def test_nothing_of_others_is_a_command_to_github_s_runner(command: str) -> None:
    for line in seen(f"it said:\n{command}").split("\n"):
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line, line


def test_json_stays_the_same_document() -> None:
    for content in ({"a": [*STEERING.values(), *COMMANDS]}, dict.fromkeys(STEERING.values(), 1)):
        for ascii_only in (True, False):
            assert json.loads(plain(json.dumps(content, indent=2, ensure_ascii=ascii_only))) == content


def test_other_text_stays_as_it_is() -> None:
    for text in ("a: b\n\tc", "Zürich, 東京 🚀", "::1 and ::/0", "x[::2]", "## heading", "a::b"):
        assert plain(text) == text


def test_what_a_shell_reads_is_exact() -> None:
    file = io.StringIO()
    Console(results=file, progress=file).for_shell("export A='b\u200bc'")
    assert file.getvalue() == "export A='b\u200bc'\n"
