"""A rotation whose update was killed when its last pod had rolled: the update comes to its end before anything else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from automation.engine.locks import Holder, Lock
from automation.engine.operations import EngineResult
from automation.errors import RotationRefused
from automation.recovery import recover
from automation.stacks.session import Session
from tests.automation.fakes import OUTPUTS
from tests.automation.kept_world import Killed
from tests.automation.rotation.test_rotate import World, finished

LOCK = Lock(user="root", host="here", pid=4711, since="2026-11-25T02:44:31.581029124Z", holder=Holder.GONE)


@dataclass
class Locked(World):
    """A stack whose killed updates leave a lock."""

    locked: bool = False

    def up(self, on: Any, **options: Any) -> EngineResult:
        assert not self.locked, "the engine refuses an update"
        self.locked = True
        done = super().up(on, **options)
        self.step("its last resources")
        self.locked = False
        return done

    def recover(self, *args: Any) -> SimpleNamespace:
        self.locked = False
        return SimpleNamespace(update=SimpleNamespace(changes=self.up(None).changes))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Locked:
    found = Locked(tmp_path)
    found.take_over(
        monkeypatch, stack_outputs=lambda on: {**OUTPUTS, "fernet_key_secret": found.deployed, "running": found.running}
    )
    monkeypatch.setattr(Session, "locks", lambda session: (LOCK,) if found.locked else ())
    monkeypatch.setattr(recover, "recover", lambda *args: found.recover(*args))
    return found


def test_update_that_is_killed_anywhere_is_finished_before_its_stage_counts_as_done(world: Locked) -> None:
    world.rotate()
    whole = world.steps
    for moment in range(1, whole):
        vars(world).update(vars(Locked(world.folder, kill_at=moment)))
        with pytest.raises(Killed):
            world.rotate()
        where = world.calls[-1]
        world.rotate()
        finished(world)
        assert not world.locked, (moment, where)
        again = world.calls[moment : moment + 3]
        assert where != "its last resources" or again == ["keep", "up begins", "up"], (moment, again)


def test_value_that_somebody_took_out_of_the_config_meanwhile_is_in_it_at_the_end(world: Locked) -> None:
    """The next update would deploy the key from before the rotation, which reads nothing any more."""
    world.rotate()
    whole = world.steps
    for moment in range(2, whole):
        vars(world).update(vars(Locked(world.folder, kill_at=moment)))
        with pytest.raises(Killed):
            world.rotate()
        world.kept, world.locked = world.kept.changed(fernetKey=None), False
        world.rotate()
        finished(world)


def test_rotation_begins_on_no_update_that_was_killed_and_says_what_ends_it(world: Locked) -> None:
    """A first stage without an update would wait for a healthy stack until its time was over."""
    world.locked = True
    with pytest.raises(RotationRefused) as refused:
        world.rotate()
    assert refused.value.refusals == (
        "stack team: expected that its last update came to its end, found one that was killed. "
        "Fix: python -m automation recover team",
    )
    assert world.calls == []
