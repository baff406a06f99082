"""The restore of a managed database in memory: what is written when, what follows a kill, what stays in RDS."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from automation import EnvironmentSettings, Secret
from automation.backup.jobs import BackupJobs
from automation.engine.operations import EngineResult
from automation.errors import BackupFailed, NotHealthy
from automation.recovery import repair
from automation.results import Changes
from automation.snapshots import backup as snapshot_verbs
from automation.snapshots import drill as drilling
from automation.snapshots import restore as restoring
from automation.snapshots.model import Instance, Snapshot, Source, Window
from automation.stages.config import write_config
from components.database.rds_existing import LEFT_TAG, RESTORED_FROM_TAG, left_by, made_by
from components.database.rds_settings import ManagedDatabase
from components.kube.safe_yaml import load_yaml
from tests import samples
from tests.automation.fakes import OUTPUTS
from tests.automation.kept_world import KeptWorld, Killed
from tests.automation.snapshots.test_model import KEY, NOON, snapshot

URN = "urn:pulumi:team::airflow::aws:rds/instance:Instance::airflow-postgres"
KEY_URN = "urn:pulumi:team::airflow::aws:kms/key:Key::airflow-postgres-key"
OLD, NEW = "airflow-prod", "airflow-prod-2"


@functools.cache
def settings() -> EnvironmentSettings:
    """`prod`, as a service gives it."""
    content = load_yaml((samples.SHIPPED / "Pulumi.prod.yaml").read_text())["config"]
    plain = {key.removeprefix("airflow:"): value for key, value in content.items() if key.startswith("airflow:")}
    return EnvironmentSettings.of("team", {**plain, "gitSshPrivateKey": Secret(samples.ssh_private_key())})


def instance(name: str, **tags: str) -> Instance:
    """An instance of the stack that serves."""
    return Instance(identifier=name, status="available", kms_key=KEY, tags=tags)


@dataclass
class World(KeptWorld):
    """A deployment in AWS. state: the instance that the stack has. sources: what instances of RDS were made from."""

    kept: EnvironmentSettings = field(default_factory=settings)
    state: str = OLD
    retained: bool = False
    protected: bool = True
    made: str = ""
    instances: dict[str, Instance] = field(default_factory=lambda: {OLD: instance(OLD)})
    sources: dict[str, str] = field(default_factory=dict)
    pending: list[dict[str, Any]] = field(default_factory=list)

    def restore(self, *backup: str, **options: Any) -> Any:
        return self.open().restore(*backup, keep=self.keep, timeout_seconds=30, **options)

    # The engine

    def up(self, on: Any, **options: Any) -> EngineResult:
        values = self.given.checked.platform
        wanted = values.database
        assert isinstance(wanted, ManagedDatabase)
        running = self.given.values.get("running", "all")
        self.step(f"up {running}")
        self.pending = []
        if self.state and wanted.identifier != self.state:
            assert not self.protected, "the engine refuses to replace what is protected"
            assert self.retained, "the engine would delete the database"
        if wanted.identifier != self.state:
            assert wanted.identifier not in self.instances, "DBInstanceAlreadyExists"
            assert wanted.made is not None, "an empty database"
            tags = {RESTORED_FROM_TAG: made_by(wanted.made)}
            self.instances[wanted.identifier] = instance(wanted.identifier, **tags)
            self.sources[wanted.identifier] = wanted.made.source
            self.pending = [{"type": "creating", "resource": {"urn": URN, "type": "aws:rds/instance:Instance"}}]
            self.step("made in RDS")
            self.pending = []
        elif wanted.left is not None:
            self._tag(wanted.identifier, LEFT_TAG, left_by(wanted.left))
        self.state, self.running = wanted.identifier, running
        self.retained, self.protected = wanted.left is not None, wanted.left is None
        self.made = made_by(wanted.made) if wanted.made else ""
        self.step(f"up {running} done")
        return EngineResult(Changes({"update": 1}), ())

    def refresh(
        self, on: Any, *, targets: list[str] | None = None, clear_pending_creates: bool = False
    ) -> EngineResult:
        self.step("refresh")
        if clear_pending_creates:
            self.pending = []
        else:
            assert targets == [URN]
            self.state = ""
        return EngineResult(Changes({"delete": 1}), ())

    def deployment(self, on: Any) -> dict[str, Any]:
        instance = {
            "urn": URN,
            "type": "aws:rds/instance:Instance",
            "custom": True,
            "id": "db-1",
            "outputs": {"identifier": self.state, "tags": {RESTORED_FROM_TAG: self.made} if self.made else {}},
            "retainOnDelete": self.retained,
        }
        key = {"urn": KEY_URN, "type": "aws:kms/key:Key", "custom": True, "id": "k", "outputs": {"arn": KEY}}
        return {"resources": [*([instance] if self.state else []), key], "pending_operations": self.pending}

    def _tag(self, identifier: str, key: str, value: str) -> None:
        found = self.instances[identifier]
        self.instances[identifier] = replace(found, tags={**found.tags, key: value})


class FakeRds:
    """RDS in memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.found: tuple[Snapshot, ...] = (
            snapshot("airflow-prod-20260131t110000z"),
            snapshot("rds:airflow-prod-2026-01-30-02-05", kind="automated", taken=NOON - timedelta(days=1)),
            snapshot("of-another", instance="other"),
        )

    def instance(self, identifier: str) -> Instance | None:
        return self.world.instances.get(identifier)

    def instances(self) -> tuple[Instance, ...]:
        return tuple(self.world.instances.values())

    def snapshots(self) -> tuple[Snapshot, ...]:
        return self.found

    def snapshot(self, name: str) -> Snapshot | None:
        return snapshot(name, kms_key="arn:of-another") if name == "of-another-stack" else None

    def window(self, identifier: str) -> Window | None:
        there = identifier in self.world.instances
        return Window(earliest=NOON - timedelta(days=7), latest=NOON) if there else None

    def make_snapshot(self, identifier: str, name: str) -> Snapshot:
        return snapshot(name, instance=identifier)

    def until_available(self, identifier: str) -> Instance:
        return self.world.instances[identifier]

    def unprotect(self, identifier: str) -> None:
        self.world.calls.append(f"unprotect {identifier}")

    def delete(self, identifier: str, final_snapshot: str = "") -> None:
        self.world.calls.append(f"delete {identifier}" + (" with a final snapshot" if final_snapshot else ""))
        del self.world.instances[identifier]

    def until_gone(self, identifier: str) -> None:
        assert identifier not in self.world.instances

    def make_temporary(self, source: Source, identifier: str, like: Instance, tags: Any) -> Instance:
        self.world.step("make temporary")
        self.world.sources[identifier] = source.text
        made = Instance(identifier=identifier, status="available", host=f"{identifier}.example", tags=tags)
        self.world.instances[identifier] = made
        return made

    def set_password(self, identifier: str, password: str) -> None:
        self.world.step("set password")
        assert password == "sentinel-password"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    found.take_over(
        monkeypatch,
        deployment=found.deployment,
        stack_outputs=lambda on: {
            **OUTPUTS,
            "backup_pods": {"airflow": {"spec": {"containers": [{"env": [_URI]}]}}},
            **({} if found.running == "all" else {"running": found.running}),
        },
        refresh=found.refresh,
    )
    monkeypatch.setattr(
        repair,
        "what_became",
        lambda deployment, region, decided: {
            item["resource"]["urn"]: ""
            for item in deployment["pending_operations"] or ()
            if item["resource"]["urn"] not in decided
        },
    )
    for module in (restoring, snapshot_verbs):
        monkeypatch.setattr(module, "Rds", lambda *args: FakeRds(found))
    return found


