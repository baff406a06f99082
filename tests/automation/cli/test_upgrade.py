"""The verbs `upgrade` and `rollback`: their lines, their documents, and their exit codes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from automation.backup.result import Restored, RestorePlan
from automation.errors import BackupFailed, UpgradeRefused
from automation.results import Changes
from automation.stages.result import DoneStage, PlannedStage
from automation.upgrade.result import Upgrade, UpgradePlan
from automation.upgrade.statements import Locking
from automation.verification.result import Verification
from tests.automation.fakes import run_on

LOCK = Locking(statement="CREATE INDEX i ON dag (x)", table="dag", rows=3, lock="no writes")
PLAN = UpgradePlan(
    stack="prod",
    verb="upgrade",
    before="3.2.2",
    after="3.3.2",
    resumed=False,
    migrates=True,
    stages=(PlannedStage(text="it is tried"), PlannedStage(text="it runs", rolls=("worker",), seconds=90.0)),
    notes=("a provider is missing",),
    locks=(LOCK,),
)

RESTORE = RestorePlan(
    stack="prod",
    backup="a.dump",
    resumed=False,
    stages=(PlannedStage(text="nothing of Airflow runs"),),
    old_database="airflow_old_1",
    after="3.2.2",
)


@dataclass
class Stack:
    """A stack that was opened."""

    found: UpgradePlan = PLAN
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    backend: str = "file:///state"

    def upgrade_plan(self, *image: str | None, chart: str | None, **options: Any) -> UpgradePlan:
        self.asked.append(("plan", *image, *([chart] if chart else [])))
        return self.found

    def rollback_plan(self, *image: str | None, **options: Any) -> UpgradePlan:
        self.asked.append(("plan back", *image))
        return self.found

    def upgrade(self, *image: str, **options: Any) -> Upgrade:
        self.asked.append(("upgrade", *image, options["timeout_seconds"]))
        done = DoneStage(number=1, text="it is tried", seconds=12.0, changes=Changes({}))
        return Upgrade(plan=self.found, stages=(done,), seconds=12.4)

    def rollback(self, *image: str | None, **options: Any) -> Upgrade:
        self.asked.append(("rollback", *image, options["timeout_seconds"]))
        return Upgrade(plan=replace(self.found, verb="rollback", after="3.2.2"), stages=(), seconds=12.4)

    def rollback_restoration(self, *image: str | None, **options: Any) -> RestorePlan:
        self.asked.append(("plan to restore", *image, options["backup"]))
        return RESTORE

    def rollback_by_restore(self, *image: str | None, **options: Any) -> Restored:
        self.asked.append(("restore", *image, options["backup"], options["timeout_seconds"]))
        return Restored(plan=RESTORE, stages=(), seconds=12.4, verification=Verification(()))


def test_rollback_by_a_backup_says_both_and_takes_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    code, written = run_on(monkeypatch, stack, "rollback", "prod", "--restore", "--dry-run")
    assert (code, stack.asked) == (0, [("plan to restore", None, None, None)])
    for expected in ("would deploy Airflow 3.2.2", "would restore a.dump", "nothing of Airflow runs"):
        assert expected in written
    arguments = ("--restore", "--from", "b.dump", "--timeout", "7", "--detailed-exitcode")
    code, written = run_on(monkeypatch, stack, "rollback", "prod", *arguments)
    assert (code, stack.asked[-1]) == (2, ("restore", None, None, "b.dump", 7.0))
    assert written.startswith("prod runs Airflow 3.2.2; commit what changed\na.dump is restored and verified (12 s)")


def test_backup_without_the_option_that_uses_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    with pytest.raises(UpgradeRefused, match=r"rollback prod --restore --from b\.dump"):
        run_on(monkeypatch, stack, "rollback", "prod", "--from", "b.dump")
    with pytest.raises(BackupFailed, match=r"rollback prod --restore --from b\.dump"):
        run_on(monkeypatch, stack, "rollback", "prod", "--restore", "--from", "b.dump", "--at", "2026-01-31T10:45Z")
    assert stack.asked == []


def test_dry_run_prints_stages_notes_and_locks_and_upgrades_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    code, written = run_on(monkeypatch, stack, "upgrade", "prod", "--tag", "3.3.2", "--dry-run", "--detailed-exitcode")
    assert (code, stack.asked) == (2, [("plan", "3.3.2", "3.3.2")])
    for expected in ("from Airflow 3.2.2 to 3.3.2", "worker", "90 s", "a provider is missing", "locks a table: CREATE"):
        assert expected in written
    run_on(monkeypatch, stack, "rollback", "prod", "--dry-run")
    assert stack.asked[-1] == ("plan back", None, None)


def test_upgrade_is_done_and_its_document_has_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    code, written = run_on(monkeypatch, stack, "upgrade", "prod", "--tag", "3.3.2", "--timeout", "7")
    assert (code, written) == (0, "prod runs Airflow 3.3.2 (12 s); commit what changed\n")
    assert stack.asked == [("upgrade", "3.3.2", "3.3.2", 7.0)]
    _, written = run_on(monkeypatch, stack, "upgrade", "prod", "--tag", "3.3.2", "--json")
    assert json.loads(written)["stages"][0]["seconds"] == 12.0
    code, written = run_on(monkeypatch, stack, "rollback", "prod", "--tag", "v7", "--airflow-version", "3.2.2")
    assert (code, written) == (0, "prod runs Airflow 3.2.2 (12 s); commit what changed\n")
    assert stack.asked[-1][:3] == ("rollback", "v7", "3.2.2")


def test_version_is_that_of_the_tag_unless_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    for words, version in (
        (("--tag", "slim-3.3.2-python3.12"), "3.3.2"),
        (("--tag", "team-7", "--airflow-version", "3.3.1"), "3.3.1"),
    ):
        run_on(monkeypatch, stack, "upgrade", "prod", "--dry-run", *words)
        assert stack.asked[-1][-1] == version
    for words in (("--tag", "team-7"), ("--tag", "3.3.2", "--airflow-version", "3.3")):
        with pytest.raises(UpgradeRefused, match="the upgrade of stack prod cannot begin: one reason") as refused:
            run_on(monkeypatch, stack, "upgrade", "prod", "--dry-run", *words)
        assert "--airflow-version: expected Airflow's version" in str(refused.value)


def test_chart_alone_needs_no_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    run_on(monkeypatch, stack, "upgrade", "prod", "--chart", "1.23.0", "--dry-run")
    assert stack.asked == [("plan", None, None, "1.23.0")]


def test_refusal_is_raised_after_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(replace(PLAN, refusals=("no. Fix: do",)))
    with pytest.raises(UpgradeRefused, match="the upgrade of stack prod cannot begin: one reason"):
        run_on(monkeypatch, stack, "upgrade", "prod", "--tag", "3.3.2", "--dry-run", "--json")
