"""Which policy pack judges an operation, and what becomes of what it says."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from pulumi.automation import CommandError, CommandResult, EngineEvent

from automation.engine import operations, plugins
from automation.engine.events import Event, EventKind, Teller, ignore
from automation.engine.opened_stack import OpenedStack
from automation.engine.policy_pack import policy_pack
from automation.errors import Interrupted, ReleaseStuck, UpdateFailed
from components.secrets.masker import Masker
from tests.samples import ROOT

SECRET = "sentinel-4711"
STUCK = "another operation (install/upgrade/rollback) is in progress"


def with_pack(project: Path, *, made: bool = True) -> Path:
    """A project that has the repository's pack. made: also what the pack runs in, as `make policy` does."""
    (project / "policy").mkdir(parents=True)
    shutil.copy(ROOT / "policy" / "PulumiPolicy.yaml", project / "policy")
    if made:
        (project / ".venv" / "policy" / "bin").mkdir(parents=True)
        (project / ".venv" / "policy" / "bin" / "python").touch()
    return project


def test_pack_is_the_project_s_where_it_can_run(tmp_path: Path) -> None:
    project = with_pack(tmp_path)
    assert policy_pack(project) == project / "policy"


def test_pack_whose_environment_nobody_has_made_is_none(tmp_path: Path) -> None:
    assert policy_pack(with_pack(tmp_path, made=False)) is None


def test_project_without_a_pack_has_none(tmp_path: Path) -> None:
    assert policy_pack(tmp_path) is None


@pytest.mark.parametrize("content", ["", "runtime: python\n", "runtime: {name: python}\n", "runtime: {options: 1}\n"])
def test_pack_that_names_no_environment_is_none(content: str, tmp_path: Path) -> None:
    (with_pack(tmp_path) / "policy" / "PulumiPolicy.yaml").write_text(content)
    assert policy_pack(tmp_path) is None


# In operations


@dataclass
class FakeStack:
    """Gives the events to who listens, then ends, or fails where `fails` says so. asked: with what."""

    folder: Path
    events: list[EngineEvent] = field(default_factory=list)
    fails: bool = False
    name: str = "dev"
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def workspace(self) -> Any:
        return SimpleNamespace(work_dir=str(self.folder), env_vars={})

    def _run(self, options: dict[str, Any]) -> Any:
        self.asked = options
        for event in self.events:
            options["on_event"](event)
        if self.fails:
            raise CommandError(CommandResult(stdout="", stderr="error: update failed", code=255))
        return SimpleNamespace(change_summary={})

    def up(self, **options: Any) -> Any:
        return self._run(options)

    def preview(self, **options: Any) -> Any:
        return self._run(options)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    """Of a project with a pack; the engine works in another folder."""
    monkeypatch.setattr(plugins, "missing", lambda *args: ())
    project, work_dir = with_pack(tmp_path / "project"), tmp_path / "work"
    work_dir.mkdir()
    (work_dir / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "airflow", "main": str(project)}))
    (work_dir / "Pulumi.dev.yaml").write_text("config: {}\n")
    return FakeStack(work_dir)


def operation(stack: FakeStack, events: list[Event] | None = None, *, interrupted: bool = False) -> OpenedStack:
    masker = Masker(secrets=[SECRET])
    engine: Any = SimpleNamespace(interrupted=interrupted)
    teller = Teller(ignore if events is None else events.append, "dev", "up", masker)
    opened: Any = stack
    return OpenedStack(opened, engine, teller, masker)


def event(**content: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, **content})


def violation(
    level: str = "mandatory", rule: str = "no-key-in-clear", text: str = "Release airflow: a key"
) -> EngineEvent:
    """As the engine tells one: with markup, and the rule's description before what it found."""
    policy = {
        "resourceUrn": "urn:pulumi:dev::airflow::kubernetes:helm.sh/v3:Release::airflow",
        "message": f"<{{%reset%}}>No key stands there.\n{text}. Put it into a Secret.<{{%reset%}}>\n",
        "color": "never",
        "policyName": rule,
        "policyPackName": "airflow",
        "policyPackVersion": "1.0.0",
        "policyPackVersionTag": "1.0.0",
        "enforcementLevel": level,
    }
    return event(policyEvent=policy)


