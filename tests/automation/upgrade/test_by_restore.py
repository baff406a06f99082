"""Going back to the older Airflow by a backup, on a stack that exists in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from automation.engine.operations import EngineResult
from automation.errors import BackupFailed, UpgradeRefused
from tests.automation.backup.test_restore import NEWEST, OLDER
from tests.automation.backup.test_restore import World as RestoreWorld
from tests.automation.kept_world import Killed

AFTERWARDS = "airflow-20260103T000000Z.dump"
MARK = "upgrade 4/5 3.2.2/3.2.2 3.3.2/3.3.2"
NEW = {"imageTag": "3.3.2", "airflowVersion": "3.3.2"}


def record(tag: str, began: str, result: str = "succeeded") -> dict[str, Any]:
    config = {f"airflow:{key}": {"value": tag} for key in NEW}
    return {"kind": "update", "result": result, "startTime": began, "endTime": began, "config": config}


@dataclass
class World(RestoreWorld):
    """A stack whose database a newer Airflow has migrated, with dumps from before and after that."""

    history: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"kind": "refresh", "result": "succeeded", "startTime": "2026-01-02T13:00:00.000Z"},
            record("3.3.2", "2026-01-02T12:30:00.000Z"),
            record("3.3.2", "2026-01-02T12:00:00.000Z", "failed"),
            record("3.2.2", "2026-01-01T12:00:00.000Z"),
        ]
    )
    deployed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kept = self.kept.changed(**NEW, upgrade=MARK)

    def back(self, **options: Any) -> Any:
        return self.open().rollback_by_restore(keep=self.keep, timeout_seconds=30, **options)

    def up(self, on: Any, **options: Any) -> EngineResult:
        self.deployed.append(str(self.given.values["imageTag"]))
        return super().up(on, **options)

    def job(self, mode: str, *arguments: str) -> str:
        return f"3 {AFTERWARDS}\n{super().job(mode)}" if mode == "list" else super().job(mode, *arguments)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    found.take_over(monkeypatch, history=lambda on, limit: found.history[:limit])
    return found


def gone_back(world: World) -> None:
    values = world.kept.values
    assert [values.get(key) for key in (*NEW, "upgrade", "restore", "running")] == ["3.2.2", "3.2.2", None, None, None]
    assert world.contents["airflow"] == NEWEST, "the last backup from before the migration"
    assert set(world.deployed) == {"3.2.2"}, "the newer Airflow never ran on the restored database, nor in between"


def test_unfinished_upgrade_is_left_by_the_backup_from_before_its_first_update(world: World) -> None:
    plan = world.open().rollback_restoration()
    assert (plan.after, plan.backup, plan.resumed, world.calls) == ("3.2.2", NEWEST, False, [])
    done = world.back()
    gone_back(world)
    assert done.plan.after == "3.2.2"
    assert world.calls[-2:] == ["verify", "keep"]


def test_killed_anywhere_it_comes_to_the_same_end_by_either_verb(world: World) -> None:
    world.back()
    steps = world.steps
    for again in (World.back, World.restore):
        for moment in range(1, steps):
            vars(world).update(vars(World(world.folder)), kill_at=moment)
            with pytest.raises(Killed):
                world.back()
            world.kill_at = 0
            (again if world.kept.values.get("restore") else World.back)(world)
            gone_back(world)


def test_upgrade_that_was_finished_is_left_alike(world: World) -> None:
    world.kept = world.kept.changed(upgrade=None)
    world.back()
    gone_back(world)


def test_rollback_that_cannot_take_the_database_back_is_left_alike(world: World) -> None:
    world.kept = world.kept.changed(upgrade="rollback 3/5 3.3.2/3.3.2 3.2.2/3.2.2")
    world.back()
    gone_back(world)


def test_chosen_backup_wins(world: World) -> None:
    world.back(backup=OLDER)
    assert world.contents["airflow"] == OLDER
    with pytest.raises(UpgradeRefused, match=r"expected 3\.2\.2 or older, found 3\.3\.2"):
        world.back()


def test_plain_restore_in_an_upgrade_keeps_the_newer_image_and_the_upgrade(world: World) -> None:
    world.restore(NEWEST)
    assert world.kept.values["upgrade"] == MARK
    assert set(world.deployed) == {"3.3.2"}


def test_stack_that_was_never_upgraded_or_has_no_backup_is_refused_and_nothing_changes(world: World) -> None:
    before = world.kept
    world.history = [record("3.3.2", "2026-01-01T12:00:00.000Z")]
    world.kept = before.changed(upgrade=None)
    with pytest.raises(UpgradeRefused, match=r"another one .* rollback team --restore --tag TAG"):
        world.back()
    world.kept, world.history = before, [record("3.3.2", "2025-12-01T12:00:00.000Z")]
    with pytest.raises(BackupFailed, match="there is no backup from 2025-12-01"):
        world.back()
    assert (world.kept, world.calls) == (before, [])


def test_second_restore_beside_one_under_way_ends_before_it_writes_anything(world: World) -> None:
    """Both looked when nothing was under way."""
    second, mark = world.open(), f"20260104000000 {OLDER} all"
    jobs = world.job

    def other_begins(mode: str, *arguments: str) -> str:
        if mode == "list" and not world.kept.values.get("restore"):
            world.kept = world.kept.changed(restore=mark)
            second.session.place = replace(second.session.place, settings=world.kept)
        return jobs(mode, *arguments)

    world.job = other_begins  # type: ignore[method-assign]
    with pytest.raises(BackupFailed, match=f"the restore of {OLDER} is not finished"):
        second.restore(keep=world.keep)
    assert (world.calls, world.kept.values["restore"]) == ([], mark)
