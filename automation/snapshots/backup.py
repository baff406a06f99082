"""Snapshots of a managed database: making and listing them, and deleting the instances that restores have left."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from automation.backup.result import Backup, BackupDone, BackupPlan, Backups, DeletedDatabases, Moments
from automation.engine.events import OnEvent, ignore
from automation.errors import BackupFailed
from automation.folder import short_name
from automation.snapshots.facts import StateFacts
from automation.snapshots.model import Instance, Snapshot, of_stack
from automation.snapshots.rds import Rds
from automation.stacks.session import Session
from components.database.rds_existing import LEFT_TAG

_NAME: Final = "%Y%m%dt%H%M%Sz"
_GIB: Final = 2**30
_GOING: Final = "deleting"


def backup(session: Session, on_event: OnEvent) -> BackupDone:
    """See `Environment.backup`."""
    rds, started = Rds(session, "backup", on_event), time.monotonic()
    identifier = _serving(session, rds)
    name = f"{identifier}-{datetime.now(UTC).strftime(_NAME)}"
    session.events("backup", on_event).note(f"making the snapshot {name} of {identifier}")
    made = rds.make_snapshot(identifier, name)
    seconds = round(time.monotonic() - started, 1)
    return BackupDone(stack=short_name(session.name), backup=_listed(made), seconds=seconds)


def backup_plan(session: Session) -> BackupPlan:
    """See `Environment.backup_plan`."""
    rds = Rds(session, "backup", ignore)
    identifier = _serving(session, rds)
    found = [item for item in rds.snapshots() if of_stack(item.instance, identifier) and item.kind == "manual"]
    newest = max(found, key=lambda item: item.taken, default=None)
    return BackupPlan(
        stack=short_name(session.name), kind="manual", place=identifier, newest=_listed(newest) if newest else None
    )


def _serving(session: Session, rds: Rds) -> str:
    """Return the identifier of the stack's instance. Raises BackupFailed if there is none."""
    identifier = session.config().database_identifier
    StateFacts(session, "backup").must_be_current(identifier)
    if rds.instance(identifier) is None:
        raise BackupFailed(
            f"airflow:databaseIdentifier: expected an instance of RDS, found none that is called {identifier}",
            f"python -m automation up {session.name} makes the first one; one that was lost comes back by "
            f"python -m automation restore {session.name}",
        )
    return identifier


def backups(session: Session) -> Backups:
    """See `Environment.backups`."""
    rds, identifier = Rds(session, "backups", ignore), session.config().database_identifier
    window = rds.window(identifier)
    return Backups(
        stack=short_name(session.name),
        backups=tuple(_listed(item) for item in rds.snapshots() if of_stack(item.instance, identifier)),
        old_databases=tuple(item.identifier for item in _left(session, rds, StateFacts(session, "backups"))),
        moments=None
        if window is None
        else Moments(earliest=window.earliest.isoformat(), latest=window.latest.isoformat()),
    )


def delete_old(session: Session, on_event: OnEvent) -> DeletedDatabases:
    """See `Environment.delete_old_databases`."""
    facts = StateFacts(session, "restore")
    facts.must_be_current(session.config().database_identifier)
    facts.must_not_be_left()
    rds, teller = Rds(session, "restore", on_event), session.events("restore", on_event)
    left, snapshots = _left(session, rds, facts), list[str]()
    for item in left:
        snapshots.append(f"{item.identifier}-final-{datetime.now(UTC).strftime(_NAME)}")
        teller.note(f"deleting the instance {item.identifier}; its data stays in the snapshot {snapshots[-1]}")
        rds.unprotect(item.identifier)
        rds.delete(item.identifier, snapshots[-1])
    return DeletedDatabases(
        stack=short_name(session.name),
        names=tuple(item.identifier for item in left),
        final_snapshots=tuple(snapshots),
    )


def _left(session: Session, rds: Rds, facts: StateFacts) -> tuple[Instance, ...]:
    """Return the instances that restores of this stack have left and that nobody deletes."""
    present, key = session.config().database_identifier, facts.key
    return tuple(
        item
        for item in rds.instances()
        if of_stack(item.identifier, present)
        and item.identifier not in (present, facts.instance)
        and LEFT_TAG in item.tags
        and key
        and item.kms_key == key  # airflow-prod-2 may be that of the stack prod-2
        and item.status != _GOING
    )


def _listed(snapshot: Snapshot) -> Backup:
    taken = snapshot.taken.isoformat() if snapshot.status == "available" else ""
    return Backup(name=snapshot.name, bytes=snapshot.gib * _GIB, kind=snapshot.kind, taken=taken)
