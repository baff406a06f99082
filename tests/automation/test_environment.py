"""One stack through the library: what each method asks of an engine, in which order, and what it raises."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automation import (
    Environment,
    Environments,
    EnvironmentSettings,
    Passphrase,
    Secret,
    environment,
    environments,
    update,
)
from automation import processes as processes_module
from automation.errors import (
    AutomationError,
    ClusterUnreachable,
    FileInvalid,
    Interrupted,
    NotHealthy,
    Protected,
    RecoveryRefused,
    SettingsInvalid,
    StackLocked,
    StackUnknown,
    WrongCluster,
)
from automation.events import Event, EventKind
from automation.locks import Lock
from automation.recovery import Decisions
from automation.results import Changes, Step
from automation.status import ClusterStatus, UnhealthyPod
from automation.update import Outcome
from tests import samples
from tests.automation.fakes import (
    OUTPUTS,
    SETTINGS,
    FakeEngine,
    FakeObjects,
    FakeStack,
    FakeTime,
    found_object,
    pending_create,
    resource_state,
)

PROTECTED = {
    "protect": True,
    "database": "external",
    "databaseHost": "db.test",
    "databaseCidrs": ["10.0.0.0/8"],
    "databasePassword": Secret("sentinel-database-password"),
}
STEP = Step(operation="update", type="kubernetes:helm.sh/v3:Release", name="airflow", urn="urn")
SECRET_TYPE = "kubernetes:core/v1:Secret"


@dataclass
class Rig:
    """An engine and a cluster that do what they are told; what they are asked for is in `calls`."""

    folder: Path
    time: FakeTime = field(default_factory=FakeTime)
    calls: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    stacks: set[str] = field(default_factory=lambda: {"team"})
    tags: dict[str, str] = field(default_factory=dict)
    identity: str = "uid-1"
    reachable: bool = True
    changes: Changes = field(default_factory=lambda: Changes({"update": 1}))
    state: dict[str, Any] = field(default_factory=dict)
    imported: dict[str, Any] | None = None
    locks: tuple[Lock, ...] | None = ()
    objects: FakeObjects = field(default_factory=FakeObjects)
    cluster: ClusterStatus = field(default_factory=ClusterStatus)
    during: Callable[[str], None] = lambda verb: None

    def environments(self, **options: Any) -> Environments:
        return Environments(
            samples.ROOT,
            backend=(self.folder / "state").as_uri(),
            secrets_provider=Passphrase(Secret("sentinel-passphrase")),
            work_dir=self.folder / "work",
            clock=self.time.clock,
            **options,
        )

    def open(self, **options: Any) -> Environment:
        return self.environments(**options).open("team", EnvironmentSettings.of("team", SETTINGS))

    def texts(self, kind: EventKind) -> list[str]:
        return [event.text for event in self.events if event.kind is kind]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = Rig(tmp_path)

    def open_stack(
        place: Any, name: str, engine: Any, *, create: bool = True, opened: Any = None, looking: bool = False
    ) -> FakeStack:
        if opened is None and not looking:
            rig.calls.append("open")
        if not create and name not in rig.stacks:
            raise StackUnknown("no stack", "make it")
        rig.stacks.add(name)
        return FakeStack(name)

    def identity(context: str, **options: Any) -> str:
        if not rig.reachable:
            raise ClusterUnreachable("no answer", "look")
        return rig.identity

    def does(verb: str) -> Callable[..., Outcome]:
        def run(on: Any, **options: Any) -> Outcome:
            rig.calls.append(verb)
            rig.during(verb)
            return Outcome(rig.changes, (STEP,) if rig.changes.any else ())

        return run

    def cancels(on: Any) -> None:
        rig.calls.append("cancel")

    def removes(on: Any, *, force: bool) -> tuple[str, ...]:
        rig.calls.append("remove")
        return ()

    monkeypatch.setattr(environments, "find_engine", lambda *args: FakeEngine())
    monkeypatch.setattr(environment, "open_stack", open_stack)
    monkeypatch.setattr("automation.kube.cluster_identity", identity)
    monkeypatch.setattr("automation.kube.KubeClient", lambda *args, **options: None)
    monkeypatch.setattr("automation.cluster_objects.ClusterObjects", lambda *args, **options: rig.objects)
    monkeypatch.setattr("automation.status.cluster_status", lambda *args: rig.cluster)
    monkeypatch.setattr(environment, "read_locks", lambda *args: rig.locks)
    monkeypatch.setattr(processes_module, "processes", tuple)
    for verb in ("up", "preview", "refresh", "destroy"):
        monkeypatch.setattr(update, verb, does(verb))
    monkeypatch.setattr(update, "stack_outputs", lambda on: OUTPUTS)
    monkeypatch.setattr(update, "deployment", lambda on: rig.state)
    monkeypatch.setattr(update, "replace_deployment", lambda on, content: setattr(rig, "imported", content))
    monkeypatch.setattr(update, "cancel", cancels)
    monkeypatch.setattr(update, "tag", lambda on, name: rig.tags.get(name, ""))
    monkeypatch.setattr(update, "set_tag", lambda on, name, value: rig.tags.update({name: value}))
    monkeypatch.setattr(update, "remove", removes)
    return rig


# Results


def test_nothing_is_asked_before_a_method_needs_it(rig: Rig) -> None:
    env = rig.open()
    assert rig.calls == []
    assert not (rig.folder / "work").exists()
    assert repr(env).startswith("Environment('team', 'file://")


def test_up_gives_changes_steps_and_outputs_that_survive_json(rig: Rig) -> None:
    done = rig.open().up()
    document = json.loads(json.dumps(done.to_json()))
    assert document["stack"] == "team"
    assert document["verb"] == "up"
    assert document["changes"] == {"counts": {"update": 1}, "any": True}
    assert document["steps"][0]["operation"] == "update"
    assert document["outputs"]["namespace"] == "airflow"
    with pytest.raises(AttributeError):
        done.stack = "other"  # type: ignore[misc]


def test_preview_asks_no_cluster(rig: Rig) -> None:
    rig.reachable = False
    assert rig.open().preview().changes.any
    assert rig.calls == ["open", "preview"]


@pytest.mark.parametrize("method", ["outputs", "history", "destroy", "refresh", "verify"])
def test_stack_that_is_not_there_is_unknown_and_is_not_made(rig: Rig, method: str) -> None:
    rig.stacks.clear()
    with pytest.raises(StackUnknown):
        getattr(rig.open(), method)()
    assert rig.stacks == set()
    assert not rig.open().status().exists


def test_name_that_cannot_be_one_is_refused_at_once(rig: Rig) -> None:
    with pytest.raises(StackUnknown):
        rig.environments().open("a b")
    with pytest.raises(StackUnknown, match="settings of stack team"):
        rig.environments().open("other", EnvironmentSettings.of("team", SETTINGS))


def test_invalid_settings_reach_no_engine(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    (rig.folder / "Pulumi.yaml").write_text((samples.ROOT / "Pulumi.yaml").read_text())
    (rig.folder / "Pulumi.team.yaml").write_text("config:\n  airflow:imageTagg: x\n")
    env = Environments(rig.folder).open("team")
    for method in (env.up, env.preview, env.recover, lambda: env.roll_image("3.2.2-1")):
        with pytest.raises(SettingsInvalid, match="imageTagg"):
            method()
    assert rig.calls == []


# The image


def test_roll_moves_the_tag_and_nothing_else(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[Any] = []
    original: Callable[..., Any] = vars(environment)["open_stack"]

    def open_stack(place: Any, *args: Any, **more: Any) -> Any:
        placed.append(place)
        return original(place, *args, **more)

    monkeypatch.setattr(environment, "open_stack", open_stack)
    env = rig.open()
    env.up()
    done = env.roll_image("3.2.2-7")
    assert done.verb == "roll_image"
    before, after = placed[0].settings.texts(), placed[-1].settings.texts()
    assert {key for key in after if after[key] != before[key]} == {"airflow:imageTag"}
    assert after["airflow:imageTag"] == "3.2.2-7"


def test_roll_to_what_is_no_tag_is_refused(rig: Rig) -> None:
    with pytest.raises(SettingsInvalid, match="imageTag"):
        rig.open().roll_image("not a tag")
    assert rig.calls == []


def test_roll_past_a_digest_is_refused(rig: Rig) -> None:
    """The digest wins over the tag: nothing would roll, and everybody would believe that it had."""
    settings = EnvironmentSettings.of("team", {**SETTINGS, "imageDigest": samples.DIGEST})
    with pytest.raises(SettingsInvalid, match="imageDigest"):
        rig.environments().open("team", settings).roll_image("3.2.2-7")


def test_roll_of_a_committed_stack_changes_one_line_or_none(rig: Rig) -> None:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (rig.folder / name).write_text((samples.ROOT / name).read_text())
    before = (samples.ROOT / "Pulumi.dev.yaml").read_text().splitlines()
    env = Environments(rig.folder, backend=(rig.folder / "state").as_uri()).open("dev")
    env.roll_image("3.2.2-7")
    after = (rig.folder / "Pulumi.dev.yaml").read_text().splitlines()
    assert [line for line in after if line not in before] == ["  airflow:imageTag: 3.2.2-7"]
    with pytest.raises(SettingsInvalid):
        env.roll_image("not a tag")
    assert (rig.folder / "Pulumi.dev.yaml").read_text().splitlines() == after


# Clusters


def test_stack_stays_with_its_cluster(rig: Rig) -> None:
    env = rig.open()
    env.up()
    rig.identity = "uid-2"
    for method in (env.up, env.destroy, env.refresh, env.recover):
        with pytest.raises(WrongCluster, match="another cluster than stack team was deployed to"):
            method()
    assert rig.calls.count("up") == 1
    env.refresh(new_cluster=True)
    env.up()
    assert rig.calls.count("up") == 2


def test_unreachable_cluster_stops_before_the_engine_begins(rig: Rig) -> None:
    rig.reachable = False
    for method in (rig.open().up, rig.open().destroy):
        with pytest.raises(ClusterUnreachable):
            method()
    assert not {"up", "destroy"} & set(rig.calls)


def test_status_tells_of_a_cluster_that_does_not_answer(rig: Rig) -> None:
    rig.reachable = False
    rig.state = {"resources": [resource_state(SECRET_TYPE, "a", id_="airflow/a")]}
    found = rig.open().status()
    assert found.problems == ("no answer",)
    assert found.cluster is None


# Protection


def test_protected_stack_is_not_destroyed_in_part(rig: Rig) -> None:
    """The engine alone would delete everything else first."""
    settings = EnvironmentSettings.of("team", {**SETTINGS, **PROTECTED})
    with pytest.raises(Protected):
        rig.environments().open("team", settings).destroy()
    rig.state = {"resources": [resource_state("random:index/randomBytes:RandomBytes", "key", protect=True)]}
    with pytest.raises(Protected, match="still protects key"):
        rig.open().destroy()
    assert "destroy" not in rig.calls


def test_destroy_leaves_the_stack_unless_it_is_to_go_too(rig: Rig) -> None:
    env = rig.open()
    env.destroy()
    assert "remove" not in rig.calls
    env.destroy(remove=True)
    assert rig.calls[-1] == "remove"


# Locks


def test_lock_is_waited_for_with_growing_pauses(rig: Rig) -> None:
    tried: list[float] = []

    def locked(verb: str) -> None:
        tried.append(rig.time.seconds)
        if len(tried) < 5:
            raise StackLocked("held by me@vm", "wait")

    rig.during = locked
    rig.open(lock_seconds=60).up(on_event=rig.events.append)
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert len(pauses) == 4
    assert pauses[0] < pauses[2] < pauses[3]
    assert all("held by me@vm" in text for text in rig.texts(EventKind.WAITING))
    assert "cancel" not in rig.calls, "never somebody else's update"


def test_lock_that_stays_is_an_error_when_the_time_is_up(rig: Rig) -> None:
    def locked(verb: str) -> None:
        raise StackLocked("held by me@vm", "wait")

    rig.during = locked
    with pytest.raises(StackLocked, match="held by me@vm"):
        rig.open(lock_seconds=30).up()
    assert rig.time.seconds <= 30
    assert rig.calls.count("up") > 3


def test_waiting_can_be_cancelled(rig: Rig) -> None:
    env = rig.open(lock_seconds=3600)

    def locked(verb: str) -> None:
        raise StackLocked("held by me@vm", "wait")

    rig.during = locked
    rig.time.on_sleep = lambda now: env.cancel() if now > 5 else None
    with pytest.raises(Interrupted, match="before anything was done"):
        env.up()
    assert rig.time.seconds < 10
    rig.during = lambda verb: None
    assert env.up().changes.any, "the next operation runs"


def test_second_operation_of_this_machine_waits_or_is_locked_out(rig: Rig) -> None:
    started, go = threading.Event(), threading.Event()

    def hold(verb: str) -> None:
        started.set()
        assert go.wait(10)

    rig.during = hold
    first = threading.Thread(target=rig.open().up)
    first.start()
    assert started.wait(10)
    assert rig.open(lock_seconds=0).status().exists, "to look is free"
    assert rig.open(lock_seconds=0).outputs().values
    with pytest.raises(StackLocked, match="another operation of this machine"):
        rig.open(lock_seconds=0.1).preview()
    other = rig.environments(lock_seconds=0.1).open("other", EnvironmentSettings.of("other", SETTINGS))
    rig.during = lambda verb: None
    assert other.preview().changes.any, "another stack is free"
    go.set()
    first.join()
    assert rig.open(lock_seconds=0.1).preview().changes.any


def test_cancel_reaches_the_engine_of_that_stack_alone(rig: Rig) -> None:
    both = rig.environments()
    one, two = (both.open(name, EnvironmentSettings.of(name, SETTINGS)) for name in ("one", "two"))
    one.preview()
    two.preview()
    one.cancel()
    assert [env._engine.told for env in (one, two)] == [1, 0]  # type: ignore[union-attr]
    both.cancel()
    assert [env._engine.told for env in (one, two)] == [2, 1]  # type: ignore[union-attr]


# Plans


def test_plan_that_is_not_there_reaches_no_engine(rig: Rig) -> None:
    with pytest.raises(FileInvalid, match="cannot be read"):
        rig.open().up(plan=rig.folder / "nothing")
    assert rig.calls == []


# Recovery


def held(host: str = "elsewhere") -> Lock:
    return Lock(user="me", host=host, pid=7, since="2026-01-01T00:00:00Z")


def test_recovery_tells_every_step_before_the_first_is_taken(rig: Rig) -> None:
    rig.locks = (held(),)
    rig.state = {"pending_operations": [pending_create(SECRET_TYPE, "keys", object_name="keys-1")]}
    rig.objects = FakeObjects([found_object("Secret", "keys-1")])
    told_before: list[int] = []

    def after(verb: str) -> None:
        if not told_before:
            told_before.append(len(rig.texts(EventKind.NOTE)))
        rig.locks, rig.state = (), {}

    rig.during = after
    found = rig.open().recover(Decisions(lock_is_stale=True), on_event=rig.events.append)
    assert told_before == [3]
    assert [text.split()[1] for text in rig.texts(EventKind.NOTE)] == ["remove", "take", "update"]
    assert rig.calls == ["open", "cancel", "refresh", "up"]
    assert rig.imported is not None
    assert [item["id"] for item in rig.imported["resources"]] == ["airflow/keys-1"]
    assert found.status.healthy
    assert json.loads(json.dumps(found.to_json()))["plan"]["interrupted"] is True


def test_recovery_plan_changes_nothing(rig: Rig) -> None:
    rig.state = {"pending_operations": [pending_create(SECRET_TYPE, "keys", object_name="keys-1")]}
    plan = rig.open().recovery()
    assert plan.interrupted
    assert rig.calls == []
    assert rig.imported is None
    rig.stacks.clear()
    assert not rig.open().recovery().interrupted
    assert rig.stacks == set()


def test_recovery_refuses_while_another_update_may_be_alive(rig: Rig) -> None:
    rig.locks = (held(),)
    with pytest.raises(RecoveryRefused):
        rig.open().recover()
    assert rig.calls == ["open"]


def test_lock_that_came_after_the_plan_is_left_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.locks = (held(),)
    monkeypatch.setattr(Lock, "holder", property(lambda self: next(holders)))
    from automation.locks import Holder

    holders = iter([Holder.GONE, Holder.ALIVE])
    with pytest.raises(StackLocked, match="has just begun"):
        rig.open().recover()
    assert "cancel" not in rig.calls


def test_recovery_of_a_stack_that_was_never_made_is_an_update(rig: Rig) -> None:
    rig.stacks.clear()
    assert rig.open().recover().plan.interrupted is False
    assert rig.calls == ["open", "up"]


def test_recovery_that_does_not_end_healthy_says_what_is_wrong(rig: Rig) -> None:
    rig.state = {"resources": [resource_state(SECRET_TYPE, "a", id_="airflow/a")]}
    rig.cluster = ClusterStatus(unhealthy_pods=(UnhealthyPod(name="worker-0", reason="ImagePullBackOff"),))
    with pytest.raises(NotHealthy, match=r"pod worker-0 is not ready \(ImagePullBackOff\)"):
        rig.open().recover(timeout_seconds=30)
    assert rig.time.seconds >= 25


def test_errors_have_one_root_and_say_what_to_do(rig: Rig) -> None:
    rig.reachable = False
    with pytest.raises(AutomationError) as raised:
        rig.open().up()
    assert raised.value.to_json() == {"kind": "ClusterUnreachable", "what": "no answer", "remedy": "look"}


def test_plan_asks_neither_engine_nor_cluster_and_shows_no_secret(rig: Rig) -> None:
    rig.reachable = False
    settings = EnvironmentSettings.of("team", {**SETTINGS, "namespace": "team-a", "imageTag": "3.2.2-7"})
    plan = rig.environments().open("team", settings).plan(render=False)
    assert plan.failure is None, plan.failure
    assert plan.outputs["namespace"] == "team-a"
    assert plan.outputs["image"] == "apache/airflow:3.2.2-7"
    assert "sentinel" not in json.dumps(plan.to_json())
    assert rig.calls == []


def test_without_a_state_no_engine_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "find_engine", lambda *_: pytest.fail("an engine was looked for"))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: airflow\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {airflow:protect: false}\n")
    opened = Environments(tmp_path).open("dev")
    for ask in (opened.outputs, opened.history, opened.refresh, opened.destroy):
        with pytest.raises(StackUnknown, match="there is no stack dev"):
            ask()
    assert not opened.status().exists


def test_stack_that_is_not_there_is_exported_as_it_would_be(rig: Rig) -> None:
    rig.stacks.clear()
    done = rig.open().export_helmsman(rig.folder / "files")
    assert not done.deployed
    assert done.secrets_to_make
    assert json.loads(json.dumps(done.to_json()))["folder"] == str(rig.folder / "files")
    text = "".join(path.read_text() for path in (rig.folder / "files").rglob("*") if path.is_file())
    assert "kind-airflow" in text
    assert "sentinel" not in text
    assert rig.stacks == set()