_URI = {
    "name": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "valueFrom": {"secretKeyRef": {"name": "s", "key": "connection"}},
}


def finished(world: World, source: str = "airflow-prod-20260131t110000z", running: str | None = None) -> None:
    values = world.kept.values
    assert (values.get("restore"), values.get("running"), values["databaseIdentifier"]) == (None, running, NEW)
    assert (world.state, world.protected, world.retained, world.sources[NEW]) == (NEW, True, False, source)
    assert world.instances[OLD].tags[LEFT_TAG].endswith(f"to {NEW}"), "it stays, and says what it is"
    assert set(world.instances) == {OLD, NEW}


def test_restore_stops_moves_starts_verifies_and_leaves_the_old_instance(world: World) -> None:
    done = world.restore()
    assert [call for call in world.calls if call.startswith(("up", "verify")) and "done" not in call] == [
        *("up stopped", "up stopped", "up all", "verify", "up all"),
    ]
    assert (done.plan.old_database, [stage.number for stage in done.stages]) == (OLD, [1, 2, 3])
    assert done.to_json()["verification"]["ok"] is True
    finished(world)


def test_restore_that_is_killed_anywhere_goes_on_to_the_same_end(world: World) -> None:
    world.restore()
    steps, killed_at_the_end = world.steps, 0
    for moment in range(1, steps + 1):
        vars(world).update(vars(World(world.folder)), kill_at=moment)
        with pytest.raises(Killed):
            world.restore()
        world.kill_at = 0
        if world.kept.values.get("restore"):
            problems = " ".join(world.open().status().problems)
            assert "is not finished; python -m automation restore team continues it" in problems
            world.restore()
            finished(world)
        elif world.made:
            killed_at_the_end += 1
            with pytest.raises(BackupFailed, match=r"verified, except for its last update.*automation up team"):
                world.restore()
            world.open().up()
            assert not world.made
            finished(world)
    assert killed_at_the_end


