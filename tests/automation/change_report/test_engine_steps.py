"""The engine's preview as a report. `recorded/` is of Pulumi 3.259: a program with a protected password, previewed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from pulumi.automation import EngineEvent

from automation.change_report.engine_events import UNKNOWN
from automation.change_report.engine_steps import preview_report
from automation.change_report.markdown import markdown
from automation.change_report.model import Category, ChangeKind, ChangeReport, ReportSource, Severity
from automation.change_report.preview_file import read_events
from automation.plan.model import RELEASE_TYPE
from tests.chart.rendering import CHART, needs_chart

_RECORDED: Final = Path(__file__).with_name("recorded")
PREVIEW: Final = read_events(_RECORDED / "preview.json")
EVENTS: Final = read_events(_RECORDED / "events.jsonl")
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET_MARK: Final = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}


@pytest.mark.parametrize(
    "events",
    [PREVIEW, EVENTS, [EngineEvent.from_json(dict(event)) for event in EVENTS]],
    ids=["preview --json", "event log", "Automation API"],
)
def test_every_form_of_a_preview_gives_the_same_steps(events: list[Any]) -> None:
    report = preview_report("dev", events)
    assert report.source is ReportSource.PREVIEW
    assert [(step.kind, step.name, step.protected) for step in report.steps] == [
        (ChangeKind.DELETE, "gone", False),
        (ChangeKind.REPLACE, "airflow-keys-jwt-secret", True),
        (ChangeKind.REPLACE, "pet", False),
        (ChangeKind.REPLACE, "kept", False),
    ]
    changes = {step.name: [(c.path, c.before, c.after, c.replaces) for c in step.changes] for step in report.steps}
    assert changes["airflow-keys-jwt-secret"] == [("length", 20, 24, True)]
    assert changes["kept"] == [("keepers.k", "x", "y", True)]
    assert ("keepers.pw", "[secret]", UNKNOWN, True) in changes["pet"]
    assert [found.category for found in report.warnings[:2]] == [Category.FAILED, Category.PROTECTED]
    assert any("unable to replace resource" in message for message in report.messages)
    assert report.head_failure is None, "what it would do is known, also where it would be refused"
    assert markdown(ChangeReport(base="a", head="b", stacks=(report,)))


def test_text_with_another_end_of_a_line_does_not_end_the_report(tmp_path: Path) -> None:
    """Go's JSON leaves U+0085 as it is. A pull request could put one into a label, and have no report."""
    event = {"diagnosticEvent": {"severity": "warning", "message": "a\x85b", "color": "never"}}
    path = tmp_path / "events.jsonl"
    recorded = (_RECORDED / "events.jsonl").read_text(encoding="utf-8")
    path.write_text(f"{recorded.rstrip()}\n{json.dumps(event, ensure_ascii=False)}\n", encoding="utf-8")
    assert read_events(path) == [*EVENTS, event]


def state(type_: str, name: str = "it", inputs: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "type": type_,
        "urn": f"urn:pulumi:dev::airflow::{type_}::{name}",
        "custom": True,
        "inputs": inputs or {},
        **more,
    }