both = pytest.mark.parametrize("run", [operations.up, operations.preview], ids=["up", "preview"])


@both
def test_the_pack_of_the_program_s_project_judges(run: Any, stack: FakeStack, tmp_path: Path) -> None:
    run(operation(stack))
    assert stack.asked["policy_packs"] == [str(tmp_path / "project" / "policy")]


@both
def test_without_its_environment_nothing_judges(run: Any, stack: FakeStack, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "project" / ".venv")
    run(operation(stack))
    assert not stack.asked["policy_packs"]


def test_plan_is_made_and_kept_under_the_pack(stack: FakeStack) -> None:
    operations.preview(operation(stack), save_plan="plan.json")
    assert stack.asked["plan"] == "plan.json"
    assert stack.asked["policy_packs"]
    operations.up(operation(stack), plan="plan.json")
    assert stack.asked["plan"] == "plan.json"
    assert stack.asked["policy_packs"]


@both
def test_mandatory_violations_are_what_it_failed_of(run: Any, stack: FakeStack) -> None:
    stack.fails, events = True, list[Event]()
    stack.events = [violation(), violation(rule="stateful-protected", text=f"Instance db: {SECRET}"), violation()]
    with pytest.raises(UpdateFailed) as raised:
        run(operation(stack, events))
    assert raised.value.what.endswith(
        "of stack dev failed: it breaks mandatory rules: no-key-in-clear: Release airflow: a key. Put it into a "
        "Secret; stateful-protected: Instance db: [secret]. Put it into a Secret"
    )
    assert "docs/policy.md" in raised.value.remedy
    assert raised.value.__cause__ is None
    assert {(event.kind, event.name) for event in events} == {(EventKind.ERROR, "airflow")}
    assert SECRET not in str([event.to_json() for event in events])


def test_advisory_violation_is_told_and_refuses_nothing(stack: FakeStack) -> None:
    events: list[Event] = []
    stack.events = [violation("advisory")]
    operations.preview(operation(stack, events))
    assert [(event.kind, event.text) for event in events] == [
        (EventKind.WARNING, "warning: rule no-key-in-clear: Release airflow: a key. Put it into a Secret")
    ]


def test_what_failed_by_itself_keeps_its_kind(stack: FakeStack) -> None:
    """Its remedy is another one."""
    release = {"type": "kubernetes:helm.sh/v3:Release", "urn": "urn:pulumi:dev::airflow::a::airflow", "custom": True}
    metadata = {"op": "update", "urn": release["urn"], "type": release["type"], "new": release}
    stack.fails = True
    stack.events = [
        violation(),
        event(resourcePreEvent={"metadata": metadata}),
        event(resOpFailedEvent={"metadata": metadata, "status": 1, "steps": 1}),
        event(diagnosticEvent={"severity": "error", "message": STUCK, "color": "never"}),
    ]
    with pytest.raises(ReleaseStuck):
        operations.up(operation(stack))


def test_interrupted_operation_was_refused_by_nobody(stack: FakeStack) -> None:
    stack.fails, stack.events = True, [violation()]
    with pytest.raises(Interrupted):
        operations.up(operation(stack, interrupted=True))


# The engine's own events


@both
def test_who_listens_hears_the_engine_s_events_and_only_inside(run: Any, stack: FakeStack) -> None:
    heard: list[EngineEvent] = []
    stack.events = [violation("advisory")]
    with operations.listening(heard.append):
        run(operation(stack))
    run(operation(stack))
    assert heard == stack.events


def test_events_of_another_thread_are_another_s(stack: FakeStack) -> None:
    """A service previews several stacks at once."""
    heard: list[EngineEvent] = []
    stack.events = [violation("advisory")]
    with operations.listening(heard.append), ThreadPoolExecutor(1) as pool:
        pool.submit(operations.preview, operation(stack)).result()
    assert heard == []
