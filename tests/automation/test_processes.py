"""What an engine that was killed left running, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from automation.processes import (
    Process,
    end,
    exists,
    left_behind,
    orphaned_plugins,
    parse_ps,
    processes,
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
    process.kill()
    process.wait()
    found = left_behind(process.pid, processes())
    assert [(item.pid, item.name) for item in found] == [(plugin, "pulumi-resource-kubernetes")]
    end(found)
    assert left_behind(process.pid, processes()) == ()


def test_nothing_else_is_taken_for_what_an_engine_left(engine: tuple[subprocess.Popen[str], int]) -> None:
    process, _ = engine
    assert left_behind(os.getpid() + 10**6, processes()) == ()
    assert os.getpid() not in {item.pid for item in left_behind(process.pid, processes())}


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
    assert time.time() - 3600 < me.started <= time.time() + 1


def plugin(pid: int, parent: int, started: float = 100.0) -> Process:
    return Process(pid=pid, parent=parent, name="pulumi-resource-kubernetes", started=started)


def test_plugin_without_an_engine_is_an_orphan_and_one_with_it_is_not() -> None:
    engine = Process(pid=5, parent=1, name="pulumi", started=99)
    host = Process(pid=6, parent=5, name="pulumi-language-python", started=99)
    shell = Process(pid=7, parent=1, name="bash", started=0)
    found = (engine, host, shell, plugin(10, 5), plugin(11, 6), plugin(12, 7), plugin(13, 4000))
    assert [item.pid for item in orphaned_plugins(found, 99, 60)] == [12, 13]


@pytest.mark.parametrize(("started", "expected"), [(97.0, []), (100.0, [10]), (159.0, [10]), (160.5, [])])
def test_orphan_counts_only_if_it_began_with_the_engine(started: float, expected: list[int]) -> None:
    assert [item.pid for item in orphaned_plugins([plugin(10, 1, started)], 99, 60)] == expected


def test_lines_of_ps_are_understood() -> None:
    listed = "    1     0 05-02:03:04 /sbin/launchd\n  77     1       01:30 /usr/local/bin/pulumi\nnonsense\n"
    assert parse_ps(listed, 1_000_000.0) == (
        Process(pid=1, parent=0, name="launchd", started=1_000_000 - (5 * 86400 + 2 * 3600 + 3 * 60 + 4)),
        Process(pid=77, parent=1, name="pulumi", started=1_000_000 - 90),
    )


def test_without_proc_ps_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("automation.processes._PROC", tmp_path / "nothing")
    (tmp_path / "ps").write_text("#!/bin/sh\necho '77 1 01:30 /usr/local/bin/pulumi'\n")
    (tmp_path / "ps").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert [(item.pid, item.is_engine, item.session) for item in processes()] == [(77, True, 0)]
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert processes() == ()
