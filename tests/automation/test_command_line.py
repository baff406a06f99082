"""The verbs for any stack: exit codes, JSON, tables, and what they pass on."""

from __future__ import annotations

import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from automation import __main__ as command_line
from automation.adoption.plan import Adoption, AdoptionPlan
from automation.adoption.taken_over import TakenOver
from automation.change_report import markdown
from automation.cli import declare, report
from automation.cli.console import Console
from automation.cli.verbs import VERBS
from automation.cluster.objects import ReleaseRecord
from automation.engine import operations as update
from automation.engine.events import Event, EventKind
from automation.errors import AutomationError, SettingsInvalid, StackLocked, UpdateFailed
from automation.recovery.result import Decisions, Recovery, RecoveryAction, RecoveryStep, RecoverySteps
from automation.recovery.status import ClusterStatus, StackStatus
from automation.results import Changes, HelmsmanExport, History, HistoryEntry, Outputs, Preview, Step, Update
from automation.stacks.session import LOCK_SECONDS
from automation.verification.result import Check, Verification
from automation.verification.result import Status as CheckStatus
from automation.wait import WAIT_SECONDS
from components.kube.unready_pods import Cause, Unready
from components.kube.workload_states import WorkloadState
from settings.rotation import ROTATED
from tests.cases import each
from tests.samples import ROOT

OWN = {"roll": ["3.2.2-7"], "export_helmsman": ["--output", "files"]}
STACK_VERBS = (
    *("preview", "up", "roll", "verify", "status", "adopt", "recover", "outputs", "history", "refresh", "destroy"),
    "export_helmsman",
)
NONE, SOME = Changes({"same": 40}), Changes({"same": 40, "update": 1})
STEP = Step(
    operation="update",
    type="kubernetes:helm.sh/v3:Release",
    name="airflow",
    urn="urn:pulumi:dev::airflow::kubernetes:helm.sh/v3:Release::airflow",
    properties={"values.images.airflow.tag": "update"},
)
BROKEN = ClusterStatus(release=ReleaseRecord(revision=4, status="pending-upgrade"))


@dataclass
class FakeEnvironment:
    """Answers every verb; `asked` has what it was asked with."""

    name: str = "dev"
    backend: str = "file:///state"
    changes: Changes = NONE
    status_found: StackStatus = field(default_factory=lambda: StackStatus(stack="dev", exists=True, deployed=True))
    verification: Verification = field(
        default_factory=lambda: Verification((Check("all", CheckStatus.PASSED, "seen"),))
    )
    adoption_plan: AdoptionPlan = field(
        default_factory=lambda: AdoptionPlan(
            stack="dev", namespace="airflow", revision=3, chart_version="1.22.0", airflow_version="3.2.2"
        )
    )
    interrupted: bool = False
    error: Exception | None = None
    asked: dict[str, Any] = field(default_factory=dict)

    def _answer(self, verb: str, options: dict[str, Any]) -> Update:
        if self.error:
            raise self.error
        on_event = options.pop("on_event", None)
        if on_event is not None:
            on_event(Event(kind=EventKind.DONE, text="updated Release airflow (3 s)"))
        self.asked = {"verb": verb, **options}
        steps = (STEP,) if self.changes.any else ()
        return Update(stack=self.name, verb=verb, changes=self.changes, steps=steps, seconds=3.0)

    def up(self, **options: Any) -> Update:
        return self._answer("up", options)

    def roll_image(self, tag: str, **options: Any) -> Update:
        return self._answer("roll_image", {"tag": tag, **options})

    def refresh(self, **options: Any) -> Update:
        return self._answer("refresh", options)

    def destroy(self, **options: Any) -> Update:
        return self._answer("destroy", options)

    def preview(self, **options: Any) -> Preview:
        done = self._answer("preview", options)
        return Preview(stack=self.name, changes=done.changes, steps=done.steps)

    def outputs(self) -> Outputs:
        self._answer("outputs", {})
        return Outputs(stack=self.name, values={"namespace": "airflow", "api_server_port": 8080})

    def history(self, limit: int) -> History:
        self._answer("history", {"limit": limit})
        entry = HistoryEntry(
            version=3,
            kind="update",
            result="succeeded",
            started="2026-01-01T00:00:00Z",
            ended="2026-01-01T00:01:00Z",
            changes=SOME,
            image_tag="3.2.2",
        )
        return History(stack=self.name, entries=(entry,))

    def verify(self, **options: Any) -> Verification:
        self._answer("verify", options)
        return self.verification

    def status(self) -> StackStatus:
        self._answer("status", {})
        return self.status_found

    def adoption(self, **options: Any) -> AdoptionPlan:
        self._answer("adoption", options)
        return self.adoption_plan

    def adopt(self, **options: Any) -> Adoption:
        update = self._answer("adopt", options)
        return Adoption(plan=self.adoption_plan, update=update, status=self.status_found)

    def export_helmsman(self, folder: Path, **options: Any) -> HelmsmanExport:
        self._answer("export_helmsman", options)
        return HelmsmanExport(stack=self.name, folder=str(folder), deployed=True)

    def recovery(self, decisions: Decisions) -> RecoverySteps:
        self._answer("recovery", {"decisions": decisions})
        forgotten = RecoveryStep(doing=RecoveryAction.FORGET, text="forget it")
        steps = (forgotten,) if self.interrupted else ()
        return RecoverySteps(
            stack=self.name, steps=(*steps, RecoveryStep(doing=RecoveryAction.UPDATE, text="update dev"))
        )

    def recover(self, decisions: Decisions, **options: Any) -> Recovery:
        done = self._answer("recover", {"decisions": decisions, **options})
        return Recovery(plan=self.recovery(decisions), update=done, status=self.status_found)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> FakeEnvironment:
    fake = FakeEnvironment()

    @contextmanager
    def opened(project: Path, name: str, console: Console, *, lock_seconds: float) -> Iterator[FakeEnvironment]:
        fake.name = name
        yield fake

    monkeypatch.setattr(declare, "opened", opened)
    return fake


