"""The library on the real engine, with a small program that reads the real config and asks no cluster."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from automation import Environment, Environments, EnvironmentSettings, Passphrase, PassphraseFile, Secret
from automation.change_report.engine_steps import preview_report
from automation.change_report.markdown import markdown
from automation.change_report.model import ChangeReport
from automation.cluster.objects import Found, ReleaseRecord
from automation.cluster.pods import Pod, Workload
from automation.engine import operations
from automation.engine.command import Engine, find_engine
from automation.engine.events import Event
from automation.engine.opened_stack import OpenedStack
from automation.errors import (
    AutomationError,
    Interrupted,
    PlanViolated,
    Protected,
    RecoveryRefused,
    StackLocked,
    StackUnknown,
    UpdateFailed,
)
from automation.folder import LocalFolder
from automation.recovery.result import RecoveryAction
from automation.stacks.concurrency import Started
from automation.stacks.place import Place
from automation.stacks.stack_values import file_values, write_to_file
from automation.stacks.workspace import open_stack
from components.kube.look import Look
from settings import SECRET_KEYS
from tests import samples
from tests.cluster.harness import pulumi

pytestmark = pytest.mark.engine

PROGRAM = """\
import pulumi
import pulumi_random as random
import beside

config = pulumi.Config("airflow")
key = random.RandomPassword("key", length=20, opts=pulumi.ResourceOptions(protect=config.require("executor") == "x"))
image = random.RandomPassword("image", length=12, keepers={"tag": config.require("imageTag")})
beside.act(config, key)
pulumi.export("image", config.require("imageTag"))
pulumi.export("key", key.result)
pulumi.export("given", pulumi.Output.secret(config.get("apiSecretKey") or ""))
"""
NOTHING = "def act(config, key):\n    pass\n"
PROTECTED = """\
import pulumi
import pulumi_random as random

def act(config, key):
    random.RandomPassword("kept", length=8, opts=pulumi.ResourceOptions(protect=True))
