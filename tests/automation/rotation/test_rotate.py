"""The rotation of a stack that exists in memory: what is written when, what follows a kill, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automation import EnvironmentSettings, Secret
from automation.cluster.pods import Pod, SecretUse
from automation.engine import operations
from automation.engine.operations import EngineResult
from automation.errors import NotHealthy, RotationRefused, StackUnknown, WrongCluster
from automation.results import Changes
from automation.rotation.keys import KEYS
from components.kube.pod_command import ExecResult
from settings.rotation import Mark
from tests import samples
from tests.automation.fakes import OUTPUTS, SETTINGS, pod
from tests.automation.kept_world import KeptWorld, Killed, checked

OLD = samples.sentinels()["fernetKey"]
CONTAINERS = ("scheduler", "api-server")


@dataclass
class World(KeptWorld):
    """A deployment, what it stores, and the settings that a service has kept."""

    kept: EnvironmentSettings = field(default_factory=lambda: checked("team", {**SETTINGS, "fernetKey": Secret(OLD)}))
    secrets: dict[str, str] = field(default_factory=lambda: {"fernet-0": OLD})
    deployed: str = "fernet-0"
    values: list[str] = field(default_factory=lambda: [OLD, OLD])
    unread: tuple[str, ...] = ()
    worker: str = "worker-key-0"
    """The Secret of the workers' Fernet key."""
    rolls: bool = True
    history: Callable[..., list[Any]] | None = None
    """Answers for the engine."""

    def rotate(self, key: str = "fernet") -> Any:
        return self.open().rotate(key, keep=self.keep, on_event=self.events.append, timeout_seconds=30)

    @property
    def keys(self) -> list[str]:
        return self.secrets[self.deployed].split(",")

    # The engine

    def up(self, on: Any, **options: Any) -> EngineResult:
        self.step("up begins")
        assert self.given.secrets == self.kept.secrets, "an update used what nobody had kept"
        name = f"fernet-{len(self.secrets)}"
        if self.rolls:
            self.secrets[name] = self.given.secrets["fernetKey"].reveal()
            self.deployed = name
        self.step("up")
        return EngineResult(Changes({"update": 1}), ())

    # The cluster

    def secret_uses(self, variable: str, containers: Sequence[str]) -> tuple[SecretUse, ...]:
        return tuple(
            SecretUse(pod=f"airflow-{name}-0", component=name, secret=secret, ending=False)
            for name, secret in {**dict.fromkeys(CONTAINERS, self.deployed), "worker": self.worker}.items()
            if name in containers
        )

    def pods(self, labels: Mapping[str, str]) -> tuple[Pod, ...]:
        return (pod("scheduler"),)

    def run(self, name: str, container: str, command: Sequence[str], *, seconds: float) -> ExecResult:
        mode = command[-1]
        assert not any(key in " ".join(command) for key in self.keys), "a key is in the arguments of a process"
        if mode == "renew":
            self.step("renew")
            self.values = [self.keys[0] if value in self.keys else value for value in self.values]
        read = [self.values.count(key) for key in self.keys]
        found = {"read": read, "unread": self.unread, "broken": (), "renewed": 0}
        return ExecResult(0, f"a warning of the image\n{json.dumps(found)}\n")

    def secret(self, name: str) -> dict[str, str]:
        return {"fernet-key": self.secrets[name]} if name in self.secrets else {}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    record = {
        "kind": "update",
        "result": "succeeded",
        "startTime": "2026-11-29T10:00:00.000Z",
        "endTime": "2026-11-29T10:01:30.000Z",
        "resourceChanges": {"update": 1},
    }
    found.take_over(
        monkeypatch,
        stack_outputs=lambda on: {**OUTPUTS, "fernet_key_secret": found.deployed, "running": found.running},
        history=lambda on, limit: found.history(on, limit) if found.history else [record],
    )
    return found


def finished(world: World) -> None:
    assert world.kept.values.get("rotation") is None
    [new] = world.keys
    assert new != OLD
    assert world.kept.secrets["fernetKey"].reveal() == new
    assert set(world.values) == {new}


def test_whole_rotation_is_kept_before_it_is_used_and_leaves_one_new_key(world: World) -> None:
    done = world.rotate()
    assert world.calls == ["keep", "up begins", "up"] * 2 + ["keep", "renew"] + ["keep", "up begins", "up"] + ["keep"]
    assert [value.count(",") for value in world.secrets.values()] == [0, 1, 1, 0]
    assert [stage.number for stage in done.stages] == [1, 2, 3, 4]
    finished(world)
    told = [event.text for event in world.events]
    assert told[0] == "reading every encrypted value in the database, which may take minutes"
    assert "stage 3 of 4: the new key alone reads all that is encrypted in the database" in told
    assert not any(key in json.dumps([told, done.to_json()]) for key in (OLD, *world.keys))


def test_rotation_that_is_killed_anywhere_goes_on_with_the_same_new_key(world: World) -> None:
    world.rotate()
    steps, first = world.steps, world.secrets["fernet-1"].split(",")[0]
    assert first == OLD
    for moment in range(1, steps):
        fresh = World(world.folder)
        vars(world).update(vars(fresh), kill_at=moment)
        with pytest.raises(Killed):
            world.rotate()
        begun = world.kept.secrets["fernetKey"].reveal().split(",")
        new = next(key for key in begun if key != OLD)
        world.rotate()
        finished(world)
        assert world.keys == [new], moment


