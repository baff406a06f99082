"""What a reviewer gets for the changes that matter, word for word. The whole program runs, before and after each.

After a deliberate change of the report or of the program, write the files anew, with AIRFLOW_WRITE_GOLDEN=1 in the
environment, and read their diff.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from automation.change_report.compare import compare_plans
from automation.change_report.markdown import LIMIT, MARKER, markdown
from automation.change_report.model import Category, ChangeKind, ChangeReport, Severity, StackReport
from automation.cli.report import report_json
from automation.plan.model import FailureKind, Plan, PlannedResource
from tests.automation.checkouts import OTHER_SECURE, SECURE, another_chart, edit
from tests.chart.rendering import needs_chart
from tests.samples import ROOT

if TYPE_CHECKING:
    from tests.automation.checkouts import Checkouts

_GOLDEN: Final = Path(__file__).with_name("golden")
_PAGE: Final = ROOT / "docs" / "change-report.md"
_WRITE: Final = bool(os.environ.get("AIRFLOW_WRITE_GOLDEN"))

INJECTION: Final = "x</summary></details> | `` @team #1 [click](https://evil.test) <img src=//evil.test> \u202e\\"


def _prod(before: str, after: str) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "Pulumi.prod.yaml", before, after)


def _decided(folder: Path) -> None:
    """Another JWT secret, and somebody says that it is meant."""
    edit(folder / "Pulumi.prod.yaml", SECURE, OTHER_SECURE)
    (folder / "policy" / "decided.txt").write_text("prod airflow-keys-jwt-secret\n")


def _fork(folder: Path) -> None:
    """What comes from a fork may hold anything, and there are no secrets to plan it with."""
    edit(folder / "Pulumi.yaml", "default: 3.2.2\n    description: Tag", "default: 3.2.2-build-2\n    description: Tag")
    annotations = json.dumps({"scheduler": {"podAnnotations": {"example.com/owner": INJECTION}}})
    edit(folder / "Pulumi.prod.yaml", "config:\n", f"config:\n  airflow:helmValues: {annotations}\n")


CASES: Final[Mapping[str, tuple[str, Callable[[Path], None]]]] = {
    "image-tag": (
        "prod",
        lambda folder: edit(
            folder / "Pulumi.yaml",
            "default: 3.2.2\n    description: Tag",
            "default: 3.2.2-build-2\n    description: Tag",
        ),
    ),
    "chart-version": ("prod", another_chart),
    "replicas": ("prod", _prod("schedulerReplicas: 2", "schedulerReplicas: 3")),
    "key-rotation": ("prod", _prod(SECURE, OTHER_SECURE)),
    "key-rotation-decided": ("prod", _decided),
    "database-class": (
        "prod",
        _prod("config:\n", "config:\n  airflow:databaseInstanceClass: db.m7g.xlarge\n"),
    ),
    "redis-volume": (
        "prod",
        _prod("config:\n", 'config:\n  airflow:helmValues: {"redis": {"persistence": {"size": "3Gi"}}}\n'),
    ),
    "deleted-component": ("prod", _prod("config:\n", "config:\n  airflow:networkIsolation: 'off'\n")),
    "syntax-error": (
        "dev",
        lambda folder: edit(
            folder / "components" / "chart_values" / "values.py", "def airflow_values(", "def airflow_values(("
        ),
    ),
    "fork": ("prod", _fork),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def report(case: str, base: Path, checkouts: Checkouts) -> StackReport:
    return _report(case, base, checkouts)


_HEADS: Final[dict[str, Path]] = {}


def _report(case: str, base: Path, checkouts: Checkouts) -> StackReport:
    stack, _ = CASES[case]
    report = compare_plans(checkouts.plan(base, stack), checkouts.plan(_head(case, checkouts), stack))
    # Whether a version still gets fixes depends on the day.
    return replace(report, messages=tuple(text for text in report.messages if "had no fixes" not in text))


def _head(case: str, checkouts: Checkouts) -> Path:
    if case not in _HEADS:
        _HEADS[case] = checkouts.make(case, CASES[case][1])
    return _HEADS[case]


def _whole(stack: StackReport) -> ChangeReport:
    return ChangeReport(base="main", head="a branch", stacks=(stack,))


def _stable(text: str) -> str:
    """Without what another version of the program changes in every report: counts, made-up endings, checksums."""
    known: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        return known.setdefault(match[0], f"-{len(known) + 1:08}")

    text = re.sub(r"\b\d+ unchanged", "N unchanged", text)
    text = re.sub(r"(?<=values\.py:)\d+: .*", "LINE: MESSAGE", text)  # as this version of Python says it
    text = re.sub(r"(?<=[a-z])-[0-9a-f]{8}\b", numbered, text)
    return re.sub(r"^([-+])[0-9a-f]{12}…$", r"\1CHECKSUM", text, flags=re.MULTILINE)


@needs_chart
def test_report_is_the_golden_one(case: str, report: StackReport) -> None:
    path = _GOLDEN / f"{case}.md"
    found = _stable(markdown(_whole(report), limit=None))
    if _WRITE:
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@needs_chart
def test_comment_fits_and_is_one_and_the_same(case: str, report: StackReport) -> None:
    comment = markdown(_whole(report), link="https://ci.test/report")
    assert comment.startswith(f"{MARKER}\n")
    assert len(comment) <= LIMIT
    assert comment == markdown(_whole(report), link="https://ci.test/report")
    document = json.loads(report_json(_whole(report)))
    assert document["stacks"][0]["stack"] == report.stack
    assert [found["sentence"] for found in document["stacks"][0]["warnings"]] == [*map(str, report.warnings)]


def _categories(report: StackReport, severity: Severity) -> set[Category]:
    return {found.category for found in report.warnings if found.severity is severity}


@needs_chart
def test_image_tag_rolls_what_runs_the_image(base: Path, checkouts: Checkouts) -> None:
    report = _report("image-tag", base, checkouts)
    assert {(step.kind, step.name) for step in report.steps} == {
        (ChangeKind.REPLACE, "airflow-database-migrate"),
        (ChangeKind.UPDATE, "airflow"),
    }
    components = {"api-server", "dag-processor", "scheduler", "triggerer", "worker"}
    assert {roll.component for roll in report.rolls} == components
    assert any("airflow db migrate" in str(found) for found in report.warnings)


@needs_chart
def test_chart_version_is_told_with_the_objects_that_it_changes(base: Path, checkouts: Checkouts) -> None:
    report = _report("chart-version", base, checkouts)
    assert Category.CHART in _categories(report, Severity.WARNING)
    assert report.objects
    assert any(
        change.path.endswith("labels.newer")
        for found in report.objects
        for change in found.changes
        if found.label == "Deployment airflow-statsd"
    )
    assert {"redis", "statsd"} <= {roll.component for roll in report.rolls}
    [refused] = [str(found) for found in report.warnings if "Kubernetes never changes" in str(found)]
    assert "StatefulSet airflow-redis: Kubernetes never changes spec.selector" in refused


@needs_chart
def test_replicas_show_what_follows_from_them(base: Path, checkouts: Checkouts) -> None:
    """More schedulers connect more often: PgBouncer's limits follow, and its pods roll."""
    report = _report("replicas", base, checkouts)
    assert [roll.component for roll in report.rolls] == ["pgbouncer"]
    scheduler = next(found for found in report.objects or () if found.label == "Deployment airflow-scheduler")
    assert [(change.path, change.before, change.after) for change in scheduler.changes] == [("spec.replicas", 2, 3)]