def words(verb: str, *more: str) -> list[str]:
    return [verb, "dev", *OWN.get(verb, ()), *more]


def test_verb_that_did_its_work_exits_with_0(env: FakeEnvironment) -> None:
    for verb, changes in itertools.product(STACK_VERBS, (NONE, SOME)):
        env.changes = changes
        assert command_line.main(words(verb)) == 0, verb


def test_changes_are_exit_code_2_with_detailed_exitcode(env: FakeEnvironment) -> None:
    for changes, code in ((NONE, 0), (SOME, 2)):
        env.changes = changes
        for verb in ("preview", "up", "roll", "refresh", "destroy", "recover"):
            assert command_line.main(words(verb, "--detailed-exitcode")) == code, verb


def test_looking_changes_nothing(env: FakeEnvironment) -> None:
    env.changes = SOME
    for verb in ("outputs", "history", "verify", "status"):
        assert command_line.main(words(verb, "--detailed-exitcode")) == 0, verb


@each(
    ("arguments", "code"),
    [
        (["preview", "--nonsense"], 2),
        (["preview", "--detailed-exitcode", "--nonsense"], 1),
        (["roll"], 2),
        (["roll", "prod"], 2),
        (["roll", "prod", ""], 2),
        (["recover", "--adopt", "no-urn"], 2),
        (["history", "--limit", "many"], 2),
    ],
)
def test_wrong_command_line_is_never_taken_for_changes(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        command_line.main(arguments)
    assert raised.value.code == code
    assert "usage:" in capsys.readouterr().err


def test_forgotten_tag_is_named_and_no_stack_is_rolled_to_the_name_of_another(
    env: FakeEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb, arguments in itertools.product(("roll", "roll_image"), (["prod"], ["prod", ""], ["prod", " "])):
        with pytest.raises(SystemExit):
            command_line.main([verb, *arguments])
        assert re.search(r"error: .*\btag\b", capsys.readouterr().err), (verb, arguments)
        assert env.asked == {}


def test_json_is_one_document_and_nothing_else(env: FakeEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    env.changes = SOME
    for verb in STACK_VERBS:
        assert command_line.main(words(verb, "--json")) == 0
        found = capsys.readouterr()
        assert isinstance(json.loads(found.out), dict), verb
        assert "state in file:///state" in found.err


ERRORS: tuple[AutomationError, ...] = (
    StackLocked("held by me@vm", "wait for it"),
    SettingsInvalid("dev", ("a", "b")),
    UpdateFailed("up failed: no room", "make room"),
)


def test_failure_is_exit_code_1_a_line_and_a_document(env: FakeEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    for verb, error in itertools.product(STACK_VERBS, ERRORS):
        env.error = error
        assert command_line.main(words(verb, "--json", "--detailed-exitcode")) == 1
        found = capsys.readouterr()
        assert json.loads(found.out)["error"]["kind"] == type(error).__name__, verb
        assert found.err.splitlines()[1] == f"error: {str(error).splitlines()[0]}"


def test_preview_that_may_not_find_changes_fails_where_it_does(
    env: FakeEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main(["preview", "prod", "--expect-no-changes"]) == 0
    env.changes = SOME
    assert command_line.main(["preview", "prod", "--expect-no-changes", "--json", "--detailed-exitcode"]) == 1
    found = capsys.readouterr()
    assert "preview of prod: expected no changes, found 40 same, 1 update" in found.err
    assert json.loads(found.out[found.out.index("{") :])["changes"]["any"] is True, "still the one document"


BUCKET = "urn:pulumi:prod::airflow::aws:s3/bucket:Bucket::logs"


def engine_event() -> EngineEvent:
    """A step of a preview."""
    state = {"type": "aws:s3/bucket:Bucket", "urn": BUCKET, "custom": True, "id": "logs"}
    old, new = ({**state, "inputs": {"bucketPrefix": prefix}, "outputs": {}} for prefix in ("before-", "after-"))
    metadata = {"op": "update", "urn": BUCKET, "type": state["type"], "old": old, "new": new, "provider": ""}
    metadata |= {"detailedDiff": {"bucketPrefix": {"diffKind": "update", "inputDiff": True}}}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, "resourcePreEvent": {"metadata": metadata}})


@pytest.fixture
def previewed(env: FakeEnvironment, monkeypatch: pytest.MonkeyPatch) -> FakeEnvironment:
    """Its preview lets the engine's event be heard, as the real one does, and then ends as `env` says."""
    original = FakeEnvironment.preview

    def preview(self: FakeEnvironment, **options: Any) -> Preview:
        update._LISTENER.get()(engine_event())
        return original(self, **options)

    monkeypatch.setattr(FakeEnvironment, "preview", preview)
    env.changes = SOME
    return env


@pytest.mark.parametrize("fails", [False, True], ids=["done", "failed"])
def test_report_of_a_preview_has_the_values_and_is_there_where_it_failed(
    fails: bool, previewed: FakeEnvironment, tmp_path: Path
) -> None:
    previewed.error = UpdateFailed("preview failed: no room", "make room") if fails else None
    file = tmp_path / "report.md"
    code = command_line.main(["preview", "prod", "--report", str(file), "--detailed-exitcode"])
    assert code == (1 if fails else 2)
    assert "\n-before-\n+after-\n" in file.read_text()


def test_report_that_cannot_be_made_does_not_hide_the_preview(
    previewed: FakeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*args: Any, **options: Any) -> None:
        raise KeyError("sentinel")

    monkeypatch.setattr("automation.change_report.engine_steps.preview_report", broken)
    file = tmp_path / "report.md"
    assert command_line.main(["preview", "prod", "--report", str(file), "--detailed-exitcode"]) == 2
    output = capsys.readouterr().out
    assert "preview of prod: 40 same, 1 update" in output
    assert "warning: no report of the preview: KeyError" in output
    assert "sentinel" not in output
    assert not file.exists()


def test_without_the_option_nothing_is_written(previewed: FakeEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automation.cli.deploy.write_file", None)
    assert command_line.main(["preview", "prod"]) == 0


def test_adoption_is_shown_before_it_is_done(env: FakeEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    taken = TakenOver(key="fernetKey", source="Secret team-fernet", value="[secret]", must_stay=True)
    env.adoption_plan = replace(env.adoption_plan, taken=(taken,), notes=("take a backup",))
    assert command_line.main(["adopt", "prod", "--dry-run"]) == 0
    found = capsys.readouterr().out
    assert "revision 3, chart 1.22.0, Airflow 3.2.2" in found
    assert "Secret team-fernet" in found
    assert "take a backup" in found
    assert env.asked["verb"] == "adoption"
    env.changes = SOME
    assert command_line.main(["adopt", "prod", "--timeout", "7", "--detailed-exitcode"]) == 2
    assert env.asked["verb"] == "adopt"
    assert env.asked["timeout_seconds"] == 7


def test_refused_adoption_is_exit_code_1_with_every_reason(
    env: FakeEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.adoption_plan = replace(env.adoption_plan, refusals=("first. Fix: a", "second. Fix: b"))
    assert command_line.main(["adopt", "prod", "--dry-run", "--json"]) == 1
    found = capsys.readouterr()
    assert "2 reasons" in found.err
    assert "  second. Fix: b" in found.err
    assert json.loads(found.out)["possible"] is False


def test_status_of_a_stack_that_is_not_there_fails_and_names_the_backend(
    env: FakeEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.status_found = StackStatus(stack="prdo", exists=False)
    assert command_line.main(["status", "prdo", "--json"]) == 1
    found = capsys.readouterr()
    assert "error: there is no stack prdo in file:///state" in found.err
    assert "PULUMI_BACKEND_URL" in found.err
    assert json.loads(found.out)["exists"] is False


def test_unhealthy_stack_and_failed_check_are_exit_code_1(
    env: FakeEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.status_found = StackStatus(stack="dev", exists=True, deployed=True, cluster=BROKEN)
    assert command_line.main(["status", "dev"]) == 1
    found = capsys.readouterr()
    assert "Helm release airflow: revision 4 is pending-upgrade" in found.out
    assert "python -m automation recover dev" in found.err
    assert command_line.main(["status", "dev", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["problems"]
    no_image = WorkloadState(
        kind="Deployment", name="s", ready=0, wanted=1, unready=Unready("s: ErrImagePull", "s", cause=Cause.IMAGE)
    )
    env.status_found = replace(env.status_found, cluster=ClusterStatus(workloads=(no_image,)))
    assert command_line.main(["status", "dev"]) == 1
    told = capsys.readouterr().err
    assert "Fix: correct the image's name, tag or credentials" in told
    assert "recover" not in told
    env.verification = Verification((Check("DAG run", CheckStatus.FAILED, "broken"),))
    assert command_line.main(["verify", "dev", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


@each(
    ("arguments", "asked"),
    [
        (["up", "prod", "--plan", "plan.json"], {"verb": "up", "plan": Path("plan.json")}),
        (
            ["preview", "prod", "--save-plan", "plan.json"],
            {"verb": "preview", "save_plan": Path("plan.json"), "refresh": False},
        ),
        (["preview", "prod", "--refresh"], {"verb": "preview", "save_plan": None, "refresh": True}),
        (["roll", "prod", "3.2.2-7"], {"verb": "roll_image", "tag": "3.2.2-7"}),
        (["roll_image", "prod", "3.2.2-7"], {"verb": "roll_image", "tag": "3.2.2-7"}),
        (["refresh", "prod", "--new-cluster"], {"verb": "refresh", "new_cluster": True}),
        (
            ["destroy", "prod", "--remove", "--lock-is-stale"],
            {"verb": "destroy", "remove": True, "cluster_gone": False, "decisions": Decisions(lock_is_stale=True)},
        ),
        (["history", "prod", "--limit", "3"], {"verb": "history", "limit": 3}),
        (["verify", "prod", "--dag", "x", "--timeout", "5"], {"verb": "verify", "dag_id": "x", "timeout_seconds": 5.0}),
    ],
)
def test_arguments_reach_the_method(arguments: list[str], asked: dict[str, Any], env: FakeEnvironment) -> None:
    assert command_line.main(arguments) == 0
    assert env.asked == asked
    assert env.name == "prod"


def test_decisions_of_a_person_reach_recovery(env: FakeEnvironment) -> None:
    urn = "urn:pulumi:dev::airflow::aws:s3/bucket:Bucket::logs"
    arguments = ["--lock-is-stale", "--adopt", f"{urn}=logs-1", "--forget", "urn:pulumi:x", "--dry-run"]
    assert command_line.main(["recover", "dev", *arguments]) == 0
    assert env.asked["decisions"] == Decisions(
        lock_is_stale=True, adopt={urn: "logs-1"}, forget=frozenset({"urn:pulumi:x"})
    )


def test_dry_run_of_recovery_says_what_it_would_do(env: FakeEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    env.interrupted = True
    assert command_line.main(["recover", "dev", "--dry-run", "--detailed-exitcode"]) == 2
    assert "would forget it\nwould update dev\n" in capsys.readouterr().out
    assert env.asked["verb"] == "recovery"


def test_lock_timeout_reaches_the_library(monkeypatch: pytest.MonkeyPatch, env: FakeEnvironment) -> None:
    waited: list[float] = []
    original: Callable[..., Any] = declare.opened

    def opened(*args: Any, lock_seconds: float) -> Any:
        waited.append(lock_seconds)
        return original(*args, lock_seconds=lock_seconds)

    monkeypatch.setattr(declare, "opened", opened)
    command_line.main(["up", "dev", "--lock-timeout", "7"])
    assert waited == [7.0]


def test_people_read_tables_and_pipes_plain_lines(env: FakeEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    env.changes = SOME
    command_line.main(["preview", "dev"])
    command_line.main(["history", "dev"])
    command_line.main(["outputs", "dev"])
    text = capsys.readouterr().out
    assert "update  Release  airflow  values.images.airflow.tag\n" in text
    assert "succeeded  update  2026-01-01T00:01:00Z  3.2.2  40 same, 1 update\n" in text
    assert "api_server_port  8080\nnamespace        airflow\n" in text
    assert "updated Release airflow (3 s)\n" in text
    assert "\x1b" not in text


def test_events_have_colours_on_a_terminal_only() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for kind in EventKind:
        shown = Terminal()
        console = Console(progress=shown)
        console.event(Event(kind=kind, text="[red]x[/red]"))
        console.close()
        assert "[red]x[/red]" in shown.getvalue(), "a text, not markup"
        plain = io.StringIO()
        Console(progress=plain).event(Event(kind=kind, text="[red]x[/red]"))
        assert plain.getvalue() == "[red]x[/red]\n"


def test_declared_function_is_a_verb(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    @declare.verb("a verb of a test", declare.argument("--answer", type=int), aliases=("another",))
    def own(call: declare.Call) -> int:
        call.console.result(f"{call.args.answer} in {call.project_dir.name}")
        return 3

    monkeypatch.setattr(command_line, "VERBS", (own,))
    monkeypatch.setattr(command_line, "PROJECT_DIR", tmp_path)
    for name in ("own", "another"):
        assert command_line.main([name, "--answer", "42"]) == 3
    assert capsys.readouterr().out == f"42 in {tmp_path.name}\n" * 2


def test_verbs_have_names_of_their_own_and_a_line_of_help() -> None:
    names = [name for item in VERBS for name in (item.name, *item.aliases)]
    assert len(names) == len(set(names))
    own = {"dev", "down", "ui", "load", "env", "plan", "report", "preflight", "roll_image", "rotate"}
    assert own | {"backup", "backups", "restore", "drill", "upgrade", "rollback", "spawn", "expire"} | {
        *STACK_VERBS
    } == set(names)
    assert all(item.help and "\n" not in item.help for item in VERBS)


def test_defaults_of_the_help_are_those_of_the_library() -> None:
    (key,) = (
        argument for item in VERBS if item.name == "rotate" for argument in item.arguments if argument.flags == ("key",)
    )
    assert set(key.options["choices"]) == set(ROTATED)
    assert (declare.LOCK_SECONDS, declare.WAIT_SECONDS) == (LOCK_SECONDS, WAIT_SECONDS)
    assert report.LIMIT == markdown.LIMIT


def test_help_loads_no_engine_cluster_or_yaml() -> None:
    """It must be there at once: measured, it takes 0.15 s of a core, and a second with the engine's SDK."""
    script = (
        "import sys\nfrom automation.__main__ import parse\n"
        "for verb in sys.argv[1:]:\n"
        "    try:\n        parse([*verb.split(), '--help'])\n    except SystemExit:\n        pass\n"
        "    loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "    print(*sorted(loaded & {'pulumi', 'kubernetes', 'boto3', 'yaml', 'rich', 'settings'}), file=sys.stderr)"
    )
    verbs = ("", "up", "report")
    done = subprocess.run([sys.executable, "-c", script, *verbs], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "\n" * len(verbs)
    assert done.stdout.count("usage: python -m automation") == len(verbs)


BLOCKED = """\
import runpy, sys
sys.modules[sys.argv.pop(1)] = None
runpy.run_module("automation", run_name="__main__", alter_sys=True)
"""


def without_module(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a Python that lacks a module."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["pulumi", "yaml"])
def test_python_outside_the_virtual_environment_is_told_in_one_line(name: str) -> None:
    done = without_module(name, "preview", "prod", "--detailed-exitcode")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"no module {name}. Fix: use .venv/bin/python, which make .venv/run makes" in line


def test_missing_module_of_the_project_is_not_taken_for_that() -> None:
    done = without_module("automation.cli.dev", "preview")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert ".venv/bin/python, which" not in done.stderr