"""
SETTINGS: dict[str, Any] = {
    "kubeContext": "kind-airflow",
    "protect": False,
    "database": "container",
    "taskLogsAccessMode": "ReadWriteOnce",
}
SENTINELS = {
    **{key: Secret(value) for key, value in samples.sentinels().items()},
    "gitSshPrivateKey": Secret(samples.ssh_private_key()),
}
SECRETS = {
    key: SENTINELS[key]
    for key in (
        "fernetKey",
        "apiSecretKey",
        "jwtSecret",
        "redisPassword",
        "adminPassword",
        "registryCredentials",
        "connections",
        "variables",
        "rotationSecret",
    )
}
OTHERS: dict[str, dict[str, Any]] = {
    "SSH": {"dagsRepository": samples.SSH_REPOSITORY, "gitSshPrivateKey": SENTINELS["gitSshPrivateKey"]},
    "login": {**samples.OIDC, "oidcClientSecret": SENTINELS["oidcClientSecret"]},
    "HTTPS and a database": {
        "dagsUsername": "robot",
        "dagsToken": SENTINELS["dagsToken"],
        "database": "external",
        "databaseHost": "db.test",
        "databaseCidrs": ["10.0.0.0/8"],
        "databasePassword": SENTINELS["databasePassword"],
        "databaseLogin": SENTINELS["databaseLogin"],
        "brokerUrl": SENTINELS["brokerUrl"],
        "brokerCidrs": ["10.0.0.0/8"],
        "redisPassword": None,  # a stack with a broker of its own has none
        "pgbouncerEnabled": True,
        "taskLogs": "worker",
    },
}
"""Secrets that only some stacks have, with what they belong to."""
IN_AWS = {"databaseMasterPassword"}
"""Secrets of stacks that cannot be made without AWS."""
PASSPHRASE = "sentinel-passphrase"


class NoCluster:
    """A cluster with nothing in it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def find(self, *wanted: str) -> Found | None:
        return None

    def owned(self) -> tuple[Found, ...]:
        return ()

    def release(self, name: str) -> ReleaseRecord | None:
        return None

    def look(self) -> Look:
        return Look()

    def version(self) -> str:
        return ""

    def pods(self, labels: Any) -> tuple[Pod, ...]:
        return ()

    def workloads(self, labels: Any) -> tuple[Workload, ...]:
        return ()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the real config schema and a program of its own."""
    command = pulumi()
    if command is None:
        pytest.skip("no engine: pulumi is not on PATH")
    monkeypatch.setenv("PATH", str(Path(command).parent), prepend=os.pathsep)
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("automation.cluster.client.cluster_identity", lambda *args, **options: "uid")
    monkeypatch.setattr("automation.cluster.client.KubeClient", NoCluster)
    monkeypatch.setattr("automation.cluster.objects.ClusterObjects", NoCluster)
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(samples.ROOT / "Pulumi.yaml", folder)
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "beside.py").write_text(NOTHING)
    return folder


@pytest.fixture
def make(project: Path, tmp_path: Path) -> Callable[..., Environment]:
    """Stacks of that checkout; each call is another `Environments`, as of another process."""

    def make(name: str = "team", *, lock_seconds: float = 60, **settings: Any) -> Environment:
        environments = Environments(
            project,
            backend=(tmp_path / "state").as_uri(),
            secrets_provider=Passphrase(Secret(PASSPHRASE)),
            work_dir=tmp_path / "work",
            lock_seconds=lock_seconds,
        )
        return environments.open(name, EnvironmentSettings.of(name, {**SETTINGS, **settings}, project))

    return make


def waits_for(project: Path, started: Path, go: Path) -> None:
    """Lets the program wait in the middle of an update."""
    (project / "beside.py").write_text(
        "import pathlib, time\n\ndef act(config, key):\n    def wait(value):\n"
        f"        pathlib.Path({str(started)!r}).touch()\n"
        f"        while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n"
        "    key.result.apply(wait)\n"
    )


def until(there: Path) -> None:
    while not there.exists():
        time.sleep(0.05)


def test_three_stacks_live_their_lives_in_one_process(make: Callable[..., Environment]) -> None:
    names = ("one", "two", "three")

    def life(name: str) -> list[str]:
        env = make(name, imageTag="3.2.2-1")
        assert env.preview().changes.any
        assert env.up().outputs["image"] == "3.2.2-1"
        assert not env.preview().changes.any
        rolled = env.roll_image("3.2.2-2")
        assert [step.name for step in rolled.steps if step.operation == "create-replacement"] == ["image"]
        assert env.outputs().values["image"] == "3.2.2-2"
        kinds = [(entry.kind, entry.image_tag) for entry in env.history().entries]
        assert not env.refresh().changes.any
        assert env.destroy(remove=True).changes.any
        with pytest.raises(StackUnknown):
            env.outputs()
        return [f"{kind} {tag}" for kind, tag in kinds]

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(life, names)) == [["update 3.2.2-2", "update 3.2.2-1"]] * 3


def test_secret_outputs_are_masked(make: Callable[..., Environment]) -> None:
    done = make().up()
    assert done.outputs["key"] == "[secret]"
    assert make().outputs().values["key"] == "[secret]"


def test_events_can_be_looped_over(make: Callable[..., Environment]) -> None:
    running = Started(make().up)
    assert {event.name for event in running if event.kind == "done"} == {"key", "image"}
    assert running.result().changes.counts["create"] == 3
    planned = Started(partial(make(imageTag="3.2.2-9").preview))
    assert [event.text for event in planned if event.kind == "planned"] == ["would replace RandomPassword image"]


def test_listener_hears_enough_for_a_change_report_with_the_values_and_without_secrets(
    make: Callable[..., Environment],
) -> None:
    make(imageTag="3.2.2-1", **SECRETS).up()
    heard: list[EngineEvent] = []
    with operations.listening(heard.append):
        make(imageTag="3.2.2-9", **SECRETS).preview()
    report = preview_report("team", heard)
    text = markdown(ChangeReport(base="there", head="then", stacks=(report,)), limit=None)
    assert report.head_failure is None
    assert [(step.kind, step.name) for step in report.steps] == [("replace", "image")]
    assert "-3.2.2-1\n+3.2.2-9\n" in text
    assert not [secret for secret in SECRETS.values() if secret.reveal() in text]


# Locks


def held_by_another_process(env: Environment, project: Path, started: Path) -> subprocess.Popen[bytes]:
    variables = {**os.environ, **env.session.engine_variables()}
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "team"]
    process = subprocess.Popen(command, cwd=env.work_dir, env=variables, stdout=subprocess.DEVNULL)
    until(started)
    return process


def test_update_of_another_process_is_waited_for(
    make: Callable[..., Environment], project: Path, tmp_path: Path
) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    waits_for(project, started, go)
    with held_by_another_process(make(), project, started) as other:
        with pytest.raises(StackLocked, match=rf"held by .*, process {other.pid}, since"):
            make(lock_seconds=0).up()
        with pytest.raises(RecoveryRefused, match=rf"that process runs.*kill -INT {other.pid}"):
            make().recover()
        found = make().status()
        assert [(lock.pid, lock.holder) for lock in found.locks or ()] == [(other.pid, "alive")]
        assert any("that process runs" in problem for problem in found.problems)
        events: list[Event] = []

        def heard(event: Event) -> None:
            events.append(event)
            if event.kind == "waiting":
                go.touch()

        assert not make().up(on_event=heard).changes.any
        assert other.wait() == 0, "never disturbed"
    assert any(f"process {other.pid}" in event.text for event in events if event.kind == "waiting")


# Stopping


def test_cancelled_update_leaves_what_the_next_one_takes_over(
    make: Callable[..., Environment], project: Path, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    waits_for(project, started, tmp_path / "never")
    env = make()

    def cancel() -> None:
        until(started)
        env.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(Interrupted, match="takes over what was left"):
        env.up()
    thread.join()
    (project / "beside.py").write_text(NOTHING)
    assert env.status().healthy, "and no lock"
    env.up()
    assert not env.up().changes.any


CHILD = """\
import sys
from pathlib import Path
from automation import Environments, EnvironmentSettings, Passphrase, Secret
import automation.cluster.client
automation.cluster.client.cluster_identity = lambda *args, **options: "uid"
project, folder, passphrase = Path(sys.argv[1]), Path(sys.argv[2]), sys.stdin.readline().strip()
environments = Environments(
    project,
    backend=(folder / "state").as_uri(),
    secrets_provider=Passphrase(Secret(passphrase)),
    work_dir=folder / "work",
)
settings = EnvironmentSettings.of(
    "team",
    {"kubeContext": "kind-airflow", "protect": False, "database": "container", "taskLogsAccessMode": "ReadWriteOnce"},
    project,
)
environments.open("team", settings).up()
"""


@pytest.fixture
def child(project: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the library."""
    command = [sys.executable, "-c", CHILD, str(project), str(tmp_path)]
    with subprocess.Popen(command, cwd=samples.ROOT, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(f"{PASSPHRASE}\n")
        process.stdin.flush()
        yield process
        process.kill()


def test_killed_update_is_recovered_with_the_same_keys(
    make: Callable[..., Environment],
    project: Path,
    tmp_path: Path,
    child: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = tmp_path / "started"
    waits_for(project, started, tmp_path / "never")
    child_started = time.monotonic()
    while not started.exists():
        assert child.poll() is None
        assert time.monotonic() - child_started < 60
        time.sleep(0.05)
    real = time.time
    for hours in (-1, 1, 0):
        monkeypatch.setattr(time, "time", lambda hours=hours: real() + hours * 3600)
        (lock,) = make().status().locks or ()
        assert lock.holder == "alive"
    os.kill(lock.pid, signal.SIGKILL)
    child.kill()
    child.wait()
    (project / "beside.py").write_text(NOTHING)
    env = make(lock_seconds=0)
    found = env.status()
    assert any("that process does not run any more" in problem for problem in found.problems)
    with pytest.raises(StackLocked, match="recover team"):
        env.up()
    generated = key_of(env)
    plan = env.recovery()
    assert {step.doing for step in plan.steps} >= {RecoveryAction.UNLOCK, RecoveryAction.UPDATE}
    ended = [step.pid for step in plan.of(RecoveryAction.END)]
    assert ended, "the language host and the provider live on"
    done = env.recover()
    assert done.status.healthy
    assert key_of(env) == generated != ""
    assert [pid for pid in ended if Path(f"/proc/{pid}").exists()] == []
    assert not env.up().changes.any


def key_of(env: Environment) -> str:
    """The generated value itself, out of the state."""
    variables = {**os.environ, **env.session.engine_variables()}
    command = ["pulumi", "stack", "export", "--show-secrets", "--stack", env.name, "--non-interactive"]
    done = subprocess.run(command, cwd=env.work_dir, env=variables, capture_output=True, text=True, check=True)
    resources = json.loads(done.stdout)["deployment"]["resources"]
    return next((json.dumps(item["outputs"]["result"]) for item in resources if item["urn"].endswith("::key")), "")


# Plans


def test_update_does_what_its_plan_says_or_nothing(make: Callable[..., Environment], tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    env = make(imageTag="3.2.2-1", **SECRETS)
    assert env.preview(save_plan=plan).plan_file == str(plan)
    assert not [secret for secret in SECRETS.values() if secret.reveal() in plan.read_text()]
    assert env.up(plan=plan).changes.any
    make(imageTag="3.2.2-2").preview(save_plan=plan)
    with pytest.raises(PlanViolated, match=r"violates plan: properties changed: keepers\. Fix"):
        make(imageTag="3.2.2-3").up(plan=plan)
    assert make().outputs().values["image"] == "3.2.2-1"


LATE = """\
import pulumi
import pulumi_random as random

def act(config, key):
    late = key.result.apply(lambda value: "sentinel" + value)
    random.RandomPassword("late", length=8, keepers={"a": late} if pulumi.runtime.is_dry_run() else {"b": late})
"""


def test_value_that_leaves_a_plan_is_in_no_event_and_no_error(
    make: Callable[..., Environment], project: Path, tmp_path: Path
) -> None:
    """The engine quotes it, secret or not."""
    (project / "beside.py").write_text(LATE)
    plan, events = tmp_path / "plan.json", list[Event]()
    env = make()
    env.preview(save_plan=plan)
    with pytest.raises(PlanViolated, match="violates plan") as raised:
        env.up(plan=plan, on_event=events.append)
    assert "sentinel" not in json.dumps([event.to_json() for event in events])
    assert "sentinel" not in str(raised.value)
    assert raised.value.__context__ is None, "what the engine wrote hangs on no error"


def test_protected_stack_loses_nothing(make: Callable[..., Environment], project: Path) -> None:
    (project / "beside.py").write_text(PROTECTED)
    env = make()
    env.up()
    with pytest.raises(Protected, match="kept"):
        env.destroy()
    assert not env.preview().changes.any
    (project / "beside.py").write_text(NOTHING)
    with pytest.raises(Protected, match="protect false"):
        env.up()


# Secrets, and a lost work directory


def test_every_secret_key_has_its_sentinel() -> None:
    given = {key for found in (SECRETS, *OTHERS.values()) for key, value in found.items() if isinstance(value, Secret)}
    assert given == SECRET_KEYS - IN_AWS


@pytest.mark.parametrize("others", OTHERS.values(), ids=OTHERS)
def test_no_secret_leaves_the_engine(
    others: dict[str, Any],
    make: Callable[..., Environment],
    project: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not even where the program and a provider quote one, and in no list of processes."""
    commands: list[list[str]] = []
    original: Any = Engine._start

    def start(self: Engine, args: list[str], *rest: Any) -> Any:
        commands.append(args)
        return original(self, args, *rest)

    monkeypatch.setattr(Engine, "_start", start)
    caplog.set_level(logging.DEBUG)
    events: list[Event] = []
    documents: list[Any] = []
    given = {key: value for key, value in {**SECRETS, **others}.items() if value is not None}
    secrets = [value.reveal() for value in given.values() if isinstance(value, Secret)]
    env = make(**given)
    documents += [env.preview(on_event=events.append), env.up(on_event=events.append), env.status(), env.history()]
    (project / "beside.py").write_text(
        "import pulumi\n\ndef act(config, key):\n"
        "    pulumi.log.warn('quoted: ' + config.require('apiSecretKey'))\n"
        "    print(config.require('jwtSecret'))\n"
        "    for name in ('gitSshPrivateKey', 'dagsToken', 'databasePassword', 'registryCredentials'):\n"
        '        pulumi.log.warn(f"{name}: {config.get(name)!r}")\n'
        "    redis = config.get('redisPassword') or ''\n"
        "    raise ValueError('wrong: ' + config.require('adminPassword') + ' ' + redis)\n"
    )
    with pytest.raises(UpdateFailed, match=r"ValueError: wrong: \[secret\]") as raised:
        env.up(on_event=events.append)
    documents.append(raised.value)
    assert raised.value.__context__ is None
    assert any("quoted: [secret]" in event.text for event in events)
    told = json.dumps([item.to_json() for item in (*events, *documents)])
    output = capfd.readouterr()
    files = [path.read_text(errors="replace") for path in (tmp_path / "work").rglob("*") if path.is_file()]
    files += [path.read_text(errors="replace") for path in (tmp_path / "state").rglob("*") if path.is_file()]
    places = {
        "events, results and errors": told,
        "texts": f"{raised.value} {raised.value!r} {env!r} {documents!r} {raised.getrepr()}",
        "logs": caplog.text,
        "streams": output.out + output.err,
        "processes": repr(commands),
        "files": "\n".join(files),
    }
    assert any("export" in command for command in commands)
    assert not [command for command in commands if "export" in command and "--show-secrets" in command]
    lines = [line for secret in secrets for line in secret.splitlines()]
    values = [PASSPHRASE, *secrets, *(json.dumps(secret)[1:-1] for secret in secrets), *lines]
    assert {place for place, text in places.items() for value in values if value in text} == set()


def test_lost_work_directory_changes_nothing(make: Callable[..., Environment], tmp_path: Path) -> None:
    """A service in a container has a new one after each restart."""
    make(**SECRETS).up()
    before = key_of(make(**SECRETS))
    shutil.rmtree(tmp_path / "work")
    env = make(**SECRETS)
    assert not env.up().changes.any
    assert key_of(env) == before
    (tmp_path / "work" / "team" / "Pulumi.team.yaml").write_text("half a fi: [le\n")
    assert not env.up().changes.any


def test_changed_secret_is_the_only_one_that_is_encrypted_anew(
    make: Callable[..., Environment], tmp_path: Path
) -> None:
    make(**SECRETS).up()
    path = tmp_path / "work" / "team" / "Pulumi.team.yaml"
    before = path.read_text().splitlines()
    make(**{**SECRETS, "apiSecretKey": Secret("another-sentinel-of-more-than-32-bytes")}).preview()
    changed = [line for line in path.read_text().splitlines() if line not in before]
    assert len(changed) == 1
    make(**SECRETS, imageTag="3.2.2-5").preview()
    assert "3.2.2-5" in path.read_text()


def test_passphrase_can_be_a_file(project: Path, tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text("of a file\n")
    settings = EnvironmentSettings.of("team", SETTINGS, project)

    def env(passphrase: Passphrase | PassphraseFile) -> Environment:
        return Environments(project, (tmp_path / "state").as_uri(), passphrase, work_dir=tmp_path / "work").open(
            "team", settings
        )

    env(PassphraseFile(tmp_path / "passphrase")).up()
    assert not env(Passphrase(Secret("of a file"))).up().changes.any
    with pytest.raises(UpdateFailed, match="incorrect passphrase"):
        env(Passphrase(Secret("another"))).up()
    with pytest.raises(AutomationError, match="cannot be read"):
        env(PassphraseFile(tmp_path / "nothing")).up()


def test_config_is_completed_as_a_person_would_with_pulumi(project: Path, tmp_path: Path) -> None:
    """In the committed file, secrets encrypted; what stands there stays, and the engine reads what was written."""
    path = project / "Pulumi.file.yaml"
    path.write_text(
        "# a comment\nconfig:\n  airflow:kubeContext: kind-airflow\n  airflow:adminPassword: plain-in-dev\n"
    )
    place = Place(
        project_dir=project,
        folder=LocalFolder(project, tmp_path / "work-of-files"),
        backend=(tmp_path / "state-of-files").as_uri(),
        provider=Passphrase(Secret(PASSPHRASE)),
        environ=os.environ,
    )
    (tmp_path / "state-of-files").mkdir()
    engine = find_engine(project, lambda line: None)
    on = OpenedStack(open_stack(place, "file", engine), engine)
    assert file_values(on, project)["adminPassword"].reveal() == "plain-in-dev"
    added = {
        "fernetKey": SENTINELS["fernetKey"],
        "gitSshPrivateKey": SENTINELS["gitSshPrivateKey"],
        "databasePort": 5433,
        "pgbouncerEnabled": True,
        "gitKnownHosts": "a ssh-ed25519 AAAA\nb ssh-ed25519 BBBB\n",
        "databaseHost": "db.test",
    }
    write_to_file(on, project, added)
    text = path.read_text()
    assert "# a comment" in text
    assert "sentinel" not in text
    assert "PRIVATE KEY" not in text
    on = OpenedStack(open_stack(place, "file", engine), engine)
    found = file_values(on, project)
    assert {key: found[key].reveal() for key in added if isinstance(added[key], Secret)} == {
        key: value.reveal() for key, value in added.items() if isinstance(value, Secret)
    }
    plain = {key: str(found[key]).lower() for key in added if not isinstance(added[key], Secret)}
    assert plain == {key: str(added[key]).lower() for key in plain}
    # A rotation changes a value again and again, and takes its mark out at the end.
    mark, both = (
        "fernet 1/4 0123456789ab",
        Secret(f"{SENTINELS['fernetKey'].reveal()},{SENTINELS['fernetKey'].reveal()}"),
    )
    write_to_file(on, project, {"rotation": mark, "fernetKey": both})
    on = OpenedStack(open_stack(place, "file", engine), engine)
    assert (file_values(on, project)["rotation"], file_values(on, project)["fernetKey"]) == (mark, both)
    write_to_file(on, project, {"rotation": None, "rotationSecret": None})
    assert "airflow:rotation" not in path.read_text()
    on = OpenedStack(open_stack(place, "file", engine), engine)
    assert file_values(on, project)["fernetKey"] == both