def test_moment_is_restored_by_the_engine_too(world: World) -> None:
    world.restore(at=NOON - timedelta(minutes=30))
    finished(world, f"{OLD} at 2026-01-31T11:30:00Z")


def test_instance_that_was_lost_is_not_made_anew_and_empty(world: World) -> None:
    del world.instances[OLD]
    world.restore("rds:airflow-prod-2026-01-30-02-05")
    assert world.state == NEW
    assert list(world.instances) == [NEW]
    assert world.sources[NEW] == "rds:airflow-prod-2026-01-30-02-05"


def test_instance_of_somebody_else_is_not_deleted(world: World) -> None:
    world.kill_at = 6
    with pytest.raises(Killed):
        world.restore()
    world.kill_at = 0
    world.instances[NEW] = Instance(identifier=NEW, status="available")
    with pytest.raises(BackupFailed, match=f"{NEW}: expected no instance of RDS, found one that this restore has not"):
        world.restore()
    assert NEW in world.instances


def test_snapshot_with_another_key_is_refused_before_anything_is_written(world: World) -> None:
    with pytest.raises(BackupFailed, match=r"expected the stack's key .* copy it with that key"):
        world.restore("of-another-stack")
    assert world.calls == []


def test_snapshot_that_grew_beyond_the_configs_size_is_refused_before_anything_is_written(world: World) -> None:
    world.kept = world.kept.changed(databaseStorageGib="80")
    words = (
        r"airflow:databaseStorageGib: expected at least 100, as airflow-prod-\S+ has, found 80. "
        r"Fix: pulumi config set --stack \S+ airflow:databaseStorageGib 100"
    )
    with pytest.raises(BackupFailed, match=words):
        world.restore()
    assert world.calls == []


def test_another_source_is_refused_until_the_restore_is_finished(world: World) -> None:
    world.kill_at = 3
    with pytest.raises(Killed):
        world.restore()
    world.kill_at = 0
    for backup in ("rds:airflow-prod-2026-01-30-02-05", "airflow-20260101T000000Z.dump"):
        with pytest.raises(BackupFailed, match="the restore of airflow-prod-20260131t110000z is not finished"):
            world.restore(backup)
    with pytest.raises(BackupFailed, match="a restore is not finished"):
        world.open().delete_old_databases()