def step(op: str, old: dict[str, Any] | None, new: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    return {"op": op, "urn": (old or new or {})["urn"], "oldState": old, "newState": new, "detailedDiff": None, **more}


def test_provider_s_own_diff_is_taken_where_there_is_one() -> None:
    type_ = "kubernetes:batch/v1:Job"
    old, new = ({"spec": {"template": {"x": n}, "parallelism": n}} for n in (1, 2))
    detailed = {"spec.template.x": {"kind": "update-replace", "inputDiff": False}, "status": {"kind": "add"}}
    report = preview_report(
        "dev", [step("replace", state(type_, inputs=old), state(type_, inputs=new), detailedDiff=detailed)]
    )
    assert [(c.path, c.before, c.after, c.replaces) for c in report.steps[0].changes] == [
        ("spec.template.x", 1, 2, True),
        ("status", None, None, False),
    ]


def test_list_that_got_shorter_is_compared_anew_and_not_by_the_provider_s_places() -> None:
    """A provider names every item after the one that is gone, because each has another place."""
    rules = [{"ports": [{"port": port}]} for port in (80, 443, 8080)]
    old, new = (
        state("kubernetes:networking.k8s.io/v1:NetworkPolicy", inputs={"spec": {"egress": found, "x": [found[0]]}})
        for found in (rules, rules[1:])
    )
    detailed = {
        "spec.egress[0].ports[0].port": {"kind": "update", "inputDiff": True},
        "spec.egress[1].ports[0].port": {"kind": "update", "inputDiff": True},
        "spec.egress[2]": {"kind": "delete-replace", "inputDiff": True},
        "spec.x[0].ports[0].port": {"kind": "update", "inputDiff": True},
    }
    (found,) = preview_report("dev", [step("update", old, new, detailedDiff=detailed)]).steps
    assert [(c.path, c.before, c.after, c.replaces) for c in found.changes] == [
        ("spec.egress[0]", rules[0], None, True),
        ("spec.x[0].ports[0].port", 80, 443, False),
    ]


def test_list_with_a_secret_is_told_by_the_provider_s_places() -> None:
    """Two secrets look alike: a comparison would not see that one became another."""
    old, new = (state("a:b:C", inputs={"x": found}) for found in ([SECRET_MARK, 1], [SECRET_MARK]))
    detailed = {"x[0]": {"kind": "update"}, "x[1]": {"kind": "delete"}}
    (found,) = preview_report("dev", [step("update", old, new, detailedDiff=detailed)]).steps
    assert [(change.path, change.after) for change in found.changes] == [("x[0]", "[secret, changed]"), ("x[1]", None)]


def test_a_change_that_only_the_state_shows_is_told() -> None:
    """Drift: the inputs are the same, and what is there is not."""
    old = state("kubernetes:core/v1:Service", inputs={}, outputs={"spec": {"type": "NodePort"}})
    new = state("kubernetes:core/v1:Service", inputs={"spec": {"type": "ClusterIP"}})
    detailed = {"spec.type": {"kind": "update", "inputDiff": False}}
    (change,) = preview_report("dev", [step("update", old, new, detailedDiff=detailed)]).steps[0].changes
    assert (change.before, change.after) == ("NodePort", "ClusterIP")


@pytest.mark.parametrize("detailed", [None, {"stringData.a": {"kind": "update-replace", "inputDiff": True}}])
def test_a_secret_that_changes_is_told_although_both_look_alike(detailed: Any) -> None:
    secret = state("kubernetes:core/v1:Secret", "airflow-keys-jwt-secret", {"stringData": {"a": SECRET_MARK}})
    found = preview_report(
        "dev",
        [
            step(
                "replace",
                secret,
                secret,
                detailedDiff=detailed,
                replaceReasons=["stringData"],
                diffReasons=["stringData"],
            )
        ],
    )
    (change,) = found.steps[0].changes
    assert (change.before, change.after, change.secret, change.replaces) == (
        "[secret]",
        "[secret, changed]",
        True,
        True,
    )


def test_steps_that_do_nothing_are_none() -> None:
    one = state("random:index/randomUuid:RandomUuid")
    report = preview_report("dev", [step(op, one, one) for op in ("same", "refresh", "read")])
    assert report.steps == ()
    assert report.unchanged == 1


@pytest.mark.parametrize("op", ["create", "import"])
def test_what_is_new_is_shown_whole(op: str) -> None:
    (found,) = preview_report("dev", [step(op, None, state("a:b:C", inputs={"x": UNKNOWN_TEXT}))]).steps
    assert found.kind is ChangeKind.CREATE
    assert [(change.path, change.after) for change in found.changes] == [("x", UNKNOWN)]


def test_a_preview_that_stopped_before_any_step_failed() -> None:
    diagnostic = {
        "diagnosticEvent": {
            "severity": "error",
            "message": "<{%reset%}>error: config of stack dev: one problem<{%reset%}>\n",
        }
    }
    failure = preview_report("dev", [diagnostic]).head_failure
    assert failure is not None
    assert failure.text == "error: config of stack dev: one problem"


def test_an_error_beside_steps_is_told_where_nothing_is_folded_or_cut() -> None:
    one = state("a:b:C", inputs={"x": "1" * 70_000})
    error = {"severity": "error", "message": "error: it cannot be\nread\n"}
    report = preview_report("dev", [step("create", None, one), error, {**error, "message": "error: second"}])
    alerts = [found for found in report.warnings if found.category is Category.FAILED]
    assert [(found.severity, found.names) for found in alerts] == [
        (Severity.DANGER, ("it cannot be read",)),
        (Severity.DANGER, ("second",)),
    ]
    comment = markdown(ChangeReport(base="a", head="b", stacks=(report,)), limit=1000)
    assert "`it cannot be read`" in comment.partition("<details>")[0]


def test_a_warning_of_the_engine_refuses_nothing() -> None:
    one = state("a:b:C")
    report = preview_report("dev", [step("create", None, one), {"severity": "warning", "message": "deprecated"}])
    assert report.warnings == ()


def test_known_secrets_are_taken_out_of_whatever_the_engine_writes() -> None:
    secret = "sentinel-database-password"
    events = [
        step("update", state("a:b:C", secret, {"x": "1"}), state("a:b:C", secret, {"x": f"in {secret}"})),
        {"severity": "warning", "message": f"it is {secret}"},
    ]
    report = preview_report("dev", events, secrets=[secret])
    text = json.dumps(ChangeReport(base="a", head="b", stacks=(report,)).to_json())
    assert secret not in text
    assert "[secret]" in text


def test_protection_and_retention_are_those_of_what_is_there() -> None:
    old = state("a:b:C", protect=True, retainOnDelete=True)
    (found,) = preview_report("dev", [step("delete", old, None)]).steps
    assert found.protected
    assert found.kept


@needs_chart
def test_objects_of_the_chart_are_compared_in_a_preview_too() -> None:
    def release(replicas: int) -> dict[str, Any]:
        values = {"scheduler": {"replicas": replicas}, "fernetKeySecretName": UNKNOWN_TEXT}
        inputs = {"name": "airflow", "namespace": UNKNOWN_TEXT, "chart": "./x.tgz", "values": values}
        return state(RELEASE_TYPE, "airflow", inputs)

    report = preview_report("dev", [step("update", release(1), release(3))], chart=CHART)
    scheduler = next(found for found in report.objects or () if found.label == "Deployment airflow-scheduler")
    changes = [(change.path, change.before, change.after) for change in scheduler.changes]
    assert ("spec.replicas", 1, 3) in changes


def test_objects_of_a_chart_that_is_not_at_hand_are_not_compared() -> None:
    report = preview_report("dev", PREVIEW)
    assert report.objects is None
    assert report.no_objects == "the chart is not at hand"


def test_a_preview_says_what_is_lost_for_certain() -> None:
    type_ = "aws:rds/instance:Instance"
    old, new = (state(type_, "database", {"dbName": name}) for name in "ab")
    report = preview_report("dev", [step("replace", old, new, replaceReasons=["dbName"], diffReasons=["dbName"])])
    lost = "Instance database is replaced, because dbName changes, and the metadata database is lost"
    assert lost in map(str, report.warnings)


def test_policies_judge_the_engine_s_steps() -> None:
    report = preview_report("dev", PREVIEW)
    assert any(found.result.rule == "stateful-kept" and found.new for found in report.policies)
    assert any(warning.severity is Severity.DANGER for warning in report.warnings)


def test_what_is_decided_is_told_as_decided() -> None:
    report = preview_report("dev", PREVIEW, decided=["airflow-keys-jwt-secret"])
    told = {found.result.subject: found for found in report.policies if found.result.rule == "stateful-kept"}
    assert [(found.result.level, found.decided) for found in told.values()] == [("advisory", True)]
    assert report.decided == ("airflow-keys-jwt-secret",)
    assert not [found for found in report.warnings if found.category is Category.POLICY]


def test_a_preview_that_failed_says_nothing_of_decisions() -> None:
    diagnostic = {"severity": "error", "message": "no such cluster"}
    assert preview_report("dev", [diagnostic], decided=["a"]).warnings == ()
