"""Notes about started engines: what they say after the engine was killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from automation.engine import started_engines
from automation.engine.command import Engine
from automation.engine.machine import this_machine
from tests.cases import each


def engine(folder: Path, script: str) -> Engine:
    """An engine that does what the script says; it answers when it is asked for its version."""
    program = folder / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo v3.999.0 && exit 0\n{script}\n')
    program.chmod(0o755)
    return Engine(str(folder))


def test_engine_that_takes_a_lock_is_noted_while_it_runs_and_not_when_it_has_ended_well(tmp_path: Path) -> None:
    found = (
        engine(tmp_path, "until [ -e .engine-$$.json ]; do sleep 0.1; done; ls -A; echo $$")
        .run(["up", "--yes"], str(tmp_path), {})
        .stdout.splitlines()
    )
    assert f".engine-{found[-1]}.json" in found
    assert started_engines.noted(tmp_path) == ()


def test_killed_engine_stays_noted(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="code: -9"):
        engine(tmp_path, "kill -9 $$").run(["up"], str(tmp_path), {})
    (noted,) = started_engines.noted(tmp_path)
    assert (noted.where, noted.runs(shared=True)) == (this_machine(), False)
    started_engines.forget_all(tmp_path)
    assert started_engines.noted(tmp_path) == ()


@each(
    "words, takes",
    [
        (["up"], True),
        (["destroy"], True),
        (["refresh"], True),
        (["stack", "import"], True),
        (["state", "taint"], True),
        ([], False),
    ]
    + [([word], False) for word in ("preview", "version", "stack", "config", "cancel")],
)
def test_only_commands_that_lock_the_stack_are_noted(words: list[str], takes: bool) -> None:
    assert started_engines.takes_lock(words) is takes


def test_notes_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automation.engine.processes.began", float)
    for pid in range(1, 60):
        started_engines.note(tmp_path, pid)
    assert len(started_engines.noted(tmp_path)) == 20


def test_folder_that_cannot_be_written_stops_no_update(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    started_engines.note(tmp_path / "file", os.getpid())
    started_engines.forget(tmp_path / "file", os.getpid())
    assert started_engines.noted(tmp_path / "file") == ()


@each("text", ["", "{", "[]", "{}", '{"pid": 7, "where": []}', '{"pid": 7, "began": 1, "written": 1, "where": {}}'])
def test_note_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / ".engine-7.json").write_text(text)
    assert started_engines.noted(tmp_path) == ()
