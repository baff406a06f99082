"""What an engine that was killed left running, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from automation.engine.machine import now
from automation.engine.processes import (
    Process,
    began,
    end,
    exists,
    left_behind,
    orphaned_plugins,
    processes,
    runs,
    until_gone,
)
from tests.automation.fakes import FakeTime

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)
STARTS_ANOTHER = """\
import subprocess, sys, time
child = subprocess.Popen([sys.argv[1], "60"], process_group=0)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A session with a plugin in a process group of its own, as the engine starts it; its pid."""
    plugin = tmp_path / "pulumi-resource-kubernetes"
    shutil.copy(Path("/bin/sleep").resolve(), plugin)
    command = [sys.executable, "-c", STARTS_ANOTHER, str(plugin)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        try:
            yield process, pid
        finally:
            process.kill()
            if exists(pid):
                os.kill(pid, signal.SIGKILL)


def test_plugin_outlives_its_engine_and_is_found_by_the_session(engine: tuple[subprocess.Popen[str], int]) -> None:
    process, plugin = engine
    (started,) = (item.started for item in processes() if item.pid == process.pid)
    assert left_behind(process.pid, processes(), started, 60) == (), "it lives"
    process.kill()
    process.wait()
    found = left_behind(process.pid, processes(), started, 60)
    assert [(item.pid, item.name) for item in found] == [(plugin, "pulumi-resource-kubernetes")]
    end(found)
    assert left_behind(process.pid, processes(), started, 60) == ()


ENGINE = 4242
LOCKED = 1000.0


def mate(pid: int, name: str = "pulumi-resource-kubernetes", *, parent: int = 1, started: float = LOCKED) -> Process:
    """A process of the session that the engine led."""
    return Process(pid=pid, parent=parent, name=name, started=started, session=ENGINE)


@pytest.mark.parametrize("name", ["bash", "pulumi", ".pulumi-wrapped"])
def test_session_whose_leader_lives_is_that_leaders(name: str) -> None:
    """The process id was given away: a shell with what it runs, or another stack's engine with its plugins."""
    leader = mate(ENGINE, name, started=LOCKED + 30)
    assert left_behind(ENGINE, [leader, mate(7, parent=ENGINE, started=LOCKED + 31), mate(8)], LOCKED, 60) == ()


def test_what_was_started_at_another_time_is_not_of_the_dead_engine() -> None:
    """A daemon stays in the session of a leader that has ended, also where that one had the engine's id."""
    for after, left in [(-3600, []), (-5, []), (-0.5, [7]), (0, [7]), (59, [7]), (61, []), (86400, [])]:
        assert [item.pid for item in left_behind(ENGINE, [mate(7, started=LOCKED + after)], LOCKED, 60)] == left


def test_nothing_is_left_of_an_engine_whose_time_is_not_known() -> None:
    assert left_behind(ENGINE, [mate(7)], 0.0, 60) == ()


def test_this_process_and_those_it_descends_from_are_never_ended() -> None:
    me = mate(os.getpid(), "python", parent=8)
    found = [me, mate(8, "bash", parent=9), mate(9, "make"), mate(10, "sibling", parent=8)]
    assert [item.pid for item in left_behind(ENGINE, found, LOCKED, 60)] == [10]


def test_process_that_ignores_a_polite_signal_ends_all_the_same() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (found,) = (item for item in processes() if item.pid == process.pid)
        end([found], FakeTime().clock)
        assert process.wait(10) == -signal.SIGKILL


def test_process_that_is_gone_already_is_no_error() -> None:
    end([Process(pid=2**22 - 1, parent=1, name="pulumi", started=0)])


def test_waiting_ends_with_the_process_or_with_the_time() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (found,) = (item for item in processes() if item.pid == process.pid)
        assert until_gone([found], 1, FakeTime().clock) == (found,)
    assert until_gone([found], 1, FakeTime().clock) == ()


def test_this_process_is_seen_as_it_is() -> None:
    (me,) = (item for item in processes() if item.pid == os.getpid())
    assert me.parent == os.getppid()
    assert me.session == os.getsid(0)
    assert 0 < me.started <= now()


@pytest.mark.parametrize("hours", [-1, 1])
def test_start_of_a_process_stays_the_same_when_the_clock_is_set(hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = began(os.getpid())
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: real + hours * 3600)
    monkeypatch.setattr(psutil, "boot_time", lambda: real)
    assert began(os.getpid()) == before is not None


