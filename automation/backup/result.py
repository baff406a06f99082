"""What backups, restores and drills return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automation.results import Result
from automation.stages.result import DoneStage, PlannedStage
from automation.verification.result import Verification


@dataclass(frozen=True, kw_only=True)
class Backup(Result):
    """A dump on the stack's volume, or a snapshot of RDS."""

    name: str
    """A name such as `airflow-20260131T104500Z.dump`, which says when it was begun, UTC; or the snapshot's name."""
    bytes: int
    """Size of the dump, or of the storage of a snapshot's instance."""
    kind: str = "dump"
    """`dump`, or of a snapshot `manual`, `automated` or `awsbackup`."""
    taken: str = ""
    """When a snapshot was begun, ISO 8601, UTC; "" for a dump."""


@dataclass(frozen=True, kw_only=True)
class Moments(Result):
    """Moments to which a managed database can be restored, ISO 8601, UTC."""

    earliest: str
    latest: str


@dataclass(frozen=True, kw_only=True)
class BackupPlan(Result):
    """What a backup would do."""

    stack: str
    kind: str
    """`dump`, or `manual` for a snapshot of RDS."""
    place: str
    """The bucket's folder or the volume of dumps, or the instance of RDS that a snapshot would be made of."""
    newest: Backup | None
    """The newest backup of this kind, which is about as large; None if there is none."""


@dataclass(frozen=True, kw_only=True)
class DrillPlan(Result):
    """What a drill would do."""

    stack: str
    backup: str
    """Name of the backup that it would restore, or the moment."""
    into: str
    """The temporary database, or the temporary instance of RDS, that it would make and delete."""
    rpo_seconds: float
    """Age of the backup, or of the moment: what would be lost now."""


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
    """Names of the databases, or of the instances of RDS, that restores have replaced."""
    moments: Moments | None = None
    """None for a database that is not managed, or that has no automated backups."""


@dataclass(frozen=True, kw_only=True)
class DeletedDatabases(Result):
    """Databases, or instances of RDS, that restores had replaced, and that were deleted."""

    stack: str
    names: tuple[str, ...]
    final_snapshots: tuple[str, ...] = ()
    """Snapshots that were made of the instances before."""


@dataclass(frozen=True, kw_only=True)
class RestorePlan(Result):
    """What a restore would do."""

    stack: str
    backup: str
    """Name of the backup, or the moment."""
    resumed: bool
    """It was begun before, and not finished."""
    stages: tuple[PlannedStage, ...]
    old_database: str
    """Name of the present database, or of the present instance of RDS, after the restore."""
    after: str = ""
    """The older Airflow that a rollback deploys; "" if the image stays."""


@dataclass(frozen=True, kw_only=True)
class Restored(Result):
    """What a restore has done."""

    plan: RestorePlan
    stages: tuple[DoneStage, ...]
    """Without those that an earlier run had done."""
    seconds: float
    verification: Verification
    """The verification of the stack afterwards, in which no check failed."""


@dataclass(frozen=True, kw_only=True)
class Drill(Result):
    """What a drill found in a backup that it restored."""

    stack: str
    backup: str
    """Name of the backup, or the moment."""
    encrypted: int
    """Number of encrypted values that the stack's keys read."""
    unread: tuple[str, ...]
    """Names of values that another key encrypted, at most 15."""
    unread_count: int
    """Number of those."""
    broken: tuple[str, ...]
    """Names of values that no key ever encrypted, at most 15."""
    heads: tuple[str, ...]
    """Revisions of the schema."""
    at_head: bool
    """The schema is that of the stack's image; else a restore would migrate it."""
    runs: int
    """Number of DAG runs."""
    newest_run: str
    """When anything last happened to a DAG run, ISO 8601; "" if there is none."""
    rpo_seconds: float
    """Age of the backup, or of the moment, when the drill began: what would be lost now."""
    rto_seconds: float
    """How long it took to restore the database and to look at it."""

    SHOWN = ("ok",)

    @staticmethod
    def of(stack: str, backup: str, found: Mapping[str, Any], rpo_seconds: float, rto_seconds: float) -> Drill:
        """Return what a pod with `restored.py` has found."""
        return Drill(
            stack=stack,
            backup=backup,
            encrypted=int(found["read"]),
            unread=tuple(found["unread"]),
            unread_count=int(found["unread_count"]),
            broken=tuple(found["broken"]),
            heads=tuple(found["heads"]),
            at_head=bool(found["at_head"]),
            runs=int(found["runs"]),
            newest_run=str(found["newest_run"]),
            rpo_seconds=round(rpo_seconds, 1),
            rto_seconds=rto_seconds,
        )

    @property
    def ok(self) -> bool:
        """Every encrypted value can be read."""
        return self.unread_count == 0
