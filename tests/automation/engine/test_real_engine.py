"""The parts that run the engine, with a program of two lines and no provider."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from automation.engine import operations
from automation.engine.command import Engine, find_engine
from automation.engine.events import Event, EventKind, OnEvent, Teller, ignore
from automation.engine.opened_stack import OpenedStack
from automation.engine.stack_state import StackState
from automation.errors import Interrupted, PassphraseMissing, StackLocked, StackUnknown, UpdateFailed
from automation.results import Changes
from automation.stacks.place import Place
from automation.stacks.workspace import open_stack
from components.kube.safe_yaml import load_yaml
from tests.samples import ROOT, sentinels

pytestmark = pytest.mark.engine

PROJECT = "name: airflow\nruntime: {name: python, options: {toolchain: pip, virtualenv: .venv}}\n"
STACK = "config:\n  airflow:answer: forty-two\n"
PROGRAM = "import pulumi\nimport beside\npulumi.export('answer', beside.answer(pulumi.Config()))\n"
BESIDE = "def answer(config):\n    return config.require('answer')\n"


@pytest.fixture
def engine(engine_on_path: None) -> Engine:
    return find_engine(Path("/nonexistent"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / "beside.py").write_text(BESIDE)
    yield tmp_path
    assert (tmp_path / "Pulumi.dev.yaml").read_text() == STACK, "the committed file stays as it is"


def opened(project: Path, engine: Engine, on_event: OnEvent = ignore, *, create: bool = True) -> OpenedStack:
    stack = open_stack(Place.of(project), "dev", engine, create=create)
    return OpenedStack(stack, engine, Teller(on_event, "dev", "up"))


def test_program_runs_where_it_is_and_the_second_time_nothing_changes(engine: Engine, project: Path) -> None:
    stack = opened(project, engine)
    first = operations.up(stack)
    assert first.changes == Changes({"create": 1})
    assert operations.stack_outputs(stack) == {"answer": "forty-two"}
    copy = project / ".dev" / "dev" / "Pulumi.dev.yaml"
    salt = load_yaml(copy.read_text())["encryptionsalt"]

    again = opened(project, engine)
    assert str(operations.up(again).changes) == "no changes"
    assert load_yaml(copy.read_text())["encryptionsalt"] == salt
    assert not operations.has_resources(again)
    assert operations.resources_outside(again, ("pulumi:",)) == []


def test_stack_that_is_not_there_is_unknown(engine: Engine, project: Path) -> None:
    (project / ".dev" / "state").mkdir(parents=True)
    with pytest.raises(StackUnknown, match="there is no stack dev"):
        opened(project, engine, create=False)


def test_error_of_the_program_is_told_in_one_line(engine: Engine, project: Path) -> None:
    (project / "beside.py").write_text("raise ValueError('it cannot be')\n")
    lines = list[str]()
    stack = opened(project, engine, lambda event: lines.append(event.text))
    with pytest.raises(UpdateFailed, match=r"^up of stack dev failed: ValueError: it cannot be\. Fix: ") as raised:
        operations.up(stack)
    assert raised.value.__cause__ is None
    assert any("it cannot be" in line for line in lines)


def test_wrong_passphrase_is_told_in_one_line(engine: Engine, project: Path) -> None:
    opened(project, engine)
    (project / ".dev" / "passphrase").write_text("another")
    with pytest.raises(PassphraseMissing, match="incorrect passphrase"):
        operations.up(opened(project, engine))


def test_update_that_is_interrupted_says_so_and_leaves_no_lock(engine: Engine, project: Path) -> None:
    started = project / "started"
    (project / "beside.py").write_text(
        f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(60)\n"
    )
    stack = opened(project, engine)

    def interrupt() -> None:
        while not started.exists():
            time.sleep(0.05)
        engine.cancel()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted, match="takes over what was left"):
        operations.up(stack)
    thread.join()
    (project / "beside.py").write_text(BESIDE)
    assert operations.up(stack).changes.any


def test_update_while_another_runs_is_locked(engine: Engine, project: Path) -> None:
    started, go = project / "started", project / "go"
    (project / "beside.py").write_text(
        f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n{BESIDE}"
    )
    first, second = (opened(project, engine) for _ in range(2))
    thread = threading.Thread(target=operations.up, args=(first,))
    thread.start()
    try:
        while not started.exists():
            time.sleep(0.05)
        with pytest.raises(StackLocked):
            operations.up(second)
    finally:
        go.touch()
        thread.join()


def interrupt_create(project: Path, engine: Engine) -> tuple[OpenedStack, str]:
    """Leave a create in the state whose end was not recorded; its URN."""
    on = opened(project, engine)
    operations.up(on)
    urn = "urn:pulumi:dev::airflow::random:index/randomPassword:RandomPassword::key"
    resource = {"urn": urn, "type": "random:index/randomPassword:RandomPassword", "custom": True}
    (file,) = (project / ".dev" / "state").rglob("dev.json")
    content = json.loads(file.read_text())
    # Not by an import of the state, which drops it.
    content["checkpoint"]["latest"]["pending_operations"] = [{"type": "creating", "resource": resource}]
    file.write_text(json.dumps(content))
    assert [item.urn for item in StackState.of(operations.deployment(on)).pending] == [urn]
    return on, urn


def test_engine_clears_an_interrupted_create_and_reads_nothing(engine: Engine, project: Path) -> None:
    on, _ = interrupt_create(project, engine)
    before = StackState.of(operations.deployment(on))
    operations.refresh(on, targets=[before.stack_urn], clear_pending_creates=True)
    after = StackState.of(operations.deployment(on))
    assert after.pending == ()
    assert after.resources == before.resources
    assert operations.stack_outputs(on) == {"answer": "forty-two"}


def test_engine_drops_the_interrupted_create_that_it_is_told_to_import(engine: Engine, project: Path) -> None:
    """As long as it does, recovery has to enter the resource into the state itself: `stack_state.with_created`."""
    on, urn = interrupt_create(project, engine)
    words = ["refresh", "--yes", "--skip-preview", "--stack", "dev"]
    words += ["--import-pending-creates", urn, "--import-pending-creates", "an-id"]
    engine.run(words, on.stack.workspace.work_dir, on.stack.workspace.env_vars)
    after = StackState.of(operations.deployment(on))
    assert (after.resources, after.pending) == ((), ())


NOTED = """\
import pulumi