@pytest.mark.parametrize("pid", [-1, 0, 2**40])
def test_id_that_no_process_has_is_of_none(pid: int) -> None:
    assert began(pid) is None
    assert not runs(pid, 0.0)


def plugin(pid: int, parent: int, started: float = 100.0) -> Process:
    return Process(pid=pid, parent=parent, name="pulumi-resource-kubernetes", started=started)


def test_plugin_without_an_engine_is_an_orphan_and_one_with_it_is_not() -> None:
    engine = Process(pid=5, parent=1, name="pulumi", started=99)
    host = Process(pid=6, parent=5, name="pulumi-language-python", started=99)
    shell = Process(pid=7, parent=1, name="bash", started=0)
    found = (engine, host, shell, plugin(10, 5), plugin(11, 6), plugin(12, 7), plugin(13, 4000))
    assert [item.pid for item in orphaned_plugins(found, 99, 60)] == [12, 13]


def test_plugin_that_another_program_started_is_of_no_engine(tmp_path: Path) -> None:
    path = tmp_path / "pulumi-resource-kubernetes"
    shutil.copy(Path("/bin/cat").resolve(), path)
    for arguments, expected in (((), False), (("-",), True)):
        with subprocess.Popen([path, *arguments], stdin=subprocess.PIPE) as started:
            found = orphaned_plugins(processes())
            started.communicate()
        assert (started.pid in {item.pid for item in found}) is expected, arguments


@pytest.mark.parametrize(("started", "expected"), [(97.0, []), (100.0, [10]), (159.0, [10]), (160.5, [])])
def test_orphan_counts_only_if_it_began_with_the_engine(started: float, expected: list[int]) -> None:
    assert [item.pid for item in orphaned_plugins([plugin(10, 1, started)], 99, 60)] == expected


def test_orphan_that_began_later_counts_in_the_session_of_its_engine_only() -> None:
    late = [mate(7, started=LOCKED + 3600), plugin(8, 1, LOCKED + 3600), mate(9, "nginx", started=LOCKED + 3600)]
    assert [item.pid for item in orphaned_plugins(late, LOCKED, 60, ENGINE)] == [7]
    assert orphaned_plugins(late, LOCKED, 60) == ()


@pytest.mark.parametrize(("status", "inner"), [("NSpid:\t77\t20\n", 20), ("NSpid:\t77\n", 0), ("Name:\tpulumi\n", 0)])
def test_engine_in_a_container_has_another_id_there(
    status: str, inner: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = tmp_path / "pulumi"
    shutil.copy(Path("/bin/sleep").resolve(), engine)
    monkeypatch.setattr("automation.engine.processes._PROC", tmp_path)
    with subprocess.Popen([str(engine), "60"], start_new_session=True) as process:
        try:
            (tmp_path / str(process.pid)).mkdir()
            (tmp_path / str(process.pid) / "stat").write_text(Path(f"/proc/{process.pid}/stat").read_text())
            (tmp_path / str(process.pid) / "status").write_text(f"Pid:\t77\n{status}")
            (found,) = (item for item in processes() if item.pid == process.pid)
        finally:
            process.kill()
    assert (found.name, found.is_engine, found.session, found.inner_pid) == ("pulumi", True, process.pid, inner)


def test_later_process_with_the_same_id_is_not_taken_for_the_one_that_is_awaited_or_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (found,) = (item for item in processes() if item.pid == process.pid)
        earlier = replace(found, started=found.started - 3)
        assert until_gone([earlier], 1, FakeTime().clock) == ()
        end([earlier], FakeTime().clock)
        assert process.poll() is None
        process.kill()


def test_process_that_cannot_be_looked_at_counts_as_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc may hide the processes of other users."""
    monkeypatch.setattr(psutil, "Process", raises(psutil.NoSuchProcess(os.getpid())))
    assert exists(os.getpid())


def raises(error: Exception) -> Callable[..., Any]:
    def raise_(*args: Any) -> Any:
        raise error

    return raise_


def test_process_that_has_ended_is_gone_before_its_parent_has_looked() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        assert exists(process.pid)
        process.kill()
        until_gone([item for item in processes() if item.pid == process.pid], 5)
        assert not exists(process.pid)
