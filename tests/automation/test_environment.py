"""One stack through the library: what each method asks of an engine, in which order, and what it raises."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automation import Environment, Environments, EnvironmentSettings, Passphrase, Secret, environments
from automation.cluster.worker_stop import StoppedPods
from automation.engine import operations
from automation.engine import processes as processes_module
from automation.engine.events import Event, EventKind
from automation.engine.locks import Holder, Lock
from automation.engine.opened_stack import OpenedStack
from automation.engine.operations import EngineResult
from automation.engine.processes import Process
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
    UpdateFailed,
    WrongCluster,
)
from automation.recovery.result import Decisions, RecoveryAction
from automation.recovery.status import ClusterStatus, UnreadyPod
from automation.results import Changes, Step
from automation.stacks import export, session, stack_locks, updates
from automation.stacks.session import Session
from automation.verification.result import Check, Status, Verification
from components.kube.safe_yaml import load_yaml
from tests import samples
from tests.automation.checkouts import planned_here
from tests.automation.fakes import (
    OUTPUTS,
    SETTINGS,
    FakeEngine,
    FakeKube,
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
    "taskLogs": "worker",
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
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
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
        place: Any, name: str, engine: Any, *, create: bool = True, opened: Any = None, for_reading: bool = False
    ) -> FakeStack:
        if opened is None and not for_reading:
            rig.calls.append("open")
        if not create and name not in rig.stacks:
            raise StackUnknown("no stack", "make it")
        rig.stacks.add(name)
        return FakeStack(name)

    def identity(context: str, **options: Any) -> str:
        if not rig.reachable:
            raise ClusterUnreachable("no answer", "look")
        return rig.identity

    def does(verb: str) -> Callable[..., EngineResult]:
        def run(on: Any, **options: Any) -> EngineResult:
            rig.calls.append(verb)
            rig.options[verb] = options
            rig.during(verb)
            return EngineResult(rig.changes, (STEP,) if rig.changes.any else ())

        return run

    def cancels(on: Any) -> None:
        rig.calls.append("cancel")

    def removes(on: Any, *, force: bool) -> tuple[str, ...]:
        rig.calls.append("remove")
        return ()

    monkeypatch.setattr(environments, "find_engine", lambda *args: FakeEngine())
    monkeypatch.setattr(session, "open_stack", open_stack)
    monkeypatch.setattr("automation.cluster.client.cluster_identity", identity)
    monkeypatch.setattr("automation.cluster.client.KubeClient", lambda *args, **options: None)
    monkeypatch.setattr("automation.cluster.objects.ClusterObjects", lambda *args, **options: rig.objects)
    monkeypatch.setattr("automation.recovery.status.cluster_status", lambda *args: rig.cluster)
    monkeypatch.setattr(stack_locks, "read_locks", lambda *args: rig.locks)
    monkeypatch.setattr(processes_module, "processes", tuple)
    for verb in ("up", "preview", "refresh", "destroy"):
        monkeypatch.setattr(operations, verb, does(verb))
    monkeypatch.setattr(operations, "stack_outputs", lambda on: OUTPUTS)
    monkeypatch.setattr(operations, "deployment", lambda on: rig.state)
    monkeypatch.setattr(operations, "replace_deployment", lambda on, content: setattr(rig, "imported", content))
    monkeypatch.setattr(operations, "cancel", cancels)
    monkeypatch.setattr(operations, "tag", lambda on, name: rig.tags.get(name, ""))
    monkeypatch.setattr(operations, "set_tag", lambda on, name, value: rig.tags.update({name: value}))
    monkeypatch.setattr(operations, "remove", removes)
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
    original: Callable[..., Any] = vars(session)["open_stack"]

    def open_stack(place: Any, *args: Any, **more: Any) -> Any:
        placed.append(place)
        return original(place, *args, **more)

    monkeypatch.setattr(session, "open_stack", open_stack)
    env = rig.open()
    env.up()
    done = env.roll_image("3.2.2-7")
    assert done.verb == "roll_image"
    before, after = placed[0].settings.texts(), placed[-1].settings.texts()
    assert {key for key in after if after[key] != before[key]} == {"airflow:imageTag"}
    assert after["airflow:imageTag"] == "3.2.2-7"


def committed(rig: Rig, **options: Any) -> tuple[Environment, Path]:
    """A stack with a committed file, and the file."""
    samples.ship(rig.folder)
    there = Environments(rig.folder, backend=(rig.folder / "state").as_uri(), clock=rig.time.clock, **options)
    return there.open("dev"), rig.folder / "Pulumi.dev.yaml"


def locked(verb: str) -> None:
    raise StackLocked("held by me@vm", "wait")


def unreachable(rig: Rig) -> None:
    rig.reachable = False


def another(rig: Rig) -> None:
    rig.tags, rig.identity = {"airflow:cluster": "uid-1"}, "uid-2"


def held_by_somebody(rig: Rig) -> None:
    rig.during = locked


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [(unreachable, ClusterUnreachable), (another, WrongCluster), (held_by_somebody, StackLocked)],
)
def test_roll_that_never_began_leaves_the_tag(
    rig: Rig, spoil: Callable[[Rig], None], kind: type[AutomationError]
) -> None:
    spoil(rig)
    env, path = committed(rig, lock_seconds=5)
    before = path.read_text()
    with pytest.raises(kind):
        env.roll_image("3.2.2-7")
    assert path.read_text() == before
    given = rig.open(lock_seconds=5)
    with pytest.raises(kind):
        given.roll_image("3.2.2-7")
    assert given.settings == EnvironmentSettings.of("team", SETTINGS)


def test_roll_that_is_told_to_stop_while_it_waits_leaves_the_tag(rig: Rig) -> None:
    rig.during = locked
    env, path = committed(rig)
    before = path.read_text()
    rig.time.on_sleep = lambda now: env.cancel()
    with pytest.raises(Interrupted, match="before anything was done"):
        env.roll_image("3.2.2-7")
    assert path.read_text() == before


def test_roll_that_began_and_failed_says_what_was_tried(rig: Rig) -> None:
    def fails(verb: str) -> None:
        raise UpdateFailed("no room", "make room")

    rig.during = fails
    env, path = committed(rig)
    with pytest.raises(UpdateFailed):
        env.roll_image("3.2.2-7")
    assert load_yaml(path.read_text())["config"]["airflow:imageTag"] == "3.2.2-7"
    given = rig.open()
    with pytest.raises(UpdateFailed):
        given.roll_image("3.2.2-7")
    assert given.settings is not None
    assert given.settings.texts()["airflow:imageTag"] == "3.2.2-7"


def test_roll_puts_nothing_back_over_what_somebody_has_edited_meanwhile(rig: Rig) -> None:
    env, path = committed(rig, lock_seconds=5)

    def edits(verb: str) -> None:
        path.write_text("config: {}\n")
        locked(verb)

    rig.during = edits
    with pytest.raises(StackLocked):
        env.roll_image("3.2.2-7")
    assert path.read_text() == "config: {}\n"


def test_roll_of_a_committed_stack_keeps_the_mode_of_its_file(rig: Rig) -> None:
    """A plain secret may stand in it."""
    env, path = committed(rig)
    path.chmod(0o600)
    env.roll_image("3.2.2-7")
    assert "3.2.2-7" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_tag_that_is_none_is_never_written(rig: Rig) -> None:
    env, path = committed(rig)
    before = path.stat()
    with pytest.raises(SettingsInvalid, match="imageTag"):
        env.roll_image("not a tag")
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


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
    env, path = committed(rig)
    before = path.read_text().splitlines()
    env.roll_image("3.2.2-7")
    after = path.read_text().splitlines()
    changed = [line for line in after if line not in before]
    assert [load_yaml(line) for line in changed] == [{"airflow:imageTag": "3.2.2-7"}]


# Clusters


def test_stack_stays_with_its_cluster(rig: Rig) -> None:
    env = rig.open()
    env.up()
    rig.identity = "uid-2"
    for method in (env.up, env.destroy, env.refresh, env.recover):
        with pytest.raises(WrongCluster, match="another cluster than the one that stack team was deployed to"):
            method()
    assert rig.calls.count("up") == 1
    env.refresh(new_cluster=True)
    env.up()
    assert rig.calls.count("up") == 2


def test_update_that_fails_ties_the_stack_to_its_cluster_too(rig: Rig) -> None:
    """It has made something there: keys, a database."""

    def fails(verb: str) -> None:
        raise UpdateFailed("no room", "make room")

    rig.during = fails
    env = rig.open()
    with pytest.raises(UpdateFailed):
        env.up()
    rig.during, rig.identity = lambda verb: None, "uid-2"
    with pytest.raises(WrongCluster):
        env.up()
    assert rig.calls.count("up") == 1


def test_new_cluster_is_the_stacks_own_once_the_state_tells_of_it(rig: Rig) -> None:
    env = rig.open()
    env.up()

    def fails(verb: str) -> None:
        raise UpdateFailed("no answer", "look")

    rig.during, rig.identity = fails, "uid-2"
    with pytest.raises(UpdateFailed):
        env.refresh(new_cluster=True)
    assert rig.tags == {"airflow:cluster": "uid-1"}


def test_recovery_plan_ties_nothing(rig: Rig) -> None:
    rig.open().recovery()
    assert rig.tags == {}


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
    rig.state = {"resources": [resource_state("pulumi:index:Stash", "key", protect=True)]}
    with pytest.raises(Protected, match="still protects key"):
        rig.open().destroy()
    assert "destroy" not in rig.calls


def test_workers_end_before_an_update_that_freezes_or_stops_a_stack(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(api: object, namespace: str, *, seconds: float, **_: Any) -> StoppedPods:
        rig.calls.append(f"stop within {seconds:.0f} s")
        return StoppedPods(replicas={})

    monkeypatch.setattr(Session, "cluster", lambda self: (None, "ns"))
    monkeypatch.setattr(updates, "stop_workers", stop)
    for running in ("frozen", "stopped"):
        rig.calls.clear()
        rig.environments().open("team", EnvironmentSettings.of("team", {**SETTINGS, "running": running})).up()
        assert rig.calls == ["open", "stop within 600 s", "up"]
    monkeypatch.setattr(updates, "start_after_killed_destroy", lambda api, namespace: rig.calls.append("start again"))
    rig.calls.clear()
    rig.open().up()
    assert rig.calls == ["open", "up", "start again"]


def test_pods_end_before_anything_is_deleted_and_start_again_if_the_destroy_fails(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(api: object, namespace: str, *, seconds: float, whole: bool, **_: Any) -> StoppedPods:
        assert whole
        rig.calls.append(f"stop in {namespace} within {seconds} s")
        return StoppedPods(replicas={})

    monkeypatch.setattr(Session, "cluster", lambda self: (None, "ns"))
    monkeypatch.setattr(updates, "stop_workers", stop)
    monkeypatch.setattr(updates, "start_workers", lambda *args: rig.calls.append("start"))
    rig.open().destroy(worker_seconds=20)
    assert rig.calls == ["open", "stop in ns within 20 s", "destroy"]

    def fails(verb: str) -> None:
        raise UpdateFailed("no", "look")

    rig.calls.clear()
    rig.during = fails
    with pytest.raises(UpdateFailed):
        rig.open().destroy()
    assert rig.calls == ["open", "stop in ns within inf s", "destroy", "start"]
    rig.calls.clear()
    rig.locks = (Lock(user="me", host="h", pid=1, since=""),)
    with pytest.raises(UpdateFailed):
        rig.open().destroy()
    assert rig.calls == ["open", "destroy"], "another update needs its workers"


def test_what_was_in_a_cluster_that_is_gone_is_forgotten_and_never_that_in_one_that_answers(rig: Rig) -> None:
    with pytest.raises(Protected, match=r"--cluster-gone: expected a cluster of stack team that does not answer"):
        rig.open().destroy(remove=True, cluster_gone=True)
    assert not {"destroy", "remove"} & set(rig.calls)
    rig.reachable = False
    with pytest.raises(ClusterUnreachable, match=r"Fix: look; if the cluster is gone for good: .* destroy team --clus"):
        rig.open().destroy(remove=True)
    assert not {"destroy", "remove"} & set(rig.calls)
    rig.state = {"resources": [resource_state(SECRET_TYPE, "a"), resource_state("aws:s3/bucket:Bucket", "logs")]}
    rig.open().destroy(remove=True, cluster_gone=True)
    assert rig.imported is not None
    assert [item["type"] for item in rig.imported["resources"]] == ["aws:s3/bucket:Bucket"]
    assert rig.calls[-2:] == ["destroy", "remove"]


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
    rig.during = locked
    with pytest.raises(StackLocked, match="held by me@vm"):
        rig.open(lock_seconds=30).up()
    assert rig.time.seconds <= 30
    assert rig.calls.count("up") > 3


def test_waiting_can_be_cancelled(rig: Rig) -> None:
    env = rig.open(lock_seconds=3600)
    rig.during = locked
    rig.time.on_sleep = lambda now: env.cancel() if now > 5 else None
    with pytest.raises(Interrupted, match="before anything was done"):
        env.up()
    assert rig.time.seconds < 10
    rig.during = lambda verb: None
    assert env.up().changes.any, "the next operation runs"


@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("up", "check_config"),
        ("preview", "check_config"),
        ("recover", "check_config"),
        ("refresh", "find_engine"),
        ("destroy", "config"),
        ("adopt", "find_engine"),
    ],
)
def test_cancel_holds_from_the_first_line(rig: Rig, monkeypatch: pytest.MonkeyPatch, method: str, first: str) -> None:
    original: Callable[..., Any] = getattr(Session, first)

    def cancels(session: Session) -> Any:
        session.cancel()
        return original(session)

    monkeypatch.setattr(Session, first, cancels)
    with pytest.raises(Interrupted, match="before anything was done"):
        getattr(rig.open(), method)()
    assert rig.calls == []


@pytest.mark.parametrize("method", ["up", "preview", "destroy"])
def test_cancel_while_the_stack_is_opened_holds(rig: Rig, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    original: Callable[..., Any] = vars(session)["open_stack"]
    env = rig.open()

    def opens(*args: Any, **options: Any) -> Any:
        env.cancel()
        return original(*args, **options)

    monkeypatch.setattr(session, "open_stack", opens)
    with pytest.raises(Interrupted):
        getattr(env, method)()
    assert rig.calls == ["open"]


def test_cancel_is_not_for_what_begins_after_it(rig: Rig) -> None:
    """Also where something else has been under way since before, to look at the stack."""
    env, looking, go = rig.open(), threading.Event(), threading.Event()

    def look() -> None:
        with env.busy():
            looking.set()
            assert go.wait(10)

    thread = threading.Thread(target=look)
    thread.start()
    assert looking.wait(10)
    rig.during = lambda verb: env.cancel()
    env.preview()
    rig.during = lambda verb: None
    assert env.up().changes.any
    go.set()
    thread.join()


def test_engine_that_began_as_it_was_told_to_stop_is_told_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(FakeEngine):
        """Has not begun when it is told for the first time."""

        def cancel(self) -> None:
            super().cancel()
            self.interrupted = self.told > 1

    engine = Deaf()
    monkeypatch.setattr(Deaf, "another", lambda self: engine)
    monkeypatch.setattr(environments, "find_engine", lambda *args: engine)

    def up(on: OpenedStack, **options: Any) -> EngineResult:
        env.cancel()
        for _ in range(3):
            on.teller.tell(EventKind.BEGUN, "creating")
        return EngineResult(rig.changes)

    monkeypatch.setattr(operations, "up", up)
    env = rig.open()
    env.up(on_event=rig.events.append)
    assert engine.told == 2
    assert len(rig.events) == 3


def test_verification_ends_within_a_poll_of_its_cancel(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "automation.verification.verify.KubeClient", lambda *args, **options: FakeKube(found_workloads=[])
    )
    env = rig.open()
    rig.time.on_sleep = lambda now: env.cancel() if now > 5 else None
    with pytest.raises(Interrupted, match="verify of stack team was interrupted"):
        env.verify(on_event=rig.events.append)
    assert rig.time.seconds < 6
    assert [text for text in rig.texts(EventKind.WAITING) if "components ready" in text]


def test_what_a_check_quotes_shows_no_secret(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = SETTINGS["adminPassword"].reveal()
    log = f"etl: could not fetch https://bucket.test/log?X-Amz-Signature=sentinel0123456789 nor as {secret}"
    found = Verification((Check("task log", Status.FAILED, log), Check("API", Status.PASSED, "version 3.2.2")))
    monkeypatch.setattr("automation.verification.verify.verify", lambda *args, **options: found)
    told = rig.open().verify()
    assert [check.detail for check in told.checks] == [
        "etl: could not fetch https://bucket.test/log?X-Amz-Signature=[secret] nor as [secret]",
        "version 3.2.2",
    ]


def test_verification_that_is_told_to_stop_begins_no_further_check(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automation.verification.verify.KubeClient", lambda *args, **options: FakeKube())
    env = rig.open()
    with pytest.raises(Interrupted):
        env.verify(on_event=lambda event: env.cancel())
    assert rig.time.seconds == 0


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
    assert [env.session.engine.told for env in (one, two)] == [1, 0]  # type: ignore[union-attr]
    both.cancel()
    assert [env.session.engine.told for env in (one, two)] == [2, 1]  # type: ignore[union-attr]


# Plans


def test_plan_that_is_not_there_reaches_no_engine(rig: Rig) -> None:
    with pytest.raises(FileInvalid, match="cannot be read"):
        rig.open().up(plan=rig.folder / "nothing")
    assert rig.calls == []


# Recovery


NOBODY = 2**22 - 3
"""An id that no process has here: ids are given in their order."""


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


def test_recovery_waits_for_an_interrupted_delete_and_then_reads_what_is_left(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything, if it was the namespace: it takes all in it along."""
    targets: list[Any] = []
    refresh = operations.refresh

    def refreshed(on: Any, **named: Any) -> Any:
        targets.append(named["targets"])
        return refresh(on, **named)

    monkeypatch.setattr(operations, "refresh", refreshed)
    for type_, kind in ((SECRET_TYPE, "Secret"), ("kubernetes:core/v1:Namespace", "Namespace")):
        item = {**pending_create(type_, "x", object_name="x-1", namespace=""), "type": "deleting"}
        rig.state, rig.calls[:] = {"resources": [item["resource"]], "pending_operations": [item]}, []
        rig.objects = there = FakeObjects([found_object(kind, "x-1", namespace="", deleting=True)])
        rig.time.on_sleep = lambda now, there=there: there.found.clear()  # type: ignore[misc]

        def after(verb: str, there: FakeObjects = there) -> None:
            assert not there.found, f"{verb} while it is there"
            rig.state = {}

        rig.during = after
        rig.open().recover()
        assert rig.calls == ["open", "refresh", "up"]
    assert targets == [[item["resource"]["urn"].replace("Namespace", "Secret")], None]
    rig.objects = FakeObjects([found_object("Secret", "x-1", namespace="", deleting=True)])
    item = {**pending_create(SECRET_TYPE, "x", object_name="x-1", namespace=""), "type": "deleting"}
    rig.state, rig.time.on_sleep = {"pending_operations": [item]}, lambda now: None
    with pytest.raises(RecoveryRefused, match=r"Secret x-1: expected the end of its deletion.*describe Secret"):
        rig.open().recover()