class Keys(pulumi.ComponentResource):
    pass

def answer(config):
    Keys("airflow:index:AirflowKeys", "keys", {"note": config.require("answer")})
    return "forty-two"
"""


@pytest.mark.parametrize("operation", [operations.preview, operations.up], ids=["preview", "up"])
def test_policy_pack_of_the_project_judges_previews_and_updates(
    operation: Callable[..., operations.EngineResult], engine: Engine, project: Path
) -> None:
    if not (ROOT / ".venv" / "policy" / "bin" / "python").is_file():
        pytest.skip("no environment of the policy pack: make policy")
    (project / "beside.py").write_text(NOTED)
    (project / "policy").symlink_to(ROOT / "policy")
    (project / ".venv").symlink_to(ROOT / ".venv")
    assert operation(opened(project, engine)).changes.any, "what is right passes"
    fernet_key, events = sentinels()["fernetKey"], list[Event]()
    on = opened(project, engine, events.append)
    copy = project / ".dev" / "dev" / "Pulumi.dev.yaml"
    copy.write_text(copy.read_text().replace("forty-two", fernet_key))
    with pytest.raises(
        UpdateFailed, match="breaks a mandatory rule: no-key-in-clear: AirflowKeys keys: note holds"
    ) as raised:
        operation(on)
    told = json.dumps([event.to_json() for event in events])
    assert fernet_key not in f"{raised.value}{told}"
    assert [event.kind for event in events if "no-key-in-clear" in event.text] == [EventKind.ERROR]


def test_plan_that_the_policy_pack_judged_is_done(engine: Engine, project: Path, tmp_path: Path) -> None:
    if not (ROOT / ".venv" / "policy" / "bin" / "python").is_file():
        pytest.skip("no environment of the policy pack: make policy")
    (project / "policy").symlink_to(ROOT / "policy")
    (project / ".venv").symlink_to(ROOT / ".venv")
    plan = str(tmp_path / "plan.json")
    assert operations.preview(opened(project, engine), save_plan=plan).changes.any
    assert operations.up(opened(project, engine), plan=plan).changes.any
