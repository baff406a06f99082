"""Chooses what a verb works with: snapshots of RDS for a managed database, dumps for every other one.

A managed database can have dumps too, where `airflow:backupStore` says: with `backup --dump`, and where the name of a
dump is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import outputs
from automation.backup import backup as dumps
from automation.backup import restore as dump_restore
from automation.backup.jobs import deployed_outputs
from automation.backup.restoring import RestoreOrder
from automation.backup.result import (
    BackupDone,
    BackupPlan,
    Backups,
    DeletedDatabases,
    Drill,
    DrillPlan,
    Restored,
    RestorePlan,
)
from automation.engine.events import OnEvent, ignore
from automation.errors import BackupFailed
from automation.snapshots import backup as snapshots
from automation.snapshots import drill as snapshot_drill
from automation.snapshots import restore as snapshot_restore
from automation.stacks.config import Keep
from automation.stacks.session import Session
from settings.restoration import BACKUP, InstanceRestoration, restoration_of


def backup(session: Session, on_event: OnEvent, *, dump: bool = False) -> BackupDone:
    """See `Environment.backup`."""
    made = dumps.backup if dump or not session.config().managed else snapshots.backup
    return made(session, on_event)


def backup_plan(session: Session, *, dump: bool = False) -> BackupPlan:
    """See `Environment.backup_plan`."""
    return (dumps.backup_plan if dump or not session.config().managed else snapshots.backup_plan)(session)


def drill_plan(session: Session, name: str | None, at: datetime | None) -> DrillPlan:
    """See `Environment.drill_plan`."""
    planned = snapshot_drill.drill_plan if _uses_snapshots(session, name) else dumps.drill_plan
    return planned(session, name, at)


def listed(session: Session) -> Backups:
    """See `Environment.backups`."""
    if not session.config().managed:
        return dumps.backups(session)
    found = snapshots.backups(session)
    if not _has_dumps(session):
        return found
    more = dumps.backups(session)
    return Backups(
        stack=found.stack,
        backups=(*found.backups, *more.backups),
        old_databases=(*found.old_databases, *more.old_databases),
        moments=found.moments,
    )


def delete_old(session: Session, on_event: OnEvent) -> DeletedDatabases:
    """See `Environment.delete_old_databases`."""
    if session.config().restore:
        again = f"python -m automation restore {session.name}"
        raise BackupFailed(
            "a restore is not finished, and may still need the database before it", f"finish it: {again}"
        )
    if not session.config().managed:
        return dumps.delete_old(session, on_event)
    found = snapshots.delete_old(session, on_event)
    names = dumps.delete_old(session, on_event).names if _has_dumps(session) else ()
    return DeletedDatabases(stack=found.stack, names=(*found.names, *names), final_snapshots=found.final_snapshots)


def drill(session: Session, name: str | None, at: datetime | None, on_event: OnEvent) -> Drill:
    """See `Environment.drill`."""
    done = snapshot_drill.drill if _uses_snapshots(session, name) else dumps.drill
    return done(session, name, at, on_event)


def restore_plan(session: Session, name: str | None, at: datetime | None) -> RestorePlan:
    """See `Environment.restoration`."""
    if _restores_snapshot(session, name):
        return snapshot_restore.restore_plan(session, name, at, ignore)
    return dump_restore.restore_plan(session, name, at)


def restore(
    session: Session,
    name: str | None,
    at: datetime | None,
    timeout_seconds: float,
    keep: Keep,
    on_event: OnEvent,
    *,
    image: Mapping[str, str] | None = None,
) -> Restored:
    """See `Environment.restore`. image: what the config says of an older image, to be written with the mark."""
    run = snapshot_restore.restore if _restores_snapshot(session, name) else dump_restore.restore
    order = RestoreOrder(
        name=name, at=at, timeout_seconds=timeout_seconds, keep=keep, on_event=on_event, image=image or {}
    )
    return run(session, order)


def backs_up(session: Session) -> bool:
    """Return whether a backup can be made. Raises StackUnknown."""
    return session.config().managed or _has_dumps(session)


def _uses_snapshots(session: Session, name: str | None) -> bool:
    return session.config().managed and not (name and BACKUP.fullmatch(name))


def _restores_snapshot(session: Session, name: str | None) -> bool:
    """Return whether RDS restores. One that is under way is continued, whatever is named. Raises BackupFailed."""
    mark = session.config().restore
    if not mark:
        return _uses_snapshots(session, name)
    under_way = restoration_of(mark)
    of_instance = isinstance(under_way, InstanceRestoration)
    if name and of_instance != (BACKUP.fullmatch(name) is None):
        raise BackupFailed(
            under_way.told(session.name).partition(";")[0], f"python -m automation restore {session.name} continues it"
        )
    return of_instance


def _has_dumps(session: Session) -> bool:
    return "database" in (deployed_outputs(session, "backup").get(outputs.BACKUP_PODS) or ())