def test_mark_without_its_value_is_forgotten(world: World) -> None:
    """Killed between the two writes into a file: the new value was never used."""
    world.kept = world.kept.changed(rotation="fernet 1/4 0123456789ab")
    assert world.open().rotation("fernet").resumed is False
    world.rotate()
    finished(world)


def test_plan_tells_stages_rolls_and_seconds_and_changes_nothing(world: World) -> None:
    plan = world.open().rotation("fernet")
    assert [stage.rolls for stage in plan.stages] == [("api-server", "scheduler")] * 2 + [()] + [
        ("api-server", "scheduler")
    ]
    assert [stage.seconds for stage in plan.stages] == [90, 90, None, 90]
    assert not plan.resumed
    assert world.calls == []
    assert world.secrets == {"fernet-0": OLD}


def test_options_of_tables_that_tasks_pass_on_are_warned_of_where_workers_get_their_own_key_meanwhile(
    world: World,
) -> None:
    assert world.open().rotation("fernet").notes == ()
    world.worker = world.deployed
    [note] = world.open().rotation("fernet").notes
    assert "cannot open a Delta or Iceberg table with storage options that a task before it passed on" in note


def test_plan_of_a_rotation_that_was_not_finished_tells_what_is_done(world: World) -> None:
    world.kill_at = 5
    with pytest.raises(Killed):
        world.rotate()
    plan = world.open().rotation("fernet")
    assert plan.resumed
    assert [stage.done for stage in plan.stages] == [True, False, False, False]
    [problem] = world.open().status().problems
    assert problem.endswith("in stage 2 of 4; python -m automation rotate fernet team continues it")


def test_stack_that_was_never_deployed_has_no_key_to_rotate(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "stack_outputs", lambda on: {})
    with pytest.raises(StackUnknown, match="the stack has not been deployed yet"):
        world.rotate()
    assert world.calls == []


def test_cluster_that_is_not_the_stack_s_is_not_touched(world: World) -> None:
    world.cluster_tag = "another"
    with pytest.raises(WrongCluster, match="leads to another cluster"):
        world.rotate()
    assert world.calls == []


def foreign_value(world: World) -> None:
    world.unread = ("connection lost (password)",)


def other_rotation(world: World) -> None:
    world.kept = world.kept.changed(rotation="admin-password 1/1 0123456789ab")


def in_another_secret(world: World) -> None:
    names = {"fernetKey": "team-fernet", "apiSecretKey": "team-api", "jwtSecret": "team-jwt"}
    world.kept = EnvironmentSettings.of("team", {**SETTINGS, "keySource": "secret", "keySecrets": names})


def undeployed(world: World) -> None:
    world.secrets["fernet-0"] = KEYS["fernet"].make()


def stopped(world: World) -> None:
    world.kept = world.kept.changed(running="stopped")


def frozen_and_not_updated_since(world: World) -> None:
    world.running = "frozen"


def in_an_upgrade(world: World) -> None:
    world.kept = world.kept.changed(upgrade="upgrade 3/5 3.2.2/3.2.2 3.3.2/3.3.2")


def in_a_restore(world: World) -> None:
    world.kept = world.kept.changed(restore="20260131104500 airflow-20260131T104500Z.dump all")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            stopped,
            "airflow:running: expected all, because a rotation looks at the pods that have the key, found stopped. "
            "Fix: pulumi config set --stack team airflow:running all; python -m automation up team",
        ),
        (frozen_and_not_updated_since, "found frozen. Fix: pulumi config set --stack team airflow:running all"),
        (in_an_upgrade, "python -m automation upgrade team --tag 3.3.2 --airflow-version 3.3.2 continues it"),
        (in_a_restore, "python -m automation restore team continues it"),
        (foreign_value, "connection lost (password): another Fernet key encrypted it"),
        (
            in_another_secret,
            "found it in Secret team-fernet, which something else makes. Fix: put another Secret with the new value "
            "beside it, pulumi config set --stack team --path 'airflow:keySecrets.fernetKey' NAME",
        ),
        (other_rotation, "Fix: finish it, python -m automation rotate admin-password team"),
        (
            undeployed,
            "airflow:fernetKey: expected the value that is deployed, found another one. Fix: python -m automation up",
        ),
    ],
)
def test_refused_rotation_changes_nothing(world: World, make: Callable[[World], None], reason: str) -> None:
    make(world)
    before = world.kept
    with pytest.raises(RotationRefused) as refused:
        world.rotate()
    assert reason in str(refused.value)
    assert reason in str(world.open().rotation("fernet").refusals)
    assert (world.calls, world.kept) == ([], before)


def test_stage_that_does_not_come_to_hold_ends_the_rotation_and_leaves_its_mark(world: World) -> None:
    world.rolls = False
    with pytest.raises(NotHealthy, match="stage 1 of the rotation is not done: the last update deployed another value"):
        world.rotate()
    assert Mark.of(world.kept.values["rotation"]).stage == 1
    world.rolls = True
    world.rotate()
    finished(world)


def test_rotation_that_was_begun_goes_on_beside_a_restore_that_waits_for_it(world: World) -> None:
    """A restore restarts Redis, which then refuses its clients until the rotation of its password goes on."""
    world.kill_at = 5
    with pytest.raises(Killed):
        world.rotate()
    in_a_restore(world)
    world.rotate()
    finished(world)
    assert world.kept.values.get("restore")
