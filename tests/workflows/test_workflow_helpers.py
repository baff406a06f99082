"""The small scripts: which stacks there are, the engine's preview as Markdown, what Renovate finds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest

import versions
from tests import samples
from tests.samples import ROOT
from tests.workflows.conftest import load

stacks: Final = load("stacks")
engine_preview: Final = load("engine_preview")


# Which stacks there are


def outputs(root: Path, tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "output"
    assert stacks.main(root, {"GITHUB_OUTPUT": str(file)}) == 0
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def test_matrix_is_of_the_committed_files(tmp_path: Path) -> None:
    found = outputs(samples.ship(tmp_path), tmp_path)
    assert json.loads(found["all"]) == ["dev", "prod"]
    assert json.loads(found["deployable"]) == ["prod"]
    assert found["report"] == "dev,prod"


def test_stack_is_deployable_by_its_cluster_and_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: airflow\n")
    (tmp_path / "Pulumi.b.yaml").write_text('config:\n  "airflow:eksCluster": x\n')
    (tmp_path / "Pulumi.a.yaml").write_text("config:\n  # airflow:eksCluster: x\n  airflow:size: small\n")
    (tmp_path / "Pulumi.c.yaml").write_text("config:\n  airflow:eksCluster: # none yet\n")
    found = outputs(tmp_path, tmp_path)
    assert json.loads(found["deployable"]) == ["b"]
    assert json.loads(found["all"]) == ["a", "b", "c"]


def test_name_that_would_be_more_than_a_word_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Pulumi.$(touch x).yaml").write_text("config: {}\n")
    assert stacks.main(tmp_path, {"GITHUB_OUTPUT": str(tmp_path / "output")}) == 1
    assert "expected Pulumi.STACK.yaml" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


# The engine's preview

PROGRAM: Final = """
import pathlib, sys
print("would update Release airflow <b>")
print("preview of prod: 1 update", file=sys.stderr)
if "--save-plan" in sys.argv:
    pathlib.Path(sys.argv[sys.argv.index("--save-plan") + 1]).write_text("plan of " + sys.argv[2])
    assert pathlib.Path(sys.argv[sys.argv.index("--save-plan") + 1]).is_absolute()
if {report}:
    pathlib.Path(sys.argv[sys.argv.index("--report") + 1]).write_text("## What this change does\\n\\n| a table |\\n")
sys.exit({code})
"""


@pytest.fixture
def automation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an `automation` of its own; `code` says how it ends."""
    (tmp_path / "automation").mkdir()
    (tmp_path / "automation" / "__init__.py").touch()
    (tmp_path / "automation" / "__main__.py").write_text(PROGRAM.format(code=2, report=True))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def preview(folder: Path, *words: str) -> int:
    environ = {"GITHUB_STEP_SUMMARY": str(folder.parent / "summary"), "GITHUB_OUTPUT": str(folder.parent / "output")}
    code: int = engine_preview.main(["prod", str(folder), *words], environ)
    return code


def ends_with(automation: Path, code: int, *, report: bool = True) -> None:
    (automation / "automation" / "__main__.py").write_text(PROGRAM.format(code=code, report=report))


