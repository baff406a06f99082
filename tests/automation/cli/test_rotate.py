"""The verb `rotate`: its lines, its document, and its exit codes."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from automation.errors import FileUnusable, RotationRefused
from automation.results import Changes
from automation.rotation.result import Rotation, RotationPlan
from automation.stages.result import DoneStage, PlannedStage
from components.kube.secret import Secret
from tests.automation.fakes import run_on

PLAN = RotationPlan(
    stack="prod",
    key="fernet",
    resumed=False,
    stages=(
        PlannedStage(text="every pod can read", rolls=("api-server", "scheduler"), seconds=90.0, done=True),
        PlannedStage(text="values are encrypted"),
        PlannedStage(text="the old one is gone", rolls=("scheduler",), seconds=90.4),
    ),
)


@dataclass
class Stack:
    """A stack that was opened."""

    plan: RotationPlan = PLAN
    asked: list[str] = field(default_factory=list)
    backend: str = "file:///state"
    given: Secret | None = None

    def rotation(self, key: str, *, given: Secret | None) -> RotationPlan:
        self.asked.append(f"plan {key}")
        self.given = given
        return self.plan

    def rotate(self, key: str, **options: Any) -> Rotation:
        self.asked.append(f"rotate {key} {options['timeout_seconds']:.0f}")
        self.given = options["given"]
        done = DoneStage(number=1, text="every pod can read", seconds=12.0, changes=Changes({"update": 1}))
        return Rotation(plan=self.plan, stages=(done,), seconds=12.4)


def test_dry_run_prints_stages_rolls_and_waits_and_rotates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    code, written = run_on(monkeypatch, stack, "rotate", "fernet", "prod", "--dry-run", "--detailed-exitcode")
    lines = [line.split() for line in written.splitlines()]
    assert (code, stack.asked) == (2, ["plan fernet"])
    assert lines[0][0] == "1"
    assert "api-server, scheduler" in written.splitlines()[0]
    assert [line[-1] for line in lines] == ["done", "unknown", "s"]
    assert "nothing" in lines[1]


def test_value_that_others_make_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("sentinel-login")
    for words in ((), ("--dry-run",)):
        stack = Stack()
        _, written = run_on(monkeypatch, stack, "rotate", "registry", "prod", "--from", str(file), *words)
        assert stack.given == Secret("sentinel-login")
        assert "sentinel" not in written
    stack = Stack()
    with pytest.raises(
        FileUnusable, match=r"nothing: No such file or directory\. Fix: it does not exist; name another"
    ):
        run_on(monkeypatch, stack, "rotate", "registry", "prod", "--from", str(tmp_path / "nothing"))
    assert stack.asked == []


def test_rotation_that_goes_on_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    _, written = run_on(monkeypatch, Stack(replace(PLAN, resumed=True)), "rotate", "fernet", "prod", "--dry-run")
    assert written.startswith("was begun before, and would be continued")


def test_rotation_is_done_and_its_document_has_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    code, written = run_on(monkeypatch, stack, "rotate", "fernet", "prod", "--timeout", "7")
    assert (code, written) == (0, "fernet of prod is rotated (12 s); commit what changed\n")
    assert stack.asked == ["rotate fernet 7"]
    _, written = run_on(monkeypatch, stack, "rotate", "fernet", "prod", "--json")
    assert json.loads(written)["stages"][0]["seconds"] == 12.0


def test_refusal_is_raised_after_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(replace(PLAN, refusals=("no. Fix: do",)))
    with pytest.raises(RotationRefused, match="fernet of stack prod cannot be rotated: one reason"):
        run_on(monkeypatch, stack, "rotate", "fernet", "prod", "--dry-run", "--json")


def test_key_that_is_not_known_is_a_wrong_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        run_on(monkeypatch, Stack(), "rotate", "nonsense", "prod")


def test_value_that_others_make_comes_from_the_input_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    monkeypatch.setattr("sys.stdin", io.StringIO("role:sentinel-login\n"))
    _, written = run_on(monkeypatch, stack, "rotate", "database-password", "prod", "--from", "-")
    assert stack.given == Secret("role:sentinel-login\n")
    assert "sentinel" not in written
