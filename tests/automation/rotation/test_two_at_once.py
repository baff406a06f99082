"""A rotation beside another verb that begins after both have looked, when nothing was under way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automation import Secret
from automation.errors import RotationRefused
from automation.rotation.keys import KEYS
from components.kube.pod_command import ExecResult
from tests.automation.fakes import OUTPUTS
from tests.automation.rotation.test_rotate import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    found.take_over(
        monkeypatch,
        stack_outputs=lambda on: {**OUTPUTS, "fernet_key_secret": found.deployed, "running": found.running},
        history=lambda on, limit: found.history(on, limit) if found.history else [],
    )
    return found


def test_second_rotation_ends_before_it_writes_anything(world: World) -> None:
    """The second new value would push the first one out of the config."""
    first = world.open()

    def other_begins(on: Any, limit: int) -> list[Any]:
        world.kept = world.kept.changed(rotation="fernet 3/4 0123456789ab", fernetKey=Secret(KEYS["fernet"].make()))
        first.session.place = replace(first.session.place, settings=world.kept)
        return []

    world.history = other_begins
    with pytest.raises(RotationRefused, match="found the rotation of fernet is in stage 3 of 4"):
        first.rotate("fernet", keep=world.keep)
    assert world.calls == []
    assert world.kept.values["rotation"] == "fernet 3/4 0123456789ab"


def test_rotation_ends_before_it_writes_anything_beside_an_upgrade(world: World) -> None:
    """Its update would start again what the upgrade has stopped."""
    first, run, mark = world.open(), world.run, "upgrade 2/5 3.2.2/3.2.2 3.3.2/3.3.2"

    def other_begins(*args: Any, **options: Any) -> ExecResult:
        world.kept = world.kept.changed(upgrade=mark)
        first.session.place = replace(first.session.place, settings=world.kept)
        return run(*args, **options)

    world.run = other_begins  # type: ignore[method-assign]
    with pytest.raises(RotationRefused, match="found this: the upgrade from"):
        first.rotate("fernet", keep=world.keep)
    assert (world.calls, world.kept.values.get("rotation")) == ([], None)
