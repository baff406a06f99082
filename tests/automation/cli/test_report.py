"""The verb `report`: folders and commits, files that it writes, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from automation.change_report import two_checkouts
from automation.change_report.checkout import Checkout, RevisionUnknown, checkout
from automation.change_report.markdown import MARKER
from automation.cli.report import NothingToReport
from automation.errors import FileInvalid, StackUnknown
from automation.plan.model import Failure, FailureKind, Plan, PlannedResource, PolicyResult
from automation.results import Changes, Preview
from automation.results import Step as LibraryStep
from policy.model import Level
from tests.automation.fakes import run_verb
from tests.cases import each

RECORDED = Path(__file__).parents[1] / "change_report" / "recorded"


def run(project: Path, *words: str) -> tuple[int, str]:
    return run_verb(project, "report", *words)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is planned, by folder and stack: a file `resources` there has a name a line."""
    asked: list[tuple[str, str]] = []

    def plan(folder: Path, stack: str, *, render: bool, key: bytes) -> Plan:
        assert key
        asked.append((folder.name, stack))
        names = (folder / "resources").read_text().split()
        if "broken" in names:
            return Plan(stack=stack, failure=Failure(kind=FailureKind.SYNTAX, text="a.py:1: invalid syntax"))
        found = [PlannedResource(urn=f"urn::{n}", type="a:b:C", name=n, component=False, inputs={}) for n in names]
        broken = [
            PolicyResult(rule=f"rule-{n}", level=n, subject="it", message="wrong") for n in names if n in [*Level]
        ]
        return Plan(stack=stack, resources=tuple(found), policies=tuple(broken), objects=() if render else None)

    monkeypatch.setattr(two_checkouts, "plan_checkout", plan)
    return asked


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits of a program in a folder of a repository, and a hook that must not run."""
    root = tmp_path / "repository"
    project = root / "program"
    project.mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch", "main")
    for names in ("one", "one two"):
        for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"):
            (project / name).write_text("name: airflow\n")
        (project / "resources").write_text(names)
        git(root, "add", ".")
        git(root, "commit", "--quiet", "--message", names)
    hook = root / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\n")
    hook.chmod(0o755)
    return project


def folder(path: Path, names: str) -> Path:
    path.mkdir()
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (path / name).write_text("name: airflow\n")
    (path / "resources").write_text(names)
    return path


# Checkouts


def test_a_commit_is_checked_out_beside_the_repository_and_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD^")
    with checkout("main^", repository) as found:
        assert (found.folder / "resources").read_text() == "one"
        assert not found.folder.is_relative_to(repository)
        assert found.label == f"main^ ({commit[:12]})"
        kept = found.folder
    assert not kept.exists()
    assert git(repository, "worktree", "list").count("\n") == 0
    assert git(repository, "status", "--porcelain") == ""
    assert not (tmp_path / "hook-ran").exists()


def test_a_worktree_goes_also_where_something_fails(repository: Path) -> None:
    with pytest.raises(ValueError, match="in it"), checkout("HEAD", repository):
        raise ValueError("in it")
    assert git(repository, "worktree", "list").count("\n") == 0


def test_a_folder_is_taken_as_it_is(tmp_path: Path, repository: Path) -> None:
    with checkout(str(folder(tmp_path / "base", "")), repository) as found:
        assert found == Checkout(tmp_path / "base", "base")


@pytest.mark.parametrize("revision", ["no-such-branch", "--upload-pack=x", "", "HEAD:resources"])
def test_what_is_neither_is_refused(revision: str, repository: Path) -> None:
    with pytest.raises(RevisionUnknown, match="neither a folder"), checkout(revision, repository):
        raise AssertionError("expected a refusal")


# The verb


def test_report_of_two_commits(repository: Path, tmp_path: Path, planned: list[tuple[str, str]]) -> None:
    files = {name: tmp_path / name for name in ("comment.md", "whole.md", "report.json")}
    code, output = run(
        repository,
        *("--base", "HEAD^", "--head", "HEAD", "--stacks", "dev, prod", "--link", "https://ci.test/1"),
        *(
            "--markdown",
            str(files["comment.md"]),
            "--whole",
            str(files["whole.md"]),
            "--json",
            str(files["report.json"]),
        ),
    )
    assert (code, output) == (0, "")
    assert sorted({stack for _, stack in planned}) == ["dev", "prod"]
    assert files["comment.md"].read_text().startswith(MARKER)
    assert files["comment.md"].read_text() == files["whole.md"].read_text()
    document = json.loads(files["report.json"].read_text())
    assert [(stack["stack"], stack["counts"]["create"]) for stack in document["stacks"]] == [("dev", 1), ("prod", 1)]
    assert document["base"].startswith("HEAD^ (")


def test_report_goes_to_the_output_where_no_file_is_named(tmp_path: Path, planned: list[tuple[str, str]]) -> None:
    base, head = folder(tmp_path / "base", "a"), folder(tmp_path / "head", "a b")
    code, output = run(tmp_path, "--base", str(base), "--head", str(head), "--stacks", "dev")
    assert code == 0
    assert output.startswith(MARKER)
    assert str(tmp_path) not in output


@pytest.mark.parametrize(("base", "head", "code"), [("a", "broken", 1), ("broken", "a", 0), ("broken", "broken", 1)])
def test_exit_code_is_of_what_shall_be(base: str, head: str, code: int, tmp_path: Path, planned: object) -> None:
    sides = [folder(tmp_path / name, names) for name, names in (("base", base), ("head", head))]
    file = tmp_path / "comment.md"
    found, output = run(
        tmp_path, "--base", str(sides[0]), "--head", str(sides[1]), "--stacks", "dev", "--markdown", str(file)
    )
    assert found == code
    assert ("cannot be planned" in output) is bool(code)
    assert "a.py:1: invalid syntax" in file.read_text(), "the report is there all the same"


@pytest.mark.parametrize(
    ("base", "head", "code"),
    [("a", "mandatory", 1), ("a", "advisory", 0), ("mandatory", "mandatory", 0), ("mandatory", "a", 0)],
)
def test_exit_code_is_of_mandatory_policies_that_the_change_breaks(
    base: str, head: str, code: int, tmp_path: Path, planned: object
) -> None:
    sides = [folder(tmp_path / name, names) for name, names in (("base", base), ("head", head))]
    words = ["--base", str(sides[0]), "--head", str(sides[1]), "--stacks", "dev", "--json", str(tmp_path / "all.json")]
    found, output = run(tmp_path, *words)
    assert found == code
    assert ("dev: this change breaks mandatory policies (docs/policy.md): rule-mandatory" in output) is bool(code)
    assert (tmp_path / "all.json").is_file(), "the report is there all the same"


def test_report_of_an_engine_s_preview_alone(tmp_path: Path) -> None:
    code, output = run(tmp_path, "--preview", f"dev={RECORDED / 'preview.json'}")
    assert code == 1
    assert "dev: the engine's preview failed" in output
    assert "`what is deployed` → `this program`" in output
    assert "`dev`, as it is deployed" in output


@pytest.mark.parametrize(
    "words", [[], ["--base", "a"], ["--base", "a", "--head", "b"], ["--stacks", "dev", "--preview", "dev=x"]]
)
def test_half_a_command_line_is_refused(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(NothingToReport, match="--base, --head and --stacks"):
        run(tmp_path, *words)


@each(
    "words",
    [["--limit", "10"], ["--limit", "x"], ["--link", "http://ci.test"], ["--preview", "dev"], ["--preview", "=x"]],
)
def test_wrong_arguments_are_usage(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        run(tmp_path, "--base", "a", "--head", "b", "--stacks", "dev", *words)
    assert error.value.code == 2
    assert "expected" in capsys.readouterr().err


def test_stack_names_are_checked_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(StackUnknown):
        run(tmp_path, "--base", "a", "--head", "b", "--stacks", "a b")


_URN = "urn:pulumi:dev::airflow::aws:rds/instance:Instance::airflow-postgres"
_STATE = {"urn": _URN, "type": "aws:rds/instance:Instance", "custom": True}
_SAME = {"op": "same", "urn": _URN, "oldState": _STATE, "newState": _STATE}
_OF_THE_LIBRARY = Preview(
    stack="dev",
    changes=Changes(counts={"replace": 1}),
    steps=(LibraryStep(operation="replace", type="aws:rds/instance:Instance", name="airflow-postgres", urn=_URN),),
).to_json()


def preview(path: Path, *documents: Any) -> str:
    """A file with a document, or with an event a line, as an argument."""
    path.write_text("\n".join(map(json.dumps, documents)))
    return f"dev={path}"


@each(
    ("document", "said"),
    [
        (_OF_THE_LIBRARY, "it is that of this command line's `preview --json`"),
        ({**_OF_THE_LIBRARY, "steps": []}, "it is that of this command line's `preview --json`"),
        ({"steps": _OF_THE_LIBRARY["steps"], "changeSummary": {"replace": 1}}, "`op`"),
        ({"error": {"kind": "StackLocked"}}, "found none"),
        ({}, "found none"),
        ([], "found none"),
        ([1], "found something else"),
        ({"config": {}, "steps": []}, "found none"),
        ({"steps": [{**_SAME, "op": "swap"}]}, "found 'swap'"),
        ({"steps": [{**_SAME, "op": "sentinel value"}]}, "found something else"),
        ({"steps": [{"op": "replace", "urn": _URN}]}, "found one without"),
        ({"steps": [_SAME], "changeSummary": {"same": 40}}, "39 resources that do not change are left out"),
    ],
)
def test_what_is_no_whole_preview_of_the_engine_is_not_taken_for_no_change(
    document: Any, said: str, tmp_path: Path
) -> None:
    """Seen: a replaced database, and an error, told as "No change"; and a laptop's stack judged as production."""
    with pytest.raises(FileInvalid, match=re.escape(said)) as error:
        run(tmp_path, "--preview", preview(tmp_path / "preview.json", document))
    assert "pulumi preview --json --show-sames" in error.value.remedy
    assert "sentinel" not in str(error.value)


