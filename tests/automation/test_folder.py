"""One operation at a time in a folder, of threads and of processes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from automation.errors import Interrupted
from automation.folder import LOCK_NAME, alone_in
from automation.wait import Clock
from tests import samples
from tests.automation.fakes import FakeTime

HOLDS = """\
import sys, time
from pathlib import Path
from automation.folder import alone_in
from automation.wait import Clock
with alone_in(Path(sys.argv[1]), 0, lambda: None, Clock()) as alone:
    print(alone, flush=True)
    time.sleep(60)
"""


def tried(folder: Path, seconds: float = 0) -> bool:
    with alone_in(folder, seconds, lambda: None, FakeTime().clock) as alone:
        return alone


def test_lock_is_had_once_and_is_free_again_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with alone_in(folder, 0, lambda: None, Clock()) as alone:
        assert alone
        assert not tried(folder)
        assert tried(tmp_path / "other")
    assert tried(folder)


def test_who_waits_gets_it_when_it_is_free(tmp_path: Path) -> None:
    waits, free = threading.Event(), threading.Event()
    got: list[bool] = []

    def second() -> None:
        with alone_in(tmp_path, 60, waits.set, Clock()) as alone:
            got.append(alone)

    with alone_in(tmp_path, 0, lambda: None, Clock()):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(10)
        free.set()
    thread.join(10)
    assert got == [True]


def test_who_waits_can_be_stopped(tmp_path: Path) -> None:
    def stop() -> None:
        raise Interrupted("told to stop", "run it again")

    with (
        alone_in(tmp_path, 0, lambda: None, Clock()),
        pytest.raises(Interrupted),
        alone_in(tmp_path, 60, stop, FakeTime().clock),
    ):
        pytest.fail("it was not free")


def test_nothing_is_left_of_a_holder_that_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, cwd=samples.ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        assert not tried(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert tried(tmp_path)


def test_folder_that_its_holder_removes_is_no_trap(tmp_path: Path) -> None:
    """A lock on a file that is no more keeps nobody out."""
    folder = tmp_path / "stack"
    with alone_in(folder, 0, lambda: None, Clock()):
        shutil.rmtree(folder)
        with alone_in(folder, 0, lambda: None, Clock()) as alone:
            assert alone
            assert not tried(folder)
            assert (folder / LOCK_NAME).is_file()
