"""Backups, and drills that prove them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from automation.backup.jobs import NAME, BackupJobs, deployed_outputs, taken_at
from automation.backup.result import Backup, BackupDone, BackupPlan, Backups, DeletedDatabases, Drill, DrillPlan
from automation.backup.stages import database_name
from automation.engine.events import OnEvent, ignore
from automation.errors import BackupFailed
from automation.folder import short_name
from automation.stacks.session import Session

_ID: Final = "%Y%m%d%H%M%S"


def backup(session: Session, on_event: OnEvent) -> BackupDone:
    """See `Environment.backup`."""
    jobs = BackupJobs(session, deployed_outputs(session, "backup"), "backup", on_event)
    teller = session.events("backup", on_event)
    name, started = datetime.now(UTC).strftime(NAME), time.monotonic()
    teller.note(f"dumping the database into {name}")
    size = jobs.dump(name)
    seconds = round(time.monotonic() - started, 1)
    return BackupDone(stack=short_name(session.name), backup=Backup(name=name, bytes=size), seconds=seconds)


def backup_plan(session: Session) -> BackupPlan:
    """See `Environment.backup_plan`."""
    jobs = BackupJobs(session, deployed_outputs(session, "backup"), "backup", ignore)
    found = jobs.backups()
    return BackupPlan(stack=short_name(session.name), kind="dump", place=jobs.place, newest=found[0] if found else None)


def backups(session: Session) -> Backups:
    """See `Environment.backups`."""
    jobs = BackupJobs(session, deployed_outputs(session, "backups"), "backup", ignore)
    found = jobs.backups()
    return Backups(stack=short_name(session.name), backups=found, old_databases=jobs.databases().of("old"))


def delete_old(session: Session, on_event: OnEvent) -> DeletedDatabases:
    """See `Environment.delete_old_databases`."""
    jobs = BackupJobs(session, deployed_outputs(session, "restore"), "restore", on_event)
    teller = session.events("restore", on_event)
    names = jobs.databases().of("old")
    for name in names:
        teller.note(f"deleting the database {name}")
        jobs.drop(name)
    return DeletedDatabases(stack=short_name(session.name), names=names)


def drill_plan(session: Session, name: str | None, at: datetime | None) -> DrillPlan:
    """See `Environment.drill_plan`."""
    jobs = BackupJobs(session, deployed_outputs(session, "drill"), "drill", ignore)
    chosen, now = chosen_backup(jobs.backups(), name, at), datetime.now(UTC)
    into = database_name(jobs.databases().own, "drill", now.strftime(_ID))
    rpo = round((now - (taken_at(chosen) or now)).total_seconds(), 1)
    return DrillPlan(stack=short_name(session.name), backup=chosen, into=into, rpo_seconds=rpo)


def drill(session: Session, name: str | None, at: datetime | None, on_event: OnEvent) -> Drill:
    """See `Environment.drill`."""
    jobs, teller = (
        BackupJobs(session, deployed_outputs(session, "drill"), "drill", on_event),
        session.events("drill", on_event),
    )
    jobs.end_left_over()
    chosen = chosen_backup(jobs.backups(), name, at)
    databases = jobs.databases()
    for left in databases.of("drill"):
        teller.note(f"deleting the database {left}, which a killed drill left")
        jobs.drop(left)
    began, started = datetime.now(UTC), time.monotonic()
    database = database_name(databases.own, "drill", began.strftime(_ID))
    teller.note(f"restoring {chosen} into the temporary database {database}")
    try:
        jobs.restore(chosen, database, "drill")
        teller.note("reading every encrypted value with the stack's keys")
        found = jobs.look(database)
        seconds = round(time.monotonic() - started, 1)
    finally:
        teller.note("deleting the temporary database")
        jobs.drop(database)
    rpo = (began - (taken_at(chosen) or began)).total_seconds()
    return Drill.of(short_name(session.name), chosen, found, rpo, seconds)


def chosen_backup(found: Sequence[Backup], name: str | None, at: datetime | None) -> str:
    """Return the backup of a name, or the newest from a time or before. Raises BackupFailed.

    Args:
        found: The backups, the newest first.
        name: A name, or None.
        at: A time, or None for now.
    """
    names = [item.name for item in found if at is None or (taken_at(item.name) or at) <= at]
    if name is not None:
        names = [item.name for item in found if item.name == name]
    if names:
        return names[0]
    wanted = name or (f"from {at.isoformat()} or before" if at else "at all")
    there = f"there are: {', '.join(item.name for item in found[:5])}"
    there = there if found else "make one: python -m automation backup STACK"
    raise BackupFailed(f"there is no backup {wanted}", there)