@pytest.mark.parametrize(
    "documents",
    [
        [{"changeSummary": {}}],
        [{"steps": [_SAME], "changeSummary": {"same": 1}}],
        [{"resourcePreEvent": {"metadata": {**_SAME}}}, {"summaryEvent": {"resourceChanges": {"same": 1}}}],
        [{"steps": [{**_SAME, "op": "refresh"}, _SAME]}],
    ],
)
def test_a_preview_in_which_nothing_changes_says_so(documents: list[Any], tmp_path: Path) -> None:
    code, output = run(tmp_path, "--preview", preview(tmp_path / "preview.json", *documents))
    assert code == 0
    assert "No change for `dev`" in output


def test_a_stack_that_is_in_neither_commit_is_no_stack_that_is_removed(repository: Path, planned: object) -> None:
    words = ["--base", "HEAD^", "--head", "HEAD", "--stacks"]
    with pytest.raises(StackUnknown, match=r"no Pulumi\.nope\.yaml in base or head; there are: dev, prod\."):
        run(repository, *words, "dev,nope")
    assert planned == []
    (repository / "Pulumi.prod.yaml").unlink()
    git(repository, "commit", "--quiet", "--all", "--message", "prod goes")
    assert run(repository, *words, "dev,prod")[0] == 0


@pytest.mark.parametrize("content", ["sentinel no JSON", '{"a": 1}\nsentinel'])
def test_a_file_that_is_no_preview_is_refused_without_quoting_it(content: str, tmp_path: Path) -> None:
    (tmp_path / "preview.json").write_text(content)
    with pytest.raises(FileInvalid) as error:
        run(tmp_path, "--preview", f"dev={tmp_path / 'preview.json'}")
    assert "sentinel" not in str(error.value)


# Decisions


def test_a_preview_takes_the_decisions_of_its_program_and_its_stack(tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    decided = tmp_path / "policy" / "decided.txt"
    recorded = json.loads((RECORDED / "preview.json").read_text())
    argument = preview(tmp_path / "preview.json", {**recorded, "diagnostics": []})
    found = []
    for stack in ("prod", "dev"):
        decided.write_text(f"{stack} airflow-keys-jwt-secret\n")
        code, output = run(tmp_path, "--preview", argument, "--markdown", "-", "--json", str(tmp_path / "report.json"))
        assert code == (0 if stack == "dev" else 1)
        assert ("decides" in output) is (stack == "dev")
        document = json.loads((tmp_path / "report.json").read_text())
        found.append({item["result"]["level"] for item in document["stacks"][0]["policies"] if item["new"]})
    assert found == [{"mandatory"}, {"advisory"}]


def test_a_list_of_decisions_that_says_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "decided.txt").write_text("airflow-keys-jwt-secret\n")
    with pytest.raises(FileInvalid, match=r"policy/decided\.txt:1: expected a stack"):
        run(tmp_path, "--preview", f"dev={RECORDED / 'preview.json'}")