def test_stack_that_is_not_verified_keeps_its_mark(world: World) -> None:
    world.verified = False
    with pytest.raises(NotHealthy, match="the stack is not verified: a: not so"):
        world.restore()
    assert world.kept.values["restore"]
    world.verified = True
    world.restore()
    finished(world)


def test_stack_that_was_stopped_is_stopped_afterwards(world: World) -> None:
    world.kept, world.running = world.kept.changed(running="stopped"), "stopped"
    world.restore()
    finished(world, running="stopped")


def test_plan_changes_nothing(world: World) -> None:
    plan = world.open().restoration()
    assert (plan.backup, plan.old_database, len(plan.stages)) == ("airflow-prod-20260131t110000z", OLD, 3)
    assert world.calls == []


def test_backups_are_those_of_the_stack_with_the_moments(world: World) -> None:
    found = world.open().backups()
    assert [item.kind for item in found.backups] == ["manual", "automated"]
    assert found.moments is not None
    assert found.moments.latest == NOON.isoformat()
    made = world.open().backup()
    assert made.backup.name.startswith("airflow-prod-2")


def test_backup_of_an_instance_that_does_not_exist_says_what_makes_one(world: World) -> None:
    del world.instances[OLD]
    with pytest.raises(
        BackupFailed, match=rf"expected an instance of RDS, found none .*{OLD}.* automation restore team"
    ):
        world.open().backup()


def test_dump_of_a_managed_database_needs_the_volume(world: World) -> None:
    attempts: list[Callable[[], Any]] = [
        lambda: world.open().backup(dump=True),
        lambda: world.restore("airflow-20260101T000000Z.dump"),
    ]
    for attempt in attempts:
        with pytest.raises(BackupFailed, match="airflow:backupStorageGib: expected the size"):
            attempt()


def test_old_instances_are_deleted_with_a_final_snapshot_and_no_other_is(world: World) -> None:
    world.restore()
    world.instances["airflow-prod-eu"] = Instance(identifier="airflow-prod-eu", status="available")
    assert world.open().backups().old_databases == (OLD,)
    world.calls.clear()
    done = world.open().delete_old_databases()
    assert done.names == (OLD,)
    assert done.final_snapshots[0].startswith("airflow-prod-final-")
    assert world.calls == [f"unprotect {OLD}", f"delete {OLD} with a final snapshot"]
    assert set(world.instances) == {NEW, "airflow-prod-eu"}


def test_instance_of_another_stack_or_that_the_stack_still_has_is_not_deleted(world: World) -> None:
    world.restore()
    left = {LEFT_TAG: "restore 1 to airflow-prod-8"}
    world.instances["airflow-prod-7"] = Instance(
        identifier="airflow-prod-7", status="available", kms_key="arn:of-the-stack-prod-7", tags=left
    )
    assert world.open().backups().old_databases == (OLD,)
    world.kept = world.kept.changed(databaseIdentifier=OLD)  # a checkout from before the restore
    world.calls.clear()
    stack = world.open()
    attempts: tuple[Callable[[], Any], ...] = (stack.delete_old_databases, world.restore, stack.backup)
    for attempt in attempts:
        with pytest.raises(BackupFailed, match=f"databaseIdentifier: expected {NEW}, which the stack has, found {OLD}"):
            attempt()
    world.kept, world.retained = world.kept.changed(databaseIdentifier=NEW), True
    for attempt in (world.open().delete_old_databases, world.restore):
        with pytest.raises(BackupFailed, match="a restore from another checkout is not finished"):
            attempt()
    assert world.calls == []
    assert set(world.instances) == {OLD, NEW, "airflow-prod-7"}
    world.retained = False
    assert world.open().delete_old_databases().names == (OLD,)


