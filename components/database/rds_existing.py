"""Rules for an existing RDS instance: in which statuses it can be updated, and which changes RDS refuses. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from components.database.rds_settings import ENGINE, ManagedDatabase, Move, least_maximum

RESTORED_FROM_TAG: Final = "airflow:restored-from"
"""Key of the instance's tag that names the snapshot it was restored from; RDS itself does not report it."""

_RESTORE: Final = "restore "

LEFT_TAG: Final = "airflow-left-by"
"""Key of the tag of an instance that a restore has left: which restore, and where the stack went."""

ACCEPTABLE_STATUSES: Final = ("available", "storage-optimization")
"""Statuses in which an instance serves and can be changed.

During storage-optimization everything but the storage can change
(repost.aws/knowledge-center/rds-stuck-in-storage-optimization).
"""


@dataclass(frozen=True, kw_only=True)
class ExistingInstance:
    """An instance as RDS describes it."""

    identifier: str
    """Its DBInstanceIdentifier."""
    status: str
    """Its DBInstanceStatus."""
    engine: str
    """Its engine, such as postgres."""
    engine_version: str
    """Its version, such as 17.6."""
    name: str | None
    """Name of the database created with it, or None."""
    username: str
    """Name of the master user."""
    storage_gib: int
    """Storage allocated now, by the program or by RDS, in GiB."""
    max_storage_gib: int | None
    """Size in GiB up to which RDS may grow the storage, or None if it may not."""
    storage_encrypted: bool
    """Whether its storage is encrypted."""
    restored_from: str | None
    """Value of its RESTORED_FROM_TAG, or None."""


def status_problem(existing: ExistingInstance) -> str | None:
    """Return why the instance cannot be updated now, because it is being changed or does not serve; else None."""
    if existing.status in ACCEPTABLE_STATUSES:
        return None
    name = existing.identifier
    mend = {
        "stopped": f"`aws rds start-db-instance --db-instance-identifier {name}`",
        # The program's own change of storage would wait for the maintenance window.
        "storage-full": f"`aws rds modify-db-instance --db-instance-identifier {name} --allocated-storage GIB "
        "--apply-immediately`",
    }.get(existing.status, f"`aws rds wait db-instance-available --db-instance-identifier {name}`")
    return (
        f"status of the RDS instance {name}: expected {' or '.join(ACCEPTABLE_STATUSES)}, found {existing.status}: a "
        f"migration or a change would fail half way. Fix: {mend}, then run this again"
    )


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """A change of settings that RDS makes only by replacing the instance, or not at all."""

    field: str
    """Field of ManagedDatabase."""
    text: str
    """What was expected, what was found, and why it is refused."""
    value: str | None = None
    """Value of the field that is accepted, "" for no value, or None if no value is."""
    way: str = ""
    """Another way out, as a command such as `delete it`, or ""."""

    def fix(self, put: str, remove: str) -> str:
        """Return the ways out. put, remove: how to put the accepted value there, and how to take the value out."""
        taken = "" if self.value is None else put if self.value else remove
        return ", or ".join(filter(None, (taken, self.way)))

    def __str__(self) -> str:
        return f"{self.field}: {self.text}. Fix: {self.fix(f'set it to {self.value}', 'take it out')}"


_DUMP: Final = "dump the data into an instance under another identifier"


def replacements(existing: ExistingInstance, wanted: ManagedDatabase) -> list[Replacement]:
    """Return the changes that RDS makes only by replacing the instance, or not at all.

    Everything else changes in place. A smaller storage_gib is no problem as long as the maximum allows the present
    size: RDS may have grown the storage, and the provider then keeps the present size.
    """
    if existing.engine != ENGINE:
        # Nothing else can be compared.
        text = f"expected an instance of {ENGINE}, found one of {existing.engine}, which does not belong to this stack"
        return [Replacement(field="identifier", text=text, value="ANOTHER")]
    return [
        *_name_problems(existing, wanted),
        *_encryption_problem(existing),
        *_version_problem(existing.engine_version, wanted.engine_version),
        *_growth_problem(existing, wanted.max_storage_gib),
        *_source_problem(existing, wanted),
    ]


def origin(wanted: ManagedDatabase) -> str | None:
    """Return the value of RESTORED_FROM_TAG for an instance with these settings, or None if it is made empty."""
    if wanted.made is not None:
        return made_by(wanted.made)
    return None if wanted.snapshot_identifier is None else restored_from(wanted.snapshot_identifier)


