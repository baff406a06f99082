"""A check of the preflight that an outage left unmade is made again by the next update."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from pulumi.automation import CommandError, CommandResult, EngineEvent

from automation.engine import operations, plugins
from automation.engine.events import Event, Teller
from automation.engine.opened_stack import OpenedStack
from automation.errors import UpdateFailed

CHECK: Final = (
    "urn:pulumi:dev::airflow::airflow:index:ClusterPreflight$kubernetes:core/v1:ConfigMap::airflow-preflight-git"
)
FAILED: Final = CommandError(CommandResult(stdout="", stderr="error: update failed", code=255))


@dataclass
class Engine:
    """Runs commands beside the update. `refuses`: all of them."""

    refuses: bool = False
    interrupted: bool = False
    ran: list[list[str]] = field(default_factory=list)

    def run(self, words: list[str], *_: Any, **__: Any) -> Any:
        self.ran.append(words)
        if self.refuses:
            raise FAILED
        return SimpleNamespace(stdout="")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plugins, "missing", lambda *args: ())
    (tmp_path / "Pulumi.yaml").write_text("name: airflow\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    return tmp_path


def warning(text: str) -> EngineEvent:
    said = {"severity": "warning", "message": f"warning: {text}", "color": "never", "urn": CHECK}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, "diagnosticEvent": said})


def up(folder: Path, engine: Any, text: str, *, fails: bool = False) -> list[str]:
    """Update, with a warning about the check. Return what was told."""
    events: list[Event] = []

    def run(*, on_event: Any, **_: Any) -> Any:
        on_event(warning(text))
        if fails:
            raise FAILED
        return None

    stack: Any = SimpleNamespace(name="dev", workspace=SimpleNamespace(work_dir=str(folder), env_vars={}), up=run)
    try:
        operations.up(OpenedStack(stack, engine, Teller(events.append, "dev", "up")))
    except UpdateFailed as error:
        return [*(event.text for event in events), error.what]
    return [event.text for event in events]


def test_resource_of_the_check_is_replaced_next_time_whatever_becomes_of_the_update(folder: Path) -> None:
    for fails in (False, True):
        engine = Engine()
        told = up(folder, engine, "could not be checked: airflow:dagsRepository: expected x", fails=fails)
        assert engine.ran == [["state", "taint", CHECK, "--yes", "--stack", "dev"]]
        assert "the next update checks airflow-preflight-git again" in told
        assert ("up of stack dev failed" in told[-1]) is fails


def test_update_does_not_fail_where_the_state_cannot_be_changed(folder: Path) -> None:
    told = up(folder, Engine(refuses=True), "could not be checked: x")
    assert "the next update will not check airflow-preflight-git again: python -m automation preflight dev does" in told


def test_nothing_else_is_asked_of_the_engine(folder: Path) -> None:
    for engine, text in (
        (Engine(), "the folder has pointers of Git LFS"),
        (Engine(interrupted=True), "could not be checked: x"),
    ):
        up(folder, engine, text)
        assert engine.ran == []