def test_preview_is_in_the_log_the_comment_and_the_summary(
    automation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = automation / "out"
    assert preview(folder) == 0
    markdown = (folder / "preview-prod.md").read_text()
    assert "would update Release airflow <b>" in markdown
    assert "preview of prod: 1 update" in markdown
    assert "<details><summary>" in markdown
    assert (automation / "summary").read_text() == markdown
    assert "would update Release" in capsys.readouterr().out
    assert not list(folder.glob("*.plan"))


def test_reviewers_read_the_change_report_first_and_the_log_below_it(automation: Path) -> None:
    assert preview(automation / "out") == 0
    markdown = (automation / "out" / "preview-prod.md").read_text()
    assert "\n| a table |\n" in markdown, "as Markdown"
    assert markdown.index("What this change does") < markdown.index("would update Release")
    assert markdown.count("<details") == markdown.count("</details>") == 2
    assert (automation / "out" / "report-prod.md").read_text().startswith("## What")


@pytest.mark.parametrize("left", [False, True], ids=["first run", "one is left of an earlier run"])
def test_without_a_report_the_log_stands_alone_and_it_is_said(left: bool, automation: Path) -> None:
    if left:
        assert preview(automation / "out") == 0
    ends_with(automation, 2, report=False)
    assert preview(automation / "out") == 0
    markdown = (automation / "out" / "preview-prod.md").read_text()
    assert "would update Release airflow <b>" in markdown
    assert "The change report could not be made" in markdown
    assert "a table" not in markdown


def test_what_failed_is_before_the_report_of_how_far_it_came(automation: Path) -> None:
    ends_with(automation, 1)
    assert preview(automation / "out") == 1
    markdown = (automation / "out" / "preview-prod.md").read_text()
    assert markdown.index("would update Release") < markdown.index("| a table |")


def test_no_change_needs_no_report(automation: Path) -> None:
    ends_with(automation, 0)
    assert preview(automation / "out") == 0
    assert "a table" not in (automation / "out" / "preview-prod.md").read_text()


def test_plan_is_written_beside_it(automation: Path) -> None:
    assert preview(Path("out"), "--plan") == 0
    assert (automation / "out" / "prod.plan").read_text() == "plan of prod"


@pytest.mark.parametrize(("code", "changes"), [(0, "false"), (2, "true")])
def test_step_says_whether_there_is_something_to_approve(automation: Path, code: int, changes: str) -> None:
    ends_with(automation, code)
    assert preview(automation / "out") == 0
    assert (automation / "output").read_text() == f"changes={changes}\n"


def test_preview_that_fails_fails_the_step_and_is_shown_opened(automation: Path) -> None:
    ends_with(automation, 1)
    assert preview(automation / "out") == 1
    markdown = (automation / "out" / "preview-prod.md").read_text()
    assert "<details open>" in markdown
    assert "failed" in markdown
    assert (automation / "output").read_text() == "changes=false\n"


# Renovate


def test_renovate_finds_every_pin_that_says_where_newer_ones_are() -> None:
    managers = json.loads((ROOT / ".github" / "renovate.json").read_text())["customManagers"]
    patterns = [pattern.replace("(?<", "(?P<") for manager in managers for pattern in manager["matchStrings"]]
    text = (ROOT / "versions.py").read_text()
    marks = re.findall(r"^# renovate: .* depName=(\S+)", text, re.MULTILINE)
    found = [match for pattern in patterns for match in re.finditer(pattern, text)]
    assert sorted(match["depName"] for match in found) == sorted(marks)
    node = versions.KIND_NODE_IMAGE.partition(":")[2].partition("@")[0]
    assert {match["currentValue"] for match in found} >= {versions.AIRFLOW, versions.KIND, node}


def test_renovate_leaves_the_image_s_lock_to_make_lock() -> None:
    rules = json.loads((ROOT / ".github" / "renovate.json").read_text())["packageRules"]
    assert [rule["enabled"] for rule in rules if "image/pyproject.toml" in rule.get("matchFileNames", ())] == [False]


def test_renovate_waits_for_a_week_and_pins_by_digest() -> None:
    """A stolen release is usually found and withdrawn within days."""
    config = json.loads((ROOT / ".github" / "renovate.json").read_text())
    assert config["minimumReleaseAge"] == "7 days"
    assert config["internalChecksFilter"] == "strict", "otherwise the pull request comes at once, with a pending check"
    assert not [rule for rule in config["packageRules"] if "minimumReleaseAge" in rule]
    (rule,) = [rule for rule in config["packageRules"] if rule.get("pinDigests")]
    assert set(rule["matchManagers"]) == {"dockerfile", "github-actions"}
    assert "helpers:pinGitHubActionDigestsToSemver" in config["extends"]
