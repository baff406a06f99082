"""The order of an adoption: nothing is written before all is known, and a state that was written is put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automation import Environment, Environments, EnvironmentSettings, Passphrase, Secret, environments
from automation.adoption import prepare as prepare_module
from automation.engine import operations
from automation.engine.operations import EngineResult
from automation.engine.stack_state import NAMESPACE, RELEASE
from automation.errors import AdoptionRefused, SettingsInvalid, UpdateFailed
from automation.plan.model import Plan
from automation.recovery.status import ClusterStatus
from automation.results import Changes, Step
from automation.stacks import session, stack_locks
from tests import samples
from tests.automation.adoption.releases import FERNET_KEY, VALUES, FakeCluster, objects, record
from tests.automation.adoption.test_state import registered
from tests.automation.fakes import FakeEngine, FakeStack, FakeTime, resource_state


@dataclass
class Rig:
    """What the engine is asked for, in order; `states` are the deployments that were stored."""

    folder: Path
    cluster: FakeCluster = field(default_factory=FakeCluster)
    calls: list[str] = field(default_factory=list)
    deployment: dict[str, Any] = field(default_factory=dict)
    states: list[Mapping[str, Any]] = field(default_factory=list)
    previewed: tuple[Step, ...] | Exception = ()

    def environments(self) -> Environments:
        return Environments(
            samples.ROOT,
            backend=(self.folder / "state").as_uri(),
            secrets_provider=Passphrase(Secret("sentinel-passphrase")),
            work_dir=self.folder / "work",
            clock=FakeTime().clock,
        )

    def open(self) -> Environment:
        found = self.environments()
        return found.open("team", found.settings_of_release("team", VALUES))


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = Rig(tmp_path)

    def up(on: Any, **options: Any) -> EngineResult:
        rig.calls.append("up")
        return EngineResult(Changes({"update": 2}), ())

    def preview(on: Any, **options: Any) -> EngineResult:
        rig.calls.append("preview")
        if isinstance(rig.previewed, Exception):
            raise rig.previewed
        return EngineResult(Changes({"update": 2}), rig.previewed)

    def replace_deployment(on: Any, content: Mapping[str, Any]) -> None:
        rig.calls.append("import")
        rig.states.append(content)

    monkeypatch.setattr(environments, "find_engine", lambda *args: FakeEngine())
    monkeypatch.setattr(session, "open_stack", lambda place, name, engine, **options: FakeStack(name))
    monkeypatch.setattr(stack_locks, "read_locks", lambda *args: ())
    monkeypatch.setattr("automation.cluster.client.cluster_identity", lambda *args, **options: "uid-1")
    monkeypatch.setattr("automation.cluster.client.KubeClient", lambda *args, **options: None)
    monkeypatch.setattr("automation.cluster.objects.ClusterObjects", lambda *args, **options: rig.cluster)
    monkeypatch.setattr("automation.recovery.status.cluster_status", lambda *args: ClusterStatus())
    monkeypatch.setattr(
        prepare_module, "plan_checkout", lambda folder, stack, **options: Plan(stack=stack, objects=tuple(objects()))
    )
    monkeypatch.setattr(operations, "deployment", lambda on: rig.deployment)
    monkeypatch.setattr(operations, "registered", lambda on: tuple(registered()))
    monkeypatch.setattr(operations, "replace_deployment", replace_deployment)
    monkeypatch.setattr(operations, "preview", preview)
    monkeypatch.setattr(operations, "up", up)
    monkeypatch.setattr(operations, "stack_outputs", lambda on: {})
    monkeypatch.setattr(operations, "tag", lambda on, name: "")
    monkeypatch.setattr(operations, "set_tag", lambda on, name, value: None)
    return rig


def step(operation: str, type_: str) -> Step:
    return Step(operation=operation, type=type_, name="x", urn="urn")


def test_release_goes_into_the_state_before_the_update(rig: Rig) -> None:
    rig.previewed = (step("update", RELEASE), step("update", NAMESPACE))
    found = rig.open().adopt()
    assert rig.calls == ["import", "preview", "up"]
    assert {item["type"] for item in rig.states[0]["resources"]} >= {RELEASE, NAMESPACE}
    assert found.plan.possible
    assert found.update.verb == "adopt"


def test_config_may_lack_what_the_release_says(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adoption adds the database and the keys: the committed config is invalid until then."""

    def invalid(self: session.Session) -> None:
        raise SettingsInvalid(self.name, ("airflow:databaseHost: expected a value, found none",))

    monkeypatch.setattr(session.Session, "check_config", invalid)
    rig.previewed = (step("update", RELEASE), step("update", NAMESPACE))
    assert rig.open().adopt().plan.possible


def test_to_look_stores_nothing(rig: Rig) -> None:
    assert rig.open().adoption().possible
    assert rig.calls == []


@pytest.mark.parametrize(
    ("previewed", "error"),
    [
        ((step("replace", RELEASE),), AdoptionRefused),
        ((step("create", RELEASE),), AdoptionRefused),
        (UpdateFailed("the engine broke", "mend it"), UpdateFailed),
    ],
)
def test_state_is_put_back_where_the_update_would_do_more(rig: Rig, previewed: Any, error: type[Exception]) -> None:
    rig.deployment = {"manifest": {"version": "empty"}}
    rig.previewed = previewed
    with pytest.raises(error):
        rig.open().adopt()
    assert rig.calls == ["import", "preview", "import"]
    assert rig.states[-1] == rig.deployment


def test_refused_release_is_left_alone(rig: Rig) -> None:
    env = rig.open()
    rig.cluster = FakeCluster(contents=(record(status="failed"),))
    with pytest.raises(AdoptionRefused, match="expected revision 3 deployed, found failed"):
        env.adopt()
    assert rig.calls == []


def test_stack_that_has_something_is_no_place_for_a_release(rig: Rig) -> None:
    rig.deployment = {"resources": [resource_state("kubernetes:core/v1:Secret", "a")]}
    with pytest.raises(AdoptionRefused, match="expected one that has deployed nothing yet"):
        rig.open().adopt()
    assert rig.calls == []


def test_keys_that_the_settings_lack_are_added_to_them(rig: Rig) -> None:
    """Else the next update would generate others."""
    complete = rig.environments().settings_of_release("team", VALUES)
    env = rig.environments().open("team", complete.changed(fernetKey=None, jwtSecret=None))
    rig.previewed = (step("update", RELEASE), step("update", NAMESPACE))
    env.adopt()
    assert env.settings is not None
    assert env.settings.secrets["fernetKey"].reveal() == FERNET_KEY
    assert env.settings.secrets.keys() == complete.secrets.keys()


def test_settings_of_a_release_are_valid_settings(rig: Rig) -> None:
    found = rig.environments().settings_of_release("team", VALUES)
    assert isinstance(found, EnvironmentSettings)
    assert "sentinel" not in repr(found)
    assert FERNET_KEY not in repr(found)
