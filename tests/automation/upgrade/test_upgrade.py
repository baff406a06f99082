"""Upgrade and rollback of a stack that exists in memory: what happens when, what follows a kill, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from automation.backup.result import Backup, BackupDone
from automation.engine.operations import EngineResult
from automation.engine.stack_state import RELEASE
from automation.errors import (
    AirflowRequestFailed,
    AutomationError,
    Interrupted,
    MigrationFailed,
    UpgradeRefused,
    UpgradeStopped,
    WrongCluster,
)
from automation.results import Changes
from automation.upgrade.chart import Charts
from automation.upgrade.trial import Trial
from settings.upgrade import UpgradeMark
from tests.automation.fakes import OUTPUTS
from tests.automation.kept_world import KeptWorld, Killed

HEADS = {"3.2.2": "old", "3.3.2": "new"}
IMAGE = {"imageTag": "3.3.2", "airflowVersion": "3.3.2"}
FAILED = MigrationFailed("the migration failed", "see its log")


@dataclass
class World(KeptWorld):
    """A deployment, and the settings that a service has kept."""

    database: str = "old"
    deployed: str = "3.2.2"
    paused: bool = False
    tasks: int = 0
    new: Trial = field(
        default_factory=lambda: Trial(airflow="3.3.2", postgresql=17, revision="old", head="new", done=True)
    )
    history: list[str] = field(default_factory=lambda: ["3.2.2"])
    fails: AutomationError | None = None
    """With what an update fails."""
    backs_up: bool = False
    silent: bool = False
    """The API server does not answer."""
    chart: str = "1.22.0"
    """The one that is deployed."""
    here: str = "1.22.0"
    """That of the checkout."""
    refused: str = ""
    """The tag of an update that the preflight refused."""

    def upgrade(self) -> Any:
        return self.open().upgrade("3.3.2", "3.3.2", keep=self.keep, on_event=self.events.append, timeout_seconds=30)

    def rollback(self) -> Any:
        return self.open().rollback(keep=self.keep, on_event=self.events.append, timeout_seconds=30)

    @property
    def mark(self) -> UpgradeMark | None:
        text = self.kept.values.get("upgrade")
        return UpgradeMark.of(str(text)) if text else None

    # The engine

    def up(self, on: Any, **options: Any) -> EngineResult:
        self.step("up begins")
        assert self.given.values == self.kept.values, "an update used what nobody had kept"
        if self.fails is not None:
            raise self.fails
        tag = str(self.kept.values["imageTag"])
        assert self.database == "old" or HEADS[tag] == "new", "an older image on a newer database"
        assert self.paused or self.database == HEADS[tag], "an older scheduler ran on the newer database"
        self.database = HEADS[tag]
        self.step("migrated")
        self.deployed, self.paused, self.chart = tag, False, self.here
        self.history.insert(0, tag)
        self.step("up")
        return EngineResult(Changes({"update": 1}), ())

    def outputs(self) -> dict[str, Any]:
        return {
            **OUTPUTS,
            "image": f"apache/airflow:{self.refused or self.deployed}",
            "running": self.running,
            "backup_pods": {"database": {}} if self.backs_up else {},
        }

    def state(self) -> dict[str, Any]:
        images = {"airflow": {"repository": "apache/airflow", "tag": self.deployed, "digest": None}}
        return {"resources": [{"urn": "urn", "type": RELEASE, "inputs": {"values": {"images": images}}}]}

    def records(self) -> list[dict[str, Any]]:
        return [
            {
                "kind": "update",
                "result": "succeeded",
                "config": {f"airflow:{key}": {"value": tag} for key in ("imageTag", "airflowVersion")},
            }
            for tag in self.history
        ]

    # The cluster

    def version(self) -> str:
        return "v1.35.0"

    def try_image(self, tag: str) -> tuple[Trial, Trial]:
        self.step("try")
        return replace(self.new, airflow=self.deployed), replace(self.new, revision=self.database)

    def way_back(self, tag: str, version: str) -> Trial:
        assert tag == "3.3.2", "only the newer image knows the newer migrations"
        return Trial(revision=self.database, head=HEADS[version])

    def downgrade(self, tag: str, version: str) -> None:
        assert tag == "3.3.2"
        assert self.paused
        assert not self.tasks, "the newer API server cannot serve a task on the older database"
        self.step("downgrade begins")
        self.database = HEADS[version]
        self.step("downgrade")

    def pause(self) -> None:
        self.paused = True
        self.step("pause")

    def resume(self) -> None:
        self.paused = False

    def until_updated(self, tag: str, seconds: float) -> None:
        assert self.deployed == tag
        self.step("updated")

    def revision(self) -> str:
        return self.database

    def tasks_in(self, states: Sequence[str]) -> int:
        if self.silent:
            raise AirflowRequestFailed("it does not answer", "wait")
        self.tasks = max(self.tasks - 1, 0)
        return self.tasks

    def backup(self, *args: Any) -> BackupDone:
        self.step("backup")
        return BackupDone(stack="team", backup=Backup(name="a.dump", bytes=7), seconds=1.0)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    monkeypatch.setattr(
        "automation.upgrade.planning.charts", lambda *args: Charts(deployed=found.chart, here=found.here)
    )
    found.take_over(
        monkeypatch,
        stack_outputs=lambda on: found.outputs(),
        deployment=lambda on: found.state(),
        history=lambda on, limit: found.records(),
    )
    monkeypatch.setattr("automation.upgrade.planning.UpgradeCluster", lambda *args: found)
    monkeypatch.setattr("automation.upgrade.upgrade.airflow_api", lambda *args: found)
    monkeypatch.setattr("automation.upgrade.upgrade.backup", found.backup)
    return found


def finished(world: World, tag: str) -> None:
    assert world.mark is None
    assert (world.kept.values["imageTag"], world.kept.values["airflowVersion"]) == (tag, tag)
    assert (world.deployed, world.database, world.paused) == (tag, HEADS[tag], False)


def upgraded(world: World) -> None:
    """As after an upgrade that nothing disturbed."""
    world.kept = world.kept.changed(**IMAGE)
    world.deployed, world.database, world.history = "3.3.2", "new", ["3.3.2", "3.2.2"]


def test_upgrade_tries_pauses_updates_and_verifies_in_this_order(world: World) -> None:
    done = world.upgrade()
    finished(world, "3.3.2")
    order = ("try", "pause", "up begins", "migrated", "up", "updated", "verify")
    assert [call for call in world.calls if call != "keep"] == list(order)
    assert [stage.number for stage in done.stages] == [1, 3, 4, 5]
    assert any("no backup is made" in note for note in done.plan.notes)
    assert done.stages[2].changes.any


@pytest.mark.parametrize("backs_up", [False, True])
def test_upgrade_that_is_killed_anywhere_and_begun_again_comes_to_the_same_end(world: World, backs_up: bool) -> None:
    world.backs_up = backs_up
    start = (world.kept, world.database, world.deployed)
    kill_at = 1
    while True:
        world.kept, world.database, world.deployed = start
        world.paused, world.steps, world.kill_at, world.history = False, 0, kill_at, ["3.2.2"]
        try:
            world.upgrade()
            break
        except Killed:
            world.kill_at = 0
            if world.kept.values.get("upgrade") or world.kept.values.get("imageTag") != "3.3.2":
                world.upgrade()
            finished(world, "3.3.2")
            kill_at += 1
    assert kill_at > 8


def test_rollback_from_wherever_an_upgrade_was_killed_comes_to_the_old_end(world: World) -> None:
    start = (world.kept, world.database, world.deployed)
    kill_at, marked = 1, 0
    while True:
        world.kept, world.database, world.deployed = start
        world.paused, world.steps, world.kill_at, world.history = False, 0, kill_at, ["3.2.2"]
        try:
            world.upgrade()
            break
        except Killed:
            world.kill_at = 0
            if world.mark is not None:
                marked += 1
                world.paused = True  # nothing but the verb starts it
                world.rollback()
                finished(world, "3.2.2")
            kill_at += 1
    assert marked > 5


def test_rollback_that_is_killed_anywhere_and_begun_again_comes_to_the_same_end(world: World) -> None:
    before = world.kept
    kill_at = 1
    while True:
        world.kept = before
        upgraded(world)
        world.paused, world.steps, world.kill_at, world.tasks = False, 0, kill_at, 3
        try:
            world.rollback()
            break
        except Killed:
            world.kill_at = 0
            if world.mark is not None or world.kept.values.get("imageTag") != "3.2.2":
                world.rollback()
            finished(world, "3.2.2")
            kill_at += 1
    finished(world, "3.2.2")
    assert kill_at > 8


def test_stack_with_a_volume_for_backups_is_backed_up_before_anything_changes(world: World) -> None:
    world.backs_up = True
    done = world.upgrade()
    finished(world, "3.3.2")
    assert [call for call in world.calls if call != "keep"][:3] == ["try", "backup", "pause"]
    assert [stage.number for stage in done.stages] == [1, 2, 3, 4, 5]
    assert any("the backup is a.dump (7 bytes)" in event.text for event in world.events)


def test_image_that_cannot_import_a_dag_is_refused_and_nothing_changes(world: World) -> None:
    before = world.kept
    world.new = replace(world.new, errors={"dags: new.py": "ImportError: y"})
    world.try_image = lambda tag: (replace(world.new, errors={}), world.new)  # type: ignore[method-assign]
    with pytest.raises(UpgradeRefused, match="one reason") as refused:
        world.upgrade()
    assert "dags: new.py: expected a file that Airflow 3.3.2 can import" in str(refused.value)
    assert world.kept == before
    assert world.calls == []
    assert world.open().upgrade_plan("3.3.2", "3.3.2").refusals == refused.value.refusals


def test_migration_that_fails_leaves_the_old_airflow_running_and_names_the_way_back(world: World) -> None:
    world.fails = FAILED
    with pytest.raises(UpgradeStopped) as stopped:
        world.upgrade()
    assert "the migration failed" in stopped.value.what
    assert "the database has not changed, and what was stopped runs again" in stopped.value.what
    assert stopped.value.remedy.endswith("or go back: python -m automation rollback team")
    assert (world.deployed, world.database, world.paused) == ("3.2.2", "old", False)
    world.fails = None
    world.paused = True
    world.rollback()
    finished(world, "3.2.2")


def test_after_a_failed_migration_the_next_run_stops_the_older_airflow_again(world: World) -> None:
    world.fails = FAILED
    for _ in range(2):
        with pytest.raises(UpgradeStopped, match="what was stopped runs again"):
            world.upgrade()
        assert (world.paused, world.kept.values["imageTag"]) == (False, "3.2.2")
        assert world.mark is not None
        assert world.mark.stage == 1
    world.fails, world.calls = None, []
    world.upgrade()
    finished(world, "3.3.2")
    assert [call for call in world.calls if call != "keep"][:2] == ["try", "pause"]


def test_upgrade_that_fails_and_is_killed_anywhere_comes_to_the_same_end_when_it_is_begun_again(world: World) -> None:
    start = world.kept
    kill_at = 1
    while True:
        world.kept, world.database, world.deployed = start, "old", "3.2.2"
        world.paused, world.steps, world.kill_at, world.fails = False, 0, kill_at, FAILED
        try:
            world.upgrade()
        except UpgradeStopped:
            break
        except Killed:
            world.kill_at, world.fails = 0, None
            world.upgrade()
            finished(world, "3.3.2")
            kill_at += 1
    assert kill_at > 5


def test_after_a_cancel_in_the_update_the_next_run_stops_the_older_airflow_again(world: World) -> None:
    world.fails = Interrupted("cancelled", "run it again")
    with pytest.raises(Interrupted):
        world.upgrade()
    assert (world.paused, world.kept.values["imageTag"]) == (False, "3.2.2")
    world.fails = None
    world.upgrade()
    finished(world, "3.3.2")


def test_run_that_was_killed_in_the_update_and_fails_then_says_that_the_older_airflow_stays_stopped(
    world: World,
) -> None:
    world.kept = world.kept.changed(upgrade="upgrade 4/5 3.2.2/3.2.2 3.3.2/3.3.2", **IMAGE)
    world.fails, world.paused = FAILED, True
    with pytest.raises(UpgradeStopped, match="what an earlier run has stopped stays stopped"):
        world.upgrade()
    assert world.paused


def test_verification_that_fails_stops_the_upgrade_and_names_the_check(world: World) -> None:
    world.verified = False
    with pytest.raises(UpgradeStopped, match=r"stage 5 of 5 .*a: not so"):
        world.upgrade()
    assert world.mark is not None
    assert world.mark.stage == 5
    world.verified, world.calls = True, []
    world.upgrade()
    assert [call for call in world.calls if call != "keep"] == ["verify"], "nothing is done twice"
    finished(world, "3.3.2")


def test_tasks_that_do_not_end_keep_a_rollback_from_touching_the_database(world: World) -> None:
    upgraded(world)
    world.tasks = 10_000
    with pytest.raises(UpgradeStopped, match="tasks still run after"):
        world.rollback()
    assert (world.database, world.deployed, world.paused) == ("new", "3.3.2", False)


def test_plan_says_stages_and_what_is_refused_and_changes_nothing(world: World) -> None:
    before = world.kept
    plan = world.open().upgrade_plan("3.3.2", "3.3.2")
    assert (plan.before, plan.after, plan.migrates, plan.refusals) == ("3.2.2", "3.3.2", True, ())
    assert len(plan.stages) == 4
    world.database = "new"
    assert len(world.open().upgrade_plan("3.3.2", "3.3.2").stages) == 3, "nothing is paused for nothing"
    assert world.kept == before
    assert "pause" not in world.calls


def test_tag_that_the_preflight_refused_is_not_taken_for_the_one_that_runs(world: World) -> None:
    """A rollback would go to an image that never ran."""
    world.refused = "team-7"
    world.kept = world.kept.changed(imageTag="team-7")
    with pytest.raises(
        UpgradeRefused, match=r"expected what is deployed, 3\.2\.2, found team-7\. Fix: pulumi config set"
    ):
        world.open().upgrade("team-7", "3.3.2", keep=world.keep)
    assert world.mark is None


def test_newer_chart_is_an_upgrade_with_a_backup_that_comes_to_the_same_end_wherever_it_is_killed(world: World) -> None:
    world.here, world.backs_up = "1.23.0", True
    start = world.kept
    kill_at = 1
    while True:
        world.kept, world.chart, world.steps, world.kill_at, world.calls = start, "1.22.0", 0, kill_at, []
        try:
            done = world.open().upgrade(chart="1.23.0", keep=world.keep)
            break
        except Killed:
            world.kill_at = 0
            if world.mark is not None or world.chart == "1.22.0":
                world.open().upgrade(keep=world.keep)
            assert (world.chart, world.mark) == ("1.23.0", None)
            kill_at += 1
    assert [call for call in world.calls if call != "keep"] == [
        *("backup", "up begins", "migrated", "up", "updated", "verify")
    ]
    assert (done.plan.before, done.plan.after) == ("3.2.2 with chart 1.22.0", "3.2.2 with chart 1.23.0")
    assert [stage.number for stage in done.stages] == [2, 4, 5]
    assert any("the way back: git checkout" in note for note in done.plan.notes)
    assert kill_at > 5


def test_chart_goes_back_by_the_older_checkout(world: World) -> None:
    world.chart, world.here = "1.23.0", "1.22.0"
    done = world.rollback()
    assert (world.chart, world.deployed, done.plan.after) == ("1.22.0", "3.2.2", "3.2.2 with chart 1.22.0")


def test_another_chart_than_the_checkout_s_is_refused_and_nothing_changes(world: World) -> None:
    before = world.kept
    with pytest.raises(UpgradeRefused, match=r"the chart: expected 1\.23\.0 in this checkout, found 1\.22\.0"):
        world.open().upgrade("3.3.2", "3.3.2", chart="1.23.0")
    assert (world.kept, world.calls) == (before, [])


def test_api_server_that_does_not_tell_which_tasks_run_is_named(world: World) -> None:
    upgraded(world)
    world.silent = True
    with pytest.raises(UpgradeStopped, match="the API server did not say which tasks run"):
        world.rollback()
    assert (world.database, world.paused) == ("new", False)


def test_upgrade_is_refused_while_something_else_is_under_way_or_not_all_runs(world: World) -> None:
    before = world.kept
    for changed, deployed, reason in (
        ({"rotation": "fernet 2/4 0123456789ab"}, "all", "python -m automation rotate fernet team continues it"),
        (
            {"restore": "20260131104500 airflow-20260131T104500Z.dump all"},
            "all",
            "automation restore team continues it",
        ),
        ({"running": "frozen"}, "all", "because a DAG runs at the end, found frozen"),
        ({}, "stopped", "because a DAG runs at the end, found stopped"),
    ):
        world.kept, world.running = before.changed(**changed), deployed
        with pytest.raises(UpgradeRefused, match=reason):
            world.upgrade()
        assert world.calls == []


def test_cluster_that_is_not_the_stack_s_is_neither_paused_nor_downgraded(world: World) -> None:
    upgraded(world)
    world.cluster_tag = "another"
    for verb in (world.upgrade, world.rollback, world.open().rollback_plan):
        with pytest.raises(WrongCluster):
            verb()
    assert (world.calls, world.paused, world.database) == ([], False, "new")


def test_rotation_that_begins_while_the_image_is_tried_keeps_the_upgrade_from_pausing_anything(world: World) -> None:
    stack = world.open()

    def other_begins(tag: str) -> tuple[Trial, Trial]:
        world.kept = world.kept.changed(rotation="fernet 1/4 0123456789ab")
        stack.session.place = replace(stack.session.place, settings=world.kept)
        return replace(world.new, airflow="3.2.2"), world.new

    world.try_image = other_begins  # type: ignore[method-assign]
    with pytest.raises(UpgradeRefused, match="python -m automation rotate fernet team continues it"):
        stack.upgrade("3.3.2", "3.3.2", keep=world.keep)
    assert (world.calls, world.paused, world.mark) == ([], False, None)


def test_second_upgrade_beside_one_under_way_ends_before_it_writes_anything(world: World) -> None:
    """Both looked when nothing was under way."""
    second = world.open()
    mark = "upgrade 3/5 3.2.2/3.2.2 3.3.1/3.3.1"

    def other_begins(tag: str) -> tuple[Trial, Trial]:
        world.kept = world.kept.changed(upgrade=mark)
        second.session.place = replace(second.session.place, settings=world.kept)
        return replace(world.new, airflow="3.2.2"), world.new

    world.try_image = other_begins  # type: ignore[method-assign]
    with pytest.raises(UpgradeRefused, match=r"found the upgrade from 3\.2\.2 to 3\.3\.1 is in stage 3 of 5"):
        second.upgrade("3.3.2", "3.3.2", keep=world.keep)
    assert (world.calls, world.kept.values["upgrade"]) == ([], mark)
