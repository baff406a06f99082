"""The verbs of backups: their lines, their documents, and their exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from automation.backup.result import (
    Backup,
    BackupDone,
    BackupPlan,
    Backups,
    DeletedDatabases,
    Drill,
    DrillPlan,
    Restored,
    RestorePlan,
)
from automation.errors import BackupFailed
from automation.stages.result import PlannedStage
from automation.verification.result import Verification
from tests.automation.fakes import run_on
from tests.cases import each

NAME = "airflow-20260101T000000Z.dump"
PLAN = RestorePlan(
    stack="prod", backup=NAME, resumed=False, stages=(PlannedStage(text="stopped"),), old_database="airflow_old_1"
)
DRILL = Drill(
    stack="prod",
    backup=NAME,
    encrypted=3,
    unread=(),
    unread_count=0,
    broken=(),
    heads=("abc",),
    at_head=True,
    runs=7,
    newest_run="2026-01-01T00:00:00+00:00",
    rpo_seconds=60.0,
    rto_seconds=12.0,
)


class Stack:
    """A stack that was opened."""

    backend = "file:///state"
    drilled = DRILL

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def backup(self, **_: Any) -> BackupDone:
        return BackupDone(stack="prod", backup=Backup(name=NAME, bytes=5_000_000), seconds=3.2)

    def backup_plan(self, *, dump: bool) -> BackupPlan:
        self.asked.append(("backup plan", dump))
        kind = "dump" if dump else "manual"
        newest = Backup(name=NAME, bytes=5_000_000) if dump else None
        return BackupPlan(stack="prod", kind=kind, place="s3://kept/dumps" if dump else "airflow-prod", newest=newest)

    def drill_plan(self, backup: str | None, *, at: Any) -> DrillPlan:
        return DrillPlan(stack="prod", backup=NAME, into="airflow_drill_1", rpo_seconds=60.0)

    def backups(self) -> Backups:
        return Backups(stack="prod", backups=(Backup(name=NAME, bytes=12),), old_databases=("airflow_old_1",))

    def restoration(self, backup: str | None, *, at: Any) -> RestorePlan:
        self.asked.append(("plan", backup, at))
        return PLAN

    def restore(self, backup: str | None, *, at: Any, timeout_seconds: float, **_: Any) -> Restored:
        self.asked.append(("restore", backup, at, timeout_seconds))
        return Restored(plan=PLAN, stages=(), seconds=99.6, verification=Verification(()))

    def delete_old_databases(self, **_: Any) -> DeletedDatabases:
        self.asked.append("delete")
        return DeletedDatabases(stack="prod", names=("airflow_old_1",))

    def drill(self, backup: str | None, *, at: Any, **_: Any) -> Drill:
        return self.drilled


def test_backup_tells_its_name_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_on(monkeypatch, Stack(), "backup", "prod") == (0, f"{NAME}: 5 MiB in 3 s\n")
    _, written = run_on(monkeypatch, Stack(), "backups", "prod")
    assert NAME in written
    assert "replaced: airflow_old_1" in written


def test_dry_runs_of_backup_and_drill_say_what_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    written = [run_on(monkeypatch, stack, "backup", "prod", "--dry-run", *words)[1] for words in ((), ("--dump",))]
    assert written == [
        "would make a snapshot of airflow-prod\nthere is none of this kind yet\n",
        f"would dump the database into s3://kept/dumps\nthe newest of this kind: {NAME}, 5 MiB\n",
    ]
    assert stack.asked == [("backup plan", False), ("backup plan", True)]
    _, drill = run_on(monkeypatch, stack, "drill", "prod", "--dry-run")
    assert drill.startswith(
        f"would restore {NAME} into the temporary airflow_drill_1, read it, and delete that\nRPO: 60"
    )


def test_restore_tells_what_it_would_do_and_what_it_left(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    _, written = run_on(monkeypatch, stack, "restore", "prod", "--dry-run", "--at", "2026-01-31T10:45")
    assert f"would restore {NAME}; the present database would stay as airflow_old_1" in written
    code, written = run_on(
        monkeypatch, stack, "restore", "prod", "--from", NAME, "--timeout", "7", "--detailed-exitcode"
    )
    assert (code, "python -m automation restore prod --delete-old" in written) == (2, True)
    assert stack.asked == [
        ("plan", None, datetime(2026, 1, 31, 10, 45, tzinfo=UTC)),
        ("restore", NAME, None, 7.0),
    ]
    assert run_on(monkeypatch, stack, "restore", "prod", "--delete-old") == (0, "deleted: airflow_old_1\n")


def test_dry_run_of_a_deletion_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    words = ("restore", "prod", "--delete-old", "--dry-run")
    assert run_on(monkeypatch, stack, *words) == (0, "would delete: airflow_old_1\n")
    assert json.loads(run_on(monkeypatch, stack, *words, "--json")[1])["names"] == ["airflow_old_1"]
    assert stack.asked == []


@each(
    "words, expected",
    [
        (("restore", "prod", "--from", NAME, "--at", "2026-01-31"), "--at: expected nothing beside --from"),
        (("drill", "prod", "--from", NAME, "--at", "2026-01-31"), "--at: expected nothing beside --from"),
        (("restore", "prod", "--delete-old", "--from", NAME), "--delete-old: expected neither --from nor --at"),
    ],
)
def test_choice_that_would_be_ignored_is_refused(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], expected: str
) -> None:
    stack = Stack()
    with pytest.raises(BackupFailed, match=expected):
        run_on(monkeypatch, stack, *words)
    assert stack.asked == []


def test_drill_tells_rpo_and_rto_and_fails_where_a_value_needs_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    code, written = run_on(monkeypatch, stack, "drill", "prod")
    assert code == 0
    assert "RPO: 60 s" in written
    assert "RTO: 12 s" in written
    stack.drilled = replace(DRILL, unread=("connection lost (password)",), unread_count=3)
    with pytest.raises(BackupFailed, match=r"connection lost \(password\) and 2 more"):
        run_on(monkeypatch, stack, "drill", "prod")
    with pytest.raises(BackupFailed):
        run_on(monkeypatch, stack, "drill", "prod", "--json")


def test_document_of_a_drill_says_whether_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    _, written = run_on(monkeypatch, Stack(), "drill", "prod", "--json")
    assert json.loads(written)["ok"] is True


def test_time_that_is_none_is_a_wrong_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        run_on(monkeypatch, Stack(), "restore", "prod", "--at", "yesterday")