@needs_chart
def test_key_rotation_says_what_it_costs_and_shows_no_key(base: Path, checkouts: Checkouts) -> None:
    report = _report("key-rotation", base, checkouts)
    assert Category.KEYS in _categories(report, Severity.WARNING)
    sentence = next(str(found) for found in report.warnings if found.category is Category.KEYS)
    assert "tasks that run fail" in sentence
    assert "a plan cannot see" in sentence
    secret = next(step for step in report.steps if step.name == "airflow-keys-jwt-secret")
    assert [(change.path, change.before, change.after) for change in secret.changes] == [
        ("stringData.jwt-secret", "[secret]", "[secret, changed]")
    ]


@needs_chart
def test_a_key_rotation_that_is_decided_differs_in_the_decision_alone(base: Path, checkouts: Checkouts) -> None:
    """So that what it costs is told all the same."""
    accident, decided = (_report(case, base, checkouts) for case in ("key-rotation", "key-rotation-decided"))
    assert decided.steps == accident.steps
    assert decided.warnings == accident.warnings
    assert [found.result.level for found in accident.policies if found.new] == ["mandatory"]
    assert [(found.result.level, found.decided) for found in decided.policies if found.new] == [("advisory", True)]


@needs_chart
def test_database_class_says_when_and_how_long(base: Path, checkouts: Checkouts) -> None:
    report = _report("database-class", base, checkouts)
    sentence = next(str(found) for found in report.warnings if found.category is Category.DATABASE)
    assert "db.m7g.large to db.m7g.xlarge" in sentence
    assert "failover" in sentence
    assert "next maintenance window" in sentence


