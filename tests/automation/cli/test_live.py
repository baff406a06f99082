"""What a terminal shows while steps are under way."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console as RichConsole

from automation.cli.console import Console
from automation.cli.live import LiveView
from automation.engine.events import Event, EventKind
from components.kube.unready_pods import Unready
from components.kube.workload_states import WorkloadState

RELEASE = {"operation": "create", "type": "kubernetes:helm.sh/v3:Release", "name": "airflow"}
BEGUN = Event(kind=EventKind.BEGUN, text="creating Release airflow (usually 90 s)", usual_seconds=90.0, **RELEASE)  # type: ignore[arg-type]
DONE = Event(kind=EventKind.DONE, text="created Release airflow (95 s)", **RELEASE)  # type: ignore[arg-type]


def workload(name: str, ready: int) -> Event:
    why = None if ready else Unready("git-sync-init: runs", "s", detail="no branch")
    state = WorkloadState(kind="Deployment", name=name, ready=ready, wanted=1, unready=why, release="airflow")
    return Event(kind=EventKind.WORKLOAD, text=state.says, name=name, workload=state)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_steps_are_shown_with_their_time_and_workloads_with_their_reason() -> None:
    view, file = LiveView(), Terminal()
    try:
        assert view.event(BEGUN, file)
        assert view.event(workload("scheduler", 0), file)
        assert view.event(workload("redis", 1), file)
        begun = next(iter(view.steps.values()))[1]
        assert view.rows(begun + 12) == [
            ("creating Release airflow", "12 s", "usually 90 s"),
            ("  scheduler", "0/1", "git-sync-init: runs: no branch"),
        ]
        assert view.ready() == "redis"
        assert not view.event(DONE, file), "what is over is printed"
    finally:
        view.close()
    assert not view.open
    assert view.rows(0) == []


def test_workload_is_shown_only_while_its_step_is_under_way() -> None:
    view, file = LiveView(), Terminal()
    job = {"operation": "create", "type": "kubernetes:batch/v1:Job", "name": "migrate"}
    state = WorkloadState(kind="Job", name="migrate-1", ready=0, wanted=1)
    try:
        view.event(BEGUN, file)
        view.event(Event(kind=EventKind.BEGUN, text="creating Job migrate", **job), file)  # type: ignore[arg-type]
        view.event(Event(kind=EventKind.WORKLOAD, text="x", workload=state), file)
        assert [row[0] for row in view.rows(0)][2:] == ["  migrate-1"]
        view.event(Event(kind=EventKind.DONE, text="created", **job), file)  # type: ignore[arg-type]
        assert [row[0] for row in view.rows(0)] == ["creating Release airflow"]
    finally:
        view.close()


def test_wait_is_shown_until_the_next_event() -> None:
    view, file = LiveView(), Terminal()
    try:
        assert view.event(Event(kind=EventKind.WAITING, text="checking: components ready"), file)
        begun = view.waiting[1] if view.waiting else 0
        assert view.waits(begun + 3) == "checking: components ready  3 s"
        assert view.event(Event(kind=EventKind.WAITING, text="checking: components ready"), file)
        assert view.waits(begun + 3).endswith("  3 s"), "the same wait goes on"
        assert view.event(Event(kind=EventKind.WAITING, text="checking: Airflow healthy"), file)
        assert view.waits(0).startswith("checking: Airflow healthy")
        assert view.event(BEGUN, file)
        assert view.waits(0) == ""
        assert not view.event(DONE, file)
        assert not view.event(Event(kind=EventKind.NOTE, text="done"), file)
        assert not view.open
    finally:
        view.close()


def test_result_is_written_below_what_was_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    console = Console(results=terminal, progress=terminal)
    console.event(Event(kind=EventKind.WAITING, text="checking: all"))
    console.result("passed")
    assert not console.view.open
    assert terminal.getvalue().endswith("passed\n")


def test_columns_stay_where_they_are_when_a_long_name_goes() -> None:
    view, file = LiveView(), Terminal()
    job = {"operation": "create", "type": "kubernetes:batch/v1:Job", "name": "migrate"}

    def place_of_the_time() -> int:
        shown = io.StringIO()
        RichConsole(file=shown, width=100).print(view._shown())
        return re.sub(r" +$", "", shown.getvalue().splitlines()[0], flags=re.MULTILINE).index(" 0 s")

    try:
        view.event(BEGUN, file)
        view.event(Event(kind=EventKind.BEGUN, text="creating Job with-a-very-long-name", **job), file)  # type: ignore[arg-type]
        before = place_of_the_time()
        view.event(Event(kind=EventKind.DONE, text="created", **job), file)  # type: ignore[arg-type]
        assert place_of_the_time() == before
    finally:
        view.close()


def test_reason_is_whole_beside_a_long_name(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"word{number}" for number in range(10)]
    state = WorkloadState(kind="Job", name="m", ready=0, wanted=1, unready=Unready("why", "s", detail=" ".join(words)))
    for columns in (50, 60, 80, 100):
        monkeypatch.setenv("COLUMNS", str(columns))
        view, file, shown = LiveView(), Terminal(), io.StringIO()
        try:
            view.event(Event(kind=EventKind.BEGUN, text=f"creating Secret {'with-a-long-name' * 4}", name="s"), file)
            view.event(Event(kind=EventKind.WORKLOAD, text="x", workload=state), file)
            RichConsole(file=shown, width=columns).print(view._shown())
        finally:
            view.close()
        assert [word for word in words if word not in shown.getvalue()] == [], columns


def test_terminal_keeps_what_is_over_and_a_pipe_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, pipe = Terminal(), io.StringIO()
    for file in (terminal, pipe):
        console = Console(progress=file)
        for event in (BEGUN, workload("scheduler", 0), DONE):
            console.event(event)
        console.line("after all")
        console.close()
    assert pipe.getvalue().splitlines() == [
        BEGUN.text,
        "scheduler 0/1 ready: git-sync-init: runs: no branch",
        DONE.text,
        "after all",
    ]
    assert terminal.getvalue().rstrip().splitlines()[-1].endswith("after all")
    assert DONE.text in terminal.getvalue()


def test_terminal_breaks_a_warning_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    Console(progress=terminal).event(Event(kind=EventKind.WARNING, text="warning: this is longer than it is wide"))
    assert re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()) == "warning: this is longer than\n  it is wide\n"


def test_terminal_that_cannot_show_a_view_gets_every_line_as_a_pipe_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    console = Console(progress=terminal)
    for event in (BEGUN, workload("scheduler", 0), DONE):
        console.event(event)
    assert terminal.getvalue().splitlines() == [BEGUN.text, workload("scheduler", 0).text, DONE.text]
