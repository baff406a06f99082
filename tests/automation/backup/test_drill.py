"""Drills, backups and old databases of a stack that exists in memory, and what follows a kill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from automation.backup.jobs import BackupJobs
from automation.errors import BackupFailed, WrongCluster
from tests.automation.backup.test_restore import NEWEST
from tests.automation.backup.test_restore import World as RestoreWorld
from tests.automation.kept_world import Killed

LOOK = {
    "read": 3,
    "unread": [],
    "unread_count": 0,
    "broken": [],
    "heads": ["a"],
    "at_head": True,
    "runs": 7,
    "newest_run": "2026-01-01T23:59:00+00:00",
}


@dataclass
class World(RestoreWorld):
    """A stack that runs meanwhile. A process that was killed does nothing more, not even tidy up."""

    dumps: int = 0

    def act(self, name: str) -> None:
        if self.kill_at and self.steps >= self.kill_at:
            raise Killed
        self.step(name)

    def job(self, mode: str, *arguments: str) -> str:
        if mode in ("list", "databases"):
            return super().job(mode, *arguments)
        self.act(f"{mode} begins")
        if mode == "restore":
            backup, new, _ = arguments
            self.contents[new] = self.comments[new] = backup
        elif mode == "dump":
            self.dumps += 1
        else:
            assert mode == "drop"
            assert arguments[0].startswith("airflow_drill_"), "only what drills have made"
            self.contents.pop(arguments[0], None)
            self.comments.pop(arguments[0], None)
        self.act(mode)
        return "7"

    def look(self, database: str) -> dict[str, Any]:
        assert self.contents[database] == NEWEST
        self.act("look")
        return LOOK


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    found.take_over(monkeypatch)
    monkeypatch.setattr(BackupJobs, "look", lambda jobs, database: found.look(database))
    monkeypatch.setattr(BackupJobs, "end_left_over", lambda jobs: found.calls.append("end left over"))
    return found


def test_drill_that_is_killed_anywhere_leaves_nothing_when_it_is_run_again(world: World) -> None:
    assert world.open().drill().ok
    steps = world.steps
    for moment in range(1, steps + 1):
        vars(world).update(vars(World(world.folder)), kill_at=moment)
        with pytest.raises(Killed):
            world.open().drill()
        world.kill_at, world.calls = 0, []
        done = world.open().drill()
        assert (done.ok, done.backup) == (True, NEWEST)
        assert world.calls[0] == "end left over", "or it would still fill what is dropped now"
        assert world.contents == {"airflow": "lost"}, moment


def test_backup_that_is_killed_is_no_reason_against_the_next_one(world: World) -> None:
    for moment in (1, 2):
        vars(world).update(vars(World(world.folder)), kill_at=moment)
        with pytest.raises(Killed):
            world.open().backup()
        world.kill_at = 0
        assert world.open().backup().backup.bytes == 7
        assert world.dumps == moment


def test_old_database_stays_until_the_restore_that_has_replaced_it_is_finished(world: World) -> None:
    world.contents["airflow_old_20260104000000"] = world.comments["airflow_old_20260104000000"] = "lost"
    world.kept = world.kept.changed(restore=f"20260104000000 {NEWEST} all")
    with pytest.raises(BackupFailed, match="a restore is not finished, and may still need the database before it"):
        world.open().delete_old_databases()
    assert "airflow_old_20260104000000" in world.contents


def test_databases_of_another_cluster_are_neither_dumped_nor_dropped(world: World) -> None:
    world.cluster_tag = "another"
    stack = world.open()
    for verb in (stack.backup, stack.drill, stack.restore, stack.delete_old_databases):
        with pytest.raises(WrongCluster):
            verb()
    assert world.calls == []
