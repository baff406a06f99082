"""The rotation of a key that a stack reads from its escrow: what is written there, and what follows a kill."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automation import EnvironmentSettings, Secret
from automation.cluster.pods import SecretUse
from automation.engine.operations import EngineResult
from automation.errors import ClusterRequestFailed
from automation.results import Changes
from automation.rotation.keys import KEYS
from components.aws.client import AwsError
from components.keys import escrow_reader, escrow_writer
from components.keys.escrow_reader import ROLES, EscrowedKeys
from tests.automation.fakes import OUTPUTS, SETTINGS
from tests.automation.kept_world import Killed, checked
from tests.automation.rotation.test_rotate import OLD, World

NAME, REGION = "airflow/team/keys", "eu-central-1"
CONFIG = {
    **{key: value for key, value in SETTINGS.items() if key not in ("adminPassword", "kubeContext")},
    "keySource": "escrow",
    "keyEscrow": NAME,
    "awsRegion": REGION,
    "awsAccountId": "123456789012",
    "eksCluster": "team",
}


@dataclass
class Escrow(World):
    """Such a stack, and every version of one key in its secret."""

    key: str = "fernet"
    kept: EnvironmentSettings = field(default_factory=lambda: checked("team", CONFIG))
    versions: list[str] = field(default_factory=lambda: [OLD])
    refuses: bool = False

    def read_escrow(self, name: str, region: str) -> EscrowedKeys:
        assert (name, region) == (NAME, REGION)
        others = {role: Secret(f"sentinel-{role}") for role in ROLES}
        return EscrowedKeys(**{**others, KEYS[self.key].role: Secret(self.versions[-1])})

    def write_escrow(self, name: str, region: str, role: str, value: str) -> None:
        assert (name, region, role) == (NAME, REGION, KEYS[self.key].role)
        assert str(self.kept.values["rotation"]).startswith(self.key), "the next run would not know the value"
        self.step("escrow begins")
        if self.refuses:
            raise AwsError("secretsmanager:PutSecretValue: expected access, found none. Fix: allow it")
        self.versions.append(value)
        self.step("escrow")

    def up(self, on: Any, **options: Any) -> EngineResult:
        self.step("up begins")
        name = f"key-{len(self.secrets)}"
        self.secrets[name] = self.versions[-1]
        self.deployed = name
        self.step("up")
        return EngineResult(Changes({"update": 1}), ())

    def secret_uses(self, variable: str, containers: Sequence[str]) -> tuple[SecretUse, ...]:
        self.worker = self.worker if self.key == "fernet" else self.deployed
        return super().secret_uses(variable, containers)

    def secret(self, name: str) -> dict[str, str]:
        return {KEYS[self.key].data_key: self.secrets[name]} if name in self.secrets else {}


@pytest.fixture
def escrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Escrow]:
    found = Escrow(tmp_path)
    names = ("fernet_key_secret", "api_secret_key_secret")
    found.take_over(
        monkeypatch,
        stack_outputs=lambda on: {**OUTPUTS, **dict.fromkeys(names, found.deployed), "running": found.running},
    )
    monkeypatch.setattr(escrow_reader, "read_escrowed_keys", lambda *args: found.read_escrow(*args))
    monkeypatch.setattr(escrow_writer, "write_escrowed_key", lambda *args: found.write_escrow(*args))

    def anew(key: str, kill_at: int = 0) -> Escrow:
        vars(found).update(vars(Escrow(tmp_path, key=key, kill_at=kill_at)))
        return found

    return anew


def finished(world: Escrow) -> None:
    assert world.kept.values.get("rotation") is None
    assert not {KEYS[world.key].config_key, "rotationSecret"} & {*world.kept.secrets, *world.kept.values}
    [new] = world.keys
    assert new != OLD
    assert world.versions[-1] == new
    if world.key == "fernet":
        assert set(world.values) == {new}


UPDATE = ["keep", "escrow begins", "escrow", "up begins", "up"]
FERNET = [*UPDATE, *UPDATE, "keep", "renew", *UPDATE, "keep"]


@pytest.mark.parametrize(("key", "calls"), [("fernet", FERNET), ("api-secret-key", [*UPDATE, "keep"])])
def test_each_version_of_the_escrow_follows_its_mark_and_no_key_is_in_the_config(
    escrow: Callable[..., Escrow], key: str, calls: list[str]
) -> None:
    world = escrow(key)
    done = world.rotate(key)
    finished(world)
    [new] = world.keys
    assert world.versions == ([OLD, f"{OLD},{new}", f"{new},{OLD}", new] if key == "fernet" else [OLD, new])
    assert world.calls == calls
    shown = json.dumps([[event.text for event in world.events], done.to_json(), dict(world.kept.values)])
    assert not any(value in shown for value in (OLD, new))


@pytest.mark.parametrize("key", ["fernet", "api-secret-key"])
def test_rotation_in_the_escrow_that_is_killed_anywhere_ends_alike(escrow: Callable[..., Escrow], key: str) -> None:
    whole = escrow(key)
    whole.rotate(key)
    for moment in range(1, whole.steps):
        world = escrow(key, moment)
        with pytest.raises(Killed):
            world.rotate(key)
        begun = [value for version in world.versions for value in version.split(",") if value != OLD]
        world.rotate(key)
        finished(world)
        # A value that no version holds was never used, and is forgotten.
        assert begun == [] or world.keys == begun[:1], moment


def test_escrow_that_takes_no_version_stops_the_rotation_before_its_update(escrow: Callable[..., Escrow]) -> None:
    world = escrow("fernet")
    world.refuses = True
    with pytest.raises(ClusterRequestFailed, match="PutSecretValue"):
        world.rotate()
    assert "up begins" not in world.calls
    world.refuses = False
    world.rotate()
    finished(world)
