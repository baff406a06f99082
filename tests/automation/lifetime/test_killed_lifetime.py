"""A temporary stack whose making or removal was killed: the next run comes to the same end, or says what helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from automation.engine import operations
from automation.errors import SettingsInvalid, StackLocked, UpdateFailed
from automation.lifetime import expire, spawn
from automation.lifetime.derived import HEADER
from automation.lifetime.expire import Expiring
from automation.lifetime.result import Fate
from automation.stacks.expiry import TAG
from components.kube.secret import Secret
from tests.automation.kept_world import Killed
from tests.cases import each
from tests.samples import ROOT

NAME, PAST = "pr-12", "2020-01-01T00:00:00Z"
LIKE = """\
config:
  airflow:kubeContext: kind-airflow
  airflow:protect: false
  airflow:database: container
"""


@dataclass
class World:
    """A backend and a cluster in memory, and a checkout. kill_at: the step in which the process ends."""

    folder: Path
    kill_at: int = 0
    steps: int = 0
    stacks: dict[str, str] = field(default_factory=dict)
    """The tag of each stack."""
    resources: int = 0
    updated: bool = False
    """Whether an update of the stack has come to its end."""
    refused: Exception | None = None
    """Why the engine refuses to remove the stack."""
    deployed: dict[str, Any] | None = None
    """The config of the last update, if the engine is asked for it."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    """What was written into the stack's file."""
    left: str | None = None
    """The stack's file when the process ended. Nothing tidies up after that."""

    @property
    def file(self) -> Path:
        return self.folder / f"Pulumi.{NAME}.yaml"

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.kill_at:
            self.left = self.file.read_text() if self.file.is_file() else None
            raise Killed

    def rise(self) -> None:
        """Begin as a process that finds what the killed one has left."""
        self.kill_at = 0
        if self.left is None:
            self.file.unlink(missing_ok=True)
        else:
            self.file.write_text(self.left)

    # spawn

    def spawn(self) -> Any:
        place = SimpleNamespace(project_dir=self.folder, settings=None)
        session: Any = SimpleNamespace(
            name=NAME,
            place=place,
            check_config=self.step,
            config=lambda: SimpleNamespace(namespace=NAME),
            open_for_update=self.open_for_update,
            find_engine=lambda: None,
            events=lambda *_: SimpleNamespace(note=lambda text: None),
            cluster=lambda: (SimpleNamespace(get=lambda *_, **__: {} if self.resources else None), NAME),
        )
        return spawn.spawn(session, "like", {}, 2, lambda event: None)

    @contextmanager
    def open_for_update(self, verb: str, on_event: Any) -> Iterator[Any]:
        self.stacks.setdefault(NAME, "")
        self.step()
        yield None

    def set_expiry(self, opened: Any, hours: float) -> str:
        self.stacks[NAME] = PAST
        self.step()
        return PAST

    @contextmanager
    def as_deployed(self, *_: Any) -> Iterator[Any]:
        yield None if self.deployed is None else SimpleNamespace(project_dir=self.folder / "deployed")

    def file_values(self, opened: Any, folder: Path, path: Path | None = None) -> dict[str, Any]:
        return dict(self.deployed or {}) if path else {"dagsRef": "main", "fernetKey": Secret("of the other")}

    def change_config(self, session: Any, opened: Any, changed: dict[str, Any]) -> None:
        self.changes.append(changed)
        self.step()

    def update(self, *_: Any) -> Any:
        for _number in range(2):
            self.resources += 1
            self.step()
        self.updated = True
        self.step()

    # expire

    def expire(self, *names: str) -> tuple[Any, ...]:
        place: Any = SimpleNamespace(project_dir=self.folder)
        engine: Any = SimpleNamespace()
        run = Expiring(
            place=place,
            find_engine=lambda: engine,
            opened=lambda name, place: self.environment(),
            on_event=lambda event: None,
        )
        return run.done(names, dry_run=False, cluster_gone=False).stacks

    def environment(self) -> Any:
        config = SimpleNamespace(protect=False)
        session = SimpleNamespace(busy=nullcontext, config=lambda: config)
        return SimpleNamespace(session=session, expires=lambda: self.stacks[NAME], destroy=self.destroy)

    def destroy(self, **_: Any) -> None:
        if self.refused is not None:
            raise self.refused
        while self.resources:
            self.resources -= 1
            self.step()
        self.remove()

    def remove(self, *_: Any) -> None:
        if self.resources:
            raise UpdateFailed(f"removing stack {NAME} failed: it still has resources", "correct that")
        del self.stacks[NAME]
        self.step()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (tmp_path / "Pulumi.like.yaml").write_text(LIKE)
    monkeypatch.setattr(spawn, "set_expiry", lambda *args: found.set_expiry(*args))
    monkeypatch.setattr(spawn, "read_expiry", lambda opened: found.stacks[NAME])
    monkeypatch.setattr(spawn, "as_deployed", found.as_deployed)
    monkeypatch.setattr(spawn, "file_values", found.file_values)
    monkeypatch.setattr(spawn, "change_config", found.change_config)
    monkeypatch.setattr(operations, "has_resources", lambda opened: bool(found.resources))
    monkeypatch.setattr(spawn, "resumed_update", lambda *args: found.update(*args))
    monkeypatch.setattr(expire, "stack_tags", lambda *args: {name: {TAG: tag} for name, tag in found.stacks.items()})
    monkeypatch.setattr(expire, "as_deployed", lambda *args: nullcontext(object() if found.updated else None))
    monkeypatch.setattr(expire, "remove_empty", lambda *args: found.remove(*args))
    return found