def test_snapshot_that_does_not_exist_is_refused_with_those_that_do(world: World) -> None:
    with pytest.raises(BackupFailed, match=r"no available snapshot nonsense. Fix: there are: airflow-prod-20260131t11"):
        world.restore("nonsense")


def test_newest_snapshot_of_another_stack_whose_name_has_a_number_is_not_restored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_another = snapshot("airflow-prod-2-a", instance="airflow-prod-2", taken=NOON, kms_key="arn:of-the-stack-prod-2")
    whole = FakeRds.snapshots
    monkeypatch.setattr(FakeRds, "snapshots", lambda rds: (of_another, *whole(rds)))
    assert world.open().restoration().backup == "airflow-prod-20260131t110000z"


def test_what_follows_a_kill_in_the_last_update_is_no_other_restore(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hints: list[tuple[Any, str]] = []

    def noted(session: Any, verb: str, changed: Any, keep: Any, again: str) -> None:
        hints.append((changed, again))
        write_config(session, verb, changed, keep, again)

    monkeypatch.setattr("automation.backup.restoring.write_config", noted)
    world.restore()
    assert hints[-1] == ({"restore": None}, "python -m automation up team finishes it")
    assert all("restore team" in again for _, again in hints[:-1])


# Drills


@pytest.fixture
def drilled(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(drilling, "Rds", lambda *args: FakeRds(world))
    monkeypatch.setattr(drilling, "_password", lambda session, found: "sentinel-password")
    monkeypatch.setattr(BackupJobs, "end_left_over", lambda jobs: None)

    def look(jobs: Any, database: str, host: str) -> dict[str, Any]:
        world.step(f"look at {database}")
        assert host.endswith(".example")
        return {
            "read": 3,
            "unread": [],
            "unread_count": 0,
            "broken": [],
            "heads": ["a"],
            "at_head": True,
            "runs": 7,
            "newest_run": "2026-01-31T10:59:00+00:00",
        }

    monkeypatch.setattr(BackupJobs, "look", look)
    return world


def test_drill_looks_at_a_temporary_instance_and_deletes_it(drilled: World) -> None:
    found = drilled.open().drill()
    assert (found.backup, found.encrypted, found.ok) == ("airflow-prod-20260131t110000z", 3, True)
    assert found.rpo_seconds > 0
    assert list(drilled.instances) == [OLD]
    moment = drilled.open().drill(at=datetime(2026, 1, 31, 11, 59, tzinfo=UTC))
    assert moment.backup == "2026-01-31T11:59:00Z"


def test_drill_that_fails_says_why_even_if_its_instance_cannot_be_deleted_yet(
    drilled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise BackupFailed("InvalidDBInstanceState", "wait")

    monkeypatch.setattr(FakeRds, "delete", refuse)
    drilled.kill_at = 2
    with pytest.raises(Killed):
        drilled.open().drill()


def test_temporary_instance_has_no_tags_of_aws_itself(drilled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drilled.instances[OLD] = instance(OLD, **{"aws:backup:source": "x", "stack": "team", LEFT_TAG: "y"})
    given = list[Any]()
    make = FakeRds.make_temporary

    def noted(rds: FakeRds, *all: Any) -> Instance:
        given.append(all[3])
        return make(rds, *all)

    monkeypatch.setattr(FakeRds, "make_temporary", noted)
    drilled.open().drill()
    assert given == [{"stack": "team", drilling.DRILL_TAG: OLD}]


def test_next_drill_or_restore_deletes_what_a_killed_one_left(drilled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    next_ones: list[Callable[[], Any]] = [drilled.open().drill, drilled.restore]
    for following in next_ones:
        left = Instance(identifier="airflow-prod-drill-1", status="available", tags={drilling.DRILL_TAG: OLD})
        drilled.instances[left.identifier] = left
        following()
        assert left.identifier not in drilled.instances
