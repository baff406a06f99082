"""What surrounds a verb of several stages: settings that a service keeps, and a process that can be killed anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automation import Environment, Environments, EnvironmentSettings, Passphrase, Secret, environments
from automation.engine import operations
from automation.engine.events import Event
from automation.engine.operations import EngineResult
from automation.recovery.status import ClusterStatus
from automation.stacks import session, stack_locks, updates
from automation.stacks.config import StackConfig
from automation.verification.result import Verification, failed, passed
from tests import samples
from tests.automation.fakes import SETTINGS, FakeEngine, FakeStack, FakeTime

POD = {"metadata": {"name": "airflow-scheduler-1", "ownerReferences": [{"kind": "ReplicaSet", "name": "x"}]}}


class Killed(BaseException):
    """The process ended here."""


_of = EnvironmentSettings.of
_CHECKED: dict[tuple[Any, ...], EnvironmentSettings] = {}


def checked(name: str, values: Mapping[str, Any], project_dir: Path = samples.ROOT) -> EnvironmentSettings:
    """Stand in place of `EnvironmentSettings.of`: worlds have the same few again and again, and nobody changes them."""
    given = ((key, value if isinstance(value, Secret) else json.dumps(value)) for key, value in sorted(values.items()))
    which = (name, project_dir, *given)
    if which not in _CHECKED:
        _CHECKED[which] = _of(name, values, project_dir)
    return _CHECKED[which]


@dataclass
class KeptWorld:
    """The settings that a service has kept, and what was called so far. kill_at: the step in which the process ends."""

    folder: Path
    kept: EnvironmentSettings = field(default_factory=lambda: checked("team", SETTINGS))
    calls: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    steps: int = 0
    kill_at: int = 0
    opened: Environment | None = None
    running: str = "all"
    """How much of Airflow was deployed last."""
    verified: bool = True
    cluster_tag: str = ""
    """The cluster that the stack was deployed to; "" for the one that answers."""

    def take_over(self, monkeypatch: pytest.MonkeyPatch, **does: Callable[..., Any]) -> None:
        """Stand in place of engine, backend and cluster. does: operations of the engine, besides the usual ones."""
        usual: Mapping[str, Callable[..., Any]] = {
            "deployment": lambda on: {"resources": [{"urn": "u", "type": "t", "custom": True, "id": "i"}]},
            "history": lambda on, limit: [],
            "tag": lambda on, name: self.cluster_tag if name == "airflow:cluster" else "",
            "set_tag": lambda on, name, value: None,
            "up": self.up,
        }
        for name, function in {**usual, **does}.items():
            monkeypatch.setattr(operations, name, function)
        monkeypatch.setattr(EnvironmentSettings, "of", staticmethod(checked))
        monkeypatch.setattr(environments, "find_engine", lambda *args: FakeEngine())
        monkeypatch.setattr(session, "open_stack", lambda place, name, engine, **options: FakeStack(name))
        monkeypatch.setattr(stack_locks, "read_locks", lambda *args: ())
        monkeypatch.setattr(session.Session, "cluster", lambda opened: (self, "airflow"))
        monkeypatch.setattr(StackConfig, "reached", lambda config, work_dir: config)
        monkeypatch.setattr(updates, "stop_workers", lambda *args, **options: None)
        monkeypatch.setattr("automation.cluster.client.cluster_identity", lambda *args, **options: "uid-1")
        monkeypatch.setattr("automation.cluster.client.KubeClient", lambda *args, **options: self)
        monkeypatch.setattr("automation.cluster.objects.ClusterObjects", lambda *args, **options: self)
        monkeypatch.setattr("automation.recovery.status.cluster_status", lambda *args: ClusterStatus())
        monkeypatch.setattr("automation.stacks.verify_stack.verify_stack", lambda *args: self.verify())

    def up(self, on: Any, **options: Any) -> EngineResult:
        """Update. Each verb's world says what that changes."""
        raise NotImplementedError

    def verify(self) -> Verification:
        self.step("verify")
        return Verification((passed("a", "") if self.verified else failed("a", "not so"),))

    def items(self, api_version: str, kind: str, namespace: str, **_: Any) -> list[dict[str, Any]]:
        return [POD] if kind == "Pod" and self.running != "stopped" else []

    @property
    def given(self) -> EnvironmentSettings:
        """The settings that the environment has, which was opened last."""
        assert self.opened is not None
        assert self.opened.settings is not None
        return self.opened.settings

    def step(self, name: str) -> None:
        self.calls.append(name)
        self.steps += 1
        if self.steps == self.kill_at:
            raise Killed

    def open(self) -> Environment:
        self.opened = Environments(
            samples.ROOT,
            backend=(self.folder / "state").as_uri(),
            secrets_provider=Passphrase(Secret("sentinel-passphrase")),
            work_dir=self.folder / "work",
            clock=FakeTime().clock,
        ).open("team", self.kept)
        return self.opened

    def keep(self, settings: EnvironmentSettings) -> None:
        self.kept = settings
        self.step("keep")