def killed(world: World, moment: int) -> None:
    vars(world).update(vars(World(world.folder, kill_at=moment)))
    world.file.unlink(missing_ok=True)


def test_spawn_that_is_killed_anywhere_is_run_again_to_the_same_end(world: World) -> None:
    world.spawn()
    for moment in range(1, world.steps + 1):
        killed(world, moment)
        with pytest.raises(Killed):
            world.spawn()
        world.rise()
        world.spawn()
        assert (world.stacks, world.updated) == ({NAME: PAST}, True), moment
        assert world.file.read_text().startswith(HEADER)


def test_stack_that_is_made_again_keeps_its_keys_even_if_it_is_killed_meanwhile(world: World) -> None:
    """A rotation wrote them, perhaps in another checkout. Without them, nothing reads the stack's database."""
    world.spawn()
    rotated = {"fernetKey": Secret("rotated"), "databaseLogin": Secret("a:b"), "gitSshPrivateKey": Secret("old")}
    world.deployed, world.updated, kept = {**rotated, "dagsRef": "old"}, True, {**rotated}
    del kept["gitSshPrivateKey"]  # the Git host accepts that of the other stack
    begun = world.steps
    world.spawn()
    assert world.changes == [kept]
    for moment in range(begun + 1, world.steps + 1):
        world.changes, world.steps, world.kill_at = [], begun, moment
        with pytest.raises(Killed):
            world.spawn()
        world.rise()
        world.changes = []
        world.spawn()
        assert world.changes == [kept], moment
    world.deployed, world.changes = {"dagsRef": "old"}, []
    world.spawn()
    assert world.changes == [{"fernetKey": None}], "a key that the other stack was given since"


@each(("key", "mark"), [("rotation", "fernet 2/4 0123456789ab"), ("upgrade", "upgrade 1/5 a/3.2.2 b/3.3.2")])
def test_stack_whose_own_verb_has_not_ended_is_not_made_again(world: World, key: str, mark: str) -> None:
    world.file.unlink(missing_ok=True)
    world.spawn()
    world.file.write_text(world.file.read_text().replace("config:\n", f"config:\n  airflow:{key}: {mark}\n"))
    text = world.file.read_text()
    with pytest.raises(SettingsInvalid, match=f"airflow:{key}: expected nothing under way in {NAME}, found "):
        world.spawn()
    assert world.file.read_text() == text


def test_stack_whose_spawn_was_killed_expires_or_says_how_it_can(world: World) -> None:
    world.spawn()
    for moment in range(3, world.steps + 1):
        killed(world, moment)
        with pytest.raises(Killed):
            world.spawn()
        world.rise()
        (item,) = world.expire()
        if item.fate is Fate.FAILED:
            assert item.reason.endswith(
                f"Fix: python -m automation spawn {NAME} --like OTHER ends its first update; then expire it"
            )
            world.spawn()
            (item,) = world.expire()
        assert (item.fate, world.stacks, world.resources) == (Fate.REMOVED, {}, 0), moment
        assert not world.file.exists()


def test_expire_that_is_killed_anywhere_is_run_again_to_the_same_end(world: World) -> None:
    world.spawn()
    spawned = world.steps
    world.expire()
    for moment in range(spawned + 1, world.steps + 1):
        killed(world, moment)
        world.spawn()
        with pytest.raises(Killed):
            world.expire()
        world.rise()
        world.expire(NAME)
        assert (world.stacks, world.resources, world.file.exists()) == ({}, 0, False), moment


def test_lock_of_a_killed_run_is_removed_without_the_file_that_only_another_checkout_has(world: World) -> None:
    world.spawn()
    world.refused = StackLocked("destroying stack pr-12: it was killed and left its lock", "recover pr-12")
    (item,) = world.expire()
    assert (item.fate, item.reason) == (
        Fate.FAILED,
        "destroying stack pr-12: it was killed and left its lock. Fix: if that run is gone: pulumi cancel --yes "
        "--stack pr-12; then python -m automation expire pr-12",
    )