@needs_chart
def test_volume_of_the_chart_that_kubernetes_lets_nobody_change_is_told(base: Path, checkouts: Checkouts) -> None:
    report = _report("redis-volume", base, checkouts)
    assert [(found.label, found.refused) for found in report.objects or () if found.refused] == [
        ("StatefulSet airflow-redis", ("spec.volumeClaimTemplates",))
    ]
    assert Category.REFUSED in _categories(report, Severity.DANGER)


@needs_chart
def test_deleted_component_is_told_before_what_it_owned(base: Path, checkouts: Checkouts) -> None:
    report = _report("deleted-component", base, checkouts)
    assert report.steps[0].component
    assert report.steps[0].kind is ChangeKind.DELETE
    assert {Category.DELETE, Category.ISOLATION} <= _categories(report, Severity.WARNING)


def test_syntax_error_is_a_result(checkouts: Checkouts) -> None:
    before = PlannedResource(urn="u", type="t", name="n", component=False, inputs={})
    head = checkouts.plan(_head("syntax-error", checkouts), "dev")
    report = compare_plans(Plan(stack="dev", resources=(before,)), head)
    assert report.head_failure is not None
    assert report.head_failure.kind is FailureKind.SYNTAX
    assert re.match(r"components/chart_values/values\.py:\d+: ", report.head_failure.text)
    assert report.steps == ()


@needs_chart
def test_fork_is_planned_without_its_secrets_and_cannot_write_markdown(base: Path, checkouts: Checkouts) -> None:
    report = _report("fork", base, checkouts)
    assert report.head_failure is None
    assert set(report.placeholders) == {
        "airflow:gitSshPrivateKey (not in the stack's file)",
        "airflow:jwtSecret (encrypted in the stack's file)",
    }
    tokens = _inline_tokens(markdown(_whole(report)))
    kinds = {token.type for token in tokens}
    assert "link_open" not in kinds
    assert "image" not in kinds
    html = [token.content for token in tokens if token.type.startswith("html")]
    assert not [text for text in html if "img" in text or "evil" in text]
    # What is open is closed, and by us alone.
    assert sum(text.count("<details>") for text in html) == sum(text.count("</details>") for text in html) == 1


def _inline_tokens(text: str) -> list[Token]:
    parsed = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    return [child for token in parsed for child in (token, *(token.children or ()))]


def test_page_shows_a_report_as_a_reviewer_sees_it() -> None:
    report = (_GOLDEN / "image-tag.md").read_text(encoding="utf-8").removeprefix(f"{MARKER}\n").strip()
    quoted = "\n".join(f"> {line}".rstrip() for line in report.splitlines())
    text = _PAGE.read_text(encoding="utf-8")
    if _WRITE:
        text = re.sub(r"^>.*\n(>.*\n)*", lambda _: f"{quoted}\n", text, count=1, flags=re.MULTILINE)
        _PAGE.write_text(text, encoding="utf-8")
    assert f"\n\n{quoted}\n\n" in text
