"""The restore of a stack that exists in memory: what is written when, and what follows a kill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automation.backup.jobs import BackupJobs
from automation.engine import operations
from automation.engine.operations import EngineResult
from automation.errors import BackupFailed, NotHealthy
from automation.results import Changes
from automation.stages.config import write_config
from tests.automation.fakes import OUTPUTS
from tests.automation.kept_world import KeptWorld, Killed

OLDER, NEWEST = "airflow-20260101T000000Z.dump", "airflow-20260102T000000Z.dump"


@dataclass
class World(KeptWorld):
    """A deployment, its databases, and the settings that a service has kept. contents: of each database."""

    contents: dict[str, str] = field(default_factory=lambda: {"airflow": "lost"})
    comments: dict[str, str] = field(default_factory=lambda: {"airflow": ""})
    asleep: bool = False
    """A container database that does not run."""

    def restore(self, *backup: str) -> Any:
        return self.open().restore(*backup, keep=self.keep, timeout_seconds=30)

    def up(self, on: Any, **options: Any) -> EngineResult:
        self.step("up begins")
        values = self.given.values
        self.running = values.get("running", "all")
        self.asleep = self.asleep and self.running == "stopped" and not values.get("restore")
        self.step(f"up {self.running}")
        return EngineResult(Changes({"update": 1}), ())

    # The Jobs

    def job(self, mode: str, *arguments: str) -> str:
        if mode == "list":
            return f"2 {NEWEST}\n1 {OLDER}\n1 {OLDER}.part"
        if mode == "databases":
            if self.asleep:
                raise BackupFailed("could not connect", "")
            return "\n".join(["airflow", *(f"{name} {comment}" for name, comment in self.comments.items())])
        assert self.running == "stopped", "Airflow would write meanwhile"
        self.step(f"{mode} begins")
        if mode == "restore":
            backup, new, comment = arguments
            self.contents[new], self.comments[new] = backup, comment
        elif mode == "swap":
            new, old = arguments
            for found in (self.contents, self.comments):
                if "airflow" in found:
                    found[old] = found.pop("airflow")
                found["airflow"] = found.pop(new)
        self.step(mode)
        return ""

    def take_over(self, monkeypatch: pytest.MonkeyPatch, **does: Callable[..., Any]) -> None:
        super().take_over(monkeypatch, stack_outputs=lambda on: self.outputs(), **does)
        monkeypatch.setattr(BackupJobs, "_database", lambda jobs, mode, *arguments: self.job(mode, *arguments))

    def outputs(self) -> dict[str, Any]:
        running = {} if self.running == "all" else {"running": self.running}
        return {**OUTPUTS, "backup_pods": {"database": {}, "airflow": {}}, **running}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    found.take_over(monkeypatch)
    return found


def finished(world: World, backup: str = NEWEST, running: str | None = None) -> None:
    assert world.kept.values.get("restore") is None
    assert world.kept.values.get("running") == running
    assert world.contents.pop("airflow") == backup
    assert list(world.contents.values()) == ["lost"], "the old database is kept, and nothing else is left"


def test_restore_stops_restores_swaps_starts_and_verifies(world: World) -> None:
    done = world.restore()
    assert [call for call in world.calls if call != "keep" and "begins" not in call] == [
        "up stopped",
        "restore",
        "swap",
        "up all",
        "verify",
    ]
    assert [stage.done for stage in done.plan.stages] == [False] * 4
    assert done.plan.old_database in world.contents
    finished(world)


def test_restore_that_is_killed_anywhere_goes_on_to_the_same_end(world: World) -> None:
    world.restore()
    steps = world.steps
    for moment in range(1, steps + 1):
        vars(world).update(vars(World(world.folder)), kill_at=moment)
        with pytest.raises(Killed):
            world.restore()
        world.kill_at = 0
        if world.kept.values.get("restore"):
            [problem, *_] = world.open().status().problems
            assert problem == f"the restore of {NEWEST} is not finished; python -m automation restore team continues it"
        world.restore()
        if moment < steps:
            finished(world)


def test_restore_of_a_lost_database_has_none_to_keep(world: World) -> None:
    world.contents.clear()
    world.comments.clear()
    world.restore(OLDER)
    assert world.contents == {"airflow": OLDER}


def test_what_follows_a_kill_after_the_mark_is_gone_is_no_other_restore(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hints: list[tuple[Any, str]] = []

    def noted(session: Any, verb: str, changed: Any, keep: Any, again: str) -> None:
        hints.append((changed, again))
        write_config(session, verb, changed, keep, again)

    monkeypatch.setattr("automation.backup.restoring.write_config", noted)
    world.restore()
    assert hints[-1] == ({"restore": None}, "python -m automation up team finishes it")


def test_stack_that_was_stopped_is_stopped_again(world: World) -> None:
    world.kept, world.running = world.kept.changed(running="stopped"), "stopped"
    world.restore()
    assert world.calls[-1] == "up stopped", "without the mark, so that a container database stops too"
    finished(world, running="stopped")


def test_stopped_stack_with_a_container_database_is_planned_as_it_is_and_woken_to_be_restored(world: World) -> None:
    world.kept, world.running, world.asleep = world.kept.changed(running="stopped"), "stopped", True
    plan = world.open().restoration()
    assert ([stage.done for stage in plan.stages], plan.old_database[:11]) == ([False] * 4, "airflow_old")
    assert world.calls == []
    world.restore()
    finished(world, running="stopped")


def test_database_of_a_stack_that_runs_must_answer(world: World) -> None:
    world.asleep = True
    for attempt in (world.open().restoration, world.restore):
        with pytest.raises(BackupFailed, match="could not connect"):
            attempt()


def test_another_backup_is_refused_until_the_restore_is_finished(world: World) -> None:
    world.kill_at = 3
    with pytest.raises(Killed):
        world.restore()
    with pytest.raises(BackupFailed, match=f"the restore of {NEWEST} is not finished"):
        world.restore(OLDER)


def test_stack_that_is_not_verified_keeps_its_mark(world: World) -> None:
    world.verified = False
    with pytest.raises(NotHealthy, match="the stack is not verified: a: not so"):
        world.restore()
    assert world.kept.values["restore"]
    world.verified = True
    world.restore()
    finished(world)


def test_plan_changes_nothing(world: World) -> None:
    plan = world.open().restoration()
    assert (plan.backup, plan.resumed, len(plan.stages)) == (NEWEST, False, 4)
    assert world.calls == []


def test_stack_without_a_volume_says_how_to_get_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "stack_outputs", lambda on: OUTPUTS)
    names = ("backup", "backup_plan", "backups", "drill", "drill_plan", "delete_old_databases")
    attempts: list[Callable[[], Any]] = [
        world.restore,
        *(getattr(world.open(), name) for name in names),
    ]
    for attempt in attempts:
        with pytest.raises(BackupFailed, match=r"airflow:backupStorageGib: expected the size .* Fix: pulumi config"):
            attempt()
    assert world.calls == []