def made_by(move: Move) -> str:
    """Return the value of RESTORED_FROM_TAG for the instance that a restore makes."""
    return f"{_RESTORE}{move.id} of {move.source[-200:]}"


def is_of_restore(value: str) -> bool:
    """Return whether a value of RESTORED_FROM_TAG is that of an instance that a restore made."""
    return value.startswith(_RESTORE)


def left_by(move: Move) -> str:
    """Return the value of LEFT_TAG for the instance that a restore leaves."""
    return f"restore {move.id} to {move.new}"


def restored_from(snapshot: str) -> str:
    """Return the value of RESTORED_FROM_TAG for a snapshot.

    RDS accepts at most 256 characters, and refuses values that begin with `rds:`, as the names of automated snapshots
    do (docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Tag.html).
    """
    return f"snapshot {snapshot[-200:]}"


def _name_problems(existing: ExistingInstance, wanted: ManagedDatabase) -> Iterator[Replacement]:
    if existing.username != wanted.username:
        yield Replacement(
            field="username",
            text=f"expected {existing.username}, which the instance was made with, found {wanted.username}: RDS never "
            "renames the master user, and a snapshot brings the old name",
            value=existing.username,
            way=_DUMP,
        )
    if existing.name is not None and existing.name != wanted.name:
        yield Replacement(
            field="name",
            text=f"expected {existing.name}, the database that the instance was made with, found {wanted.name}: the "
            "instance would be replaced by an empty one",
            value=existing.name,
            way=_DUMP,
        )


def _encryption_problem(existing: ExistingInstance) -> Iterator[Replacement]:
    if not existing.storage_encrypted:
        yield Replacement(
            field="identifier",
            text="expected an encrypted instance, found one that is not: RDS encrypts only when it makes an instance",
            way="copy a snapshot of it with a KMS key (aws rds copy-db-snapshot --kms-key-id), and restore the copy "
            "under another identifier",
        )


def _version_problem(existing: str, wanted: str) -> Iterator[Replacement]:
    """Yield what is wrong with a change between two versions, each given as 17 or 17.6."""
    there, asked = _version(existing), _version(wanted)
    if there[0] < asked[0]:
        yield Replacement(
            field="engine_version",
            text=f"expected {there[0]}, as the instance has, found {wanted}: an update must not make "
            "a major upgrade, because the database would be down if it fails",
            way="use a blue/green deployment, which is tried before the switch and keeps the identifier",
        )
    elif there[0] > asked[0] or there[1:] > asked[1:] > ():
        yield Replacement(
            field="engine_version",
            text=f"expected {existing} or {there[0]}, as the instance has, found {wanted}: RDS never goes back to an "
            "older version",
            # The provider accepts any existing 17.N for 17.
            value=str(there[0]) if there[0] == asked[0] else None,
            way="restore a snapshot from before the upgrade under another identifier",
        )


def _growth_problem(existing: ExistingInstance, maximum: int) -> Iterator[Replacement]:
    """Yield what is wrong with a changed maximum of storage.

    RDS checks the maximum only when it changes: storage that has grown to its maximum must not stop other updates.
    """
    least = least_maximum(existing.storage_gib)
    if maximum == existing.max_storage_gib or maximum >= least:
        return
    shrinks = maximum < existing.storage_gib
    reason = "RDS never shrinks storage" if shrinks else "RDS asks for 110 % of the present size"
    yield Replacement(
        field="max_storage_gib",
        text=f"expected at least {least}, as the instance has {existing.storage_gib} GiB, found {maximum}: {reason}",
        value=str(least),
        way="move to smaller storage with a blue/green deployment" if shrinks else "",
    )


def _source_problem(existing: ExistingInstance, wanted: ManagedDatabase) -> Iterator[Replacement]:
    source = origin(wanted)
    if source is None or existing.restored_from == source:
        return
    if wanted.made is not None:
        yield Replacement(
            field="identifier",
            text=f"expected no instance {existing.identifier} before the restore makes it, found one that this "
            "restore did not make",
            way="delete it if nobody needs it",
        )
        return
    yield Replacement(
        field="snapshot_identifier",
        text=f"expected none, as the instance exists, found {wanted.snapshot_identifier}: a snapshot becomes a new "
        "instance, never the content of one that is there",
        value="",
        way="choose another identifier for the restored instance",
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", text)[:2])