def test_destroy_repairs_first_what_a_killed_update_left(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recovery would deploy again what should go."""
    gone = Lock(user="me", host=socket.gethostname(), pid=NOBODY, since="2026-01-01T00:00:00Z")
    holders = {gone.pid: Holder.GONE, held().pid: Holder.UNKNOWN}
    monkeypatch.setattr(Lock, "_holder", lambda self, engines, shared: holders[self.pid])
    rig.objects = FakeObjects([found_object("Secret", "keys-1")])
    for locks, decisions in (((gone,), None), ((held(),), Decisions(lock_is_stale=True)), ((), None)):
        rig.calls.clear()
        rig.imported = None
        rig.locks = locks
        rig.state = {"pending_operations": [pending_create(SECRET_TYPE, "keys", object_name="keys-1")]}
        rig.open().destroy(decisions=decisions)
        assert rig.imported is not None
        assert [item["id"] for item in rig.imported["resources"]] == ["airflow/keys-1"], "it would be left over"
        assert [call for call in rig.calls if call != "open"] == [*(["cancel"] if locks else []), "refresh", "destroy"]


def test_destroy_repairs_nothing_of_an_update_that_may_be_alive_and_nothing_of_a_protected_stack(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.state = {"pending_operations": [pending_create(SECRET_TYPE, "keys", object_name="keys-1")]}
    rig.locks = (held(),)
    for holder in (Holder.UNKNOWN, Holder.ALIVE):
        monkeypatch.setattr(Lock, "_holder", lambda self, engines, shared, holder=holder: holder)
        rig.open().destroy()
        assert not {"cancel", "refresh"} & set(rig.calls)
    rig.locks = ()
    settings = EnvironmentSettings.of("team", {**SETTINGS, **PROTECTED})
    with pytest.raises(Protected):
        rig.environments().open("team", settings).destroy()
    assert not {"cancel", "refresh"} & set(rig.calls)


def test_interrupted_creates_in_a_cluster_that_is_gone_are_forgotten(rig: Rig) -> None:
    rig.reachable = False
    rig.locks = (held(),)
    rig.state = {
        "resources": [resource_state(SECRET_TYPE, "a")],
        "pending_operations": [pending_create(SECRET_TYPE, "keys", object_name="keys-1")],
    }
    rig.open().destroy(cluster_gone=True, decisions=Decisions(lock_is_stale=True))
    assert rig.imported is not None
    assert (rig.imported["resources"], rig.imported["pending_operations"]) == ([], [])
    assert rig.calls[-2:] == ["cancel", "destroy"]


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
    holders = iter([Holder.GONE, Holder.ALIVE])
    monkeypatch.setattr(Lock, "_holder", lambda self, engines, shared: next(holders))
    with pytest.raises(StackLocked, match="has just begun"):
        rig.open().recover()
    assert "cancel" not in rig.calls


@pytest.mark.parametrize("planned", [held(), Lock(user="me", host=socket.gethostname(), pid=NOBODY, since="")])
def test_lock_of_another_machine_that_came_after_the_plan_is_left_alone(rig: Rig, planned: Lock) -> None:
    """Whether its holder lives cannot be seen from here, and what a person has said was not of this one."""
    rig.locks = (planned,)
    later = Lock(user="you", host="elsewhere", pid=8, since="2026-01-01T00:05:00Z")

    def comes(event: Event) -> None:
        rig.locks = (planned, later)

    with pytest.raises(StackLocked, match=r"you@elsewhere, process 8.* has just begun"):
        rig.open().recover(Decisions(lock_is_stale=True), on_event=comes)
    assert "cancel" not in rig.calls


def test_recovery_that_waits_for_a_plugin_can_be_cancelled(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.locks = (Lock(user="me", host=socket.gethostname(), pid=NOBODY, since="2026-01-01T00:00:00+00:00"),)
    plugin = Process(pid=9, parent=1, name="pulumi-resource-kubernetes", started=1.0)
    first = Process(pid=1, parent=0, name="init", started=0.0)
    monkeypatch.setattr(processes_module, "processes", lambda: (first, plugin))
    monkeypatch.setattr(processes_module, "_living", lambda process: process)
    env = rig.open()
    rig.time.on_sleep = lambda now: env.cancel() if now > 2 else None
    with pytest.raises(Interrupted, match="before anything was done"):
        env.recover()
    assert rig.time.seconds < 3
    assert rig.calls == ["open"]


def test_recovery_that_is_cancelled_stops_before_its_next_step_and_says_what_it_did(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.locks = (held(),)
    rig.state = {"pending_operations": [pending_create(SECRET_TYPE, "keys", object_name="keys-1")]}
    env = rig.open()
    monkeypatch.setattr(operations, "cancel", lambda on: env.cancel())
    with pytest.raises(Interrupted, match="after this: the lock was removed"):
        env.recover(Decisions(lock_is_stale=True))
    assert rig.imported is None
    assert rig.calls == ["open"]


def test_waiting_for_health_can_be_cancelled(rig: Rig) -> None:
    rig.state = {"resources": [resource_state(SECRET_TYPE, "a", id_="airflow/a")]}
    rig.cluster = ClusterStatus(unready_pods=(UnreadyPod(name="worker-0", reason="Pending"),))
    env = rig.open()
    rig.time.on_sleep = lambda now: env.cancel() if now > 10 else None
    with pytest.raises(Interrupted, match="after this: the engine did its work"):
        env.recover()
    assert rig.time.seconds < 11


def test_interrupted_create_whose_object_is_kept_is_forgotten(rig: Rig) -> None:
    """The engine would warn of it for ever."""
    kind = "kubernetes:core/v1:PersistentVolumeClaim"
    current = resource_state(kind, "data", id_="airflow/data-2")
    rig.state = {
        "resources": [current],
        "pending_operations": [pending_create(kind, "data", object_name="data-1")],
    }
    rig.objects = FakeObjects(
        [
            found_object("PersistentVolumeClaim", "data-1"),
            found_object("PersistentVolumeClaim", "data-2", created="2026-02-01T00:00:00Z"),
        ],
        bound={"data-1"},
    )
    rig.during = lambda verb: setattr(rig, "state", {"resources": [current]})
    found = rig.open().recover()
    assert [step.doing for step in found.plan.steps] == [RecoveryAction.KEEP, RecoveryAction.UPDATE]
    assert rig.options["refresh"]["clear_pending_creates"] is True
    assert rig.imported is None, "the engine itself drops it"
    assert rig.objects.deleted == []


def test_recovery_of_a_stack_that_was_never_made_is_an_update(rig: Rig) -> None:
    rig.stacks.clear()
    assert rig.open().recover().plan.interrupted is False
    assert rig.calls == ["open", "up"]


def test_recovery_that_does_not_end_healthy_says_what_is_wrong(rig: Rig) -> None:
    rig.state = {"resources": [resource_state(SECRET_TYPE, "a", id_="airflow/a")]}
    rig.cluster = ClusterStatus(unready_pods=(UnreadyPod(name="worker-0", reason="ImagePullBackOff"),))
    with pytest.raises(NotHealthy, match=r"pod worker-0 is not ready \(ImagePullBackOff\)"):
        rig.open().recover(timeout_seconds=30)
    assert rig.time.seconds >= 25


def test_errors_have_one_root_and_say_what_to_do(rig: Rig) -> None:
    rig.reachable = False
    with pytest.raises(AutomationError) as raised:
        rig.open().up()
    assert raised.value.to_json() == {"kind": "ClusterUnreachable", "what": "no answer", "remedy": "look"}


def test_plan_asks_neither_engine_nor_cluster_and_shows_no_secret(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automation.plan.process.plan_checkout", planned_here)
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


def test_stack_that_is_not_there_is_exported_as_it_would_be(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "plan_checkout", planned_here)
    rig.stacks.clear()
    done = rig.open().export_helmsman(rig.folder / "files")
    assert not done.deployed
    assert done.secrets_to_make
    assert json.loads(json.dumps(done.to_json()))["folder"] == str(rig.folder / "files")
    text = "".join(path.read_text() for path in (rig.folder / "files").rglob("*") if path.is_file())
    assert "kind-airflow" in text
    assert "sentinel" not in text
    assert rig.stacks == set()
