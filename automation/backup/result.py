"""What backups, restores and drills return."""

from __future__ import annotations

from dataclasses import dataclass

from automation.results import Result
from automation.stages.result import DoneStage, PlannedStage
from automation.verification.result import Verification


@dataclass(frozen=True, kw_only=True)
class Backup(Result):
    """A backup on the stack's volume."""

    name: str
    """Such as `airflow-20260131T104500Z.dump`: when it was begun, UTC."""
    bytes: int
    """Its size."""


@dataclass(frozen=True, kw_only=True)
class BackupDone(Result):
    """A backup that was made."""

    stack: str
    backup: Backup
    seconds: float
    """How long it took."""


@dataclass(frozen=True, kw_only=True)
class Backups(Result):
    """The backups of a stack, and what earlier restores left."""

    stack: str
    backups: tuple[Backup, ...]
    """The newest first."""
    old_databases: tuple[str, ...] = ()
    """Names of the databases that restores have replaced."""


@dataclass(frozen=True, kw_only=True)
class DeletedDatabases(Result):
    """Databases that restores had replaced, and that were deleted."""

    stack: str
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RestorePlan(Result):
    """What a restore would do."""

    stack: str
    backup: str
    """Name of the backup."""
    resumed: bool
    """It was begun before, and not finished."""
    stages: tuple[PlannedStage, ...]
    old_database: str
    """What the present database is called afterwards."""


@dataclass(frozen=True, kw_only=True)
class Restored(Result):
    """What a restore has done."""

    plan: RestorePlan
    stages: tuple[DoneStage, ...]
    """Without those that an earlier run had done."""
    seconds: float
    verification: Verification
    """Of the stack afterwards. No check failed."""


@dataclass(frozen=True, kw_only=True)
class Drill(Result):
    """What a drill found in a backup that it restored."""

    stack: str
    backup: str
    """Name of the backup."""
    encrypted: int
    """Number of encrypted values that the stack's keys read."""
    unread: tuple[str, ...]
    """Names of those that another key encrypted, at most 15."""
    unread_count: int
    """Number of those."""
    broken: tuple[str, ...]
    """Names of those that no key ever encrypted, at most 15."""
    heads: tuple[str, ...]
    """Revisions of the schema."""
    at_head: bool
    """The schema is that of the stack's image; else a restore would migrate it."""
    runs: int
    """Number of DAG runs."""
    newest_run: str
    """When anything last happened to a DAG run, ISO 8601; "" if there is none."""
    rpo_seconds: float
    """Age of the backup when the drill began: what would be lost now."""
    rto_seconds: float
    """How long it took to restore the database and to look at it."""

    SHOWN = ("ok",)

    @property
    def ok(self) -> bool:
        """Every encrypted value can be read."""
        return self.unread_count == 0
