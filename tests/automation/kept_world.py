"""What surrounds a verb of several stages: settings that a service keeps, and a process that can be killed anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from automation import Environment, Environments, EnvironmentSettings, Passphrase, Secret
from automation.engine.events import Event
from tests import samples
from tests.automation.fakes import SETTINGS, FakeTime


class Killed(BaseException):
    """The process ended here."""


@dataclass
class KeptWorld:
    """The settings that a service has kept, and what was called so far. kill_at: the step in which the process ends."""

    folder: Path
    kept: EnvironmentSettings = field(default_factory=lambda: EnvironmentSettings.of("team", SETTINGS))
    calls: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    steps: int = 0
    kill_at: int = 0
    opened: Environment | None = None

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
