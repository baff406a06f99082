"""Rules for an existing RDS instance: in which statuses it can be updated, and which changes RDS refuses. Pure."""

from __future__ import annotations

import re
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
    kms_key_arn: str | None
    """Key that encrypts its storage, or None."""
    vpc_id: str | None
    """Its network, or None if RDS names none."""
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


def replacement_problems(
    existing: ExistingInstance,
    wanted: ManagedDatabase,
    *,
    vpc_id: str | None = None,
    kms_key_arn: str | None = None,
) -> list[str]:
    """Return the changes that RDS makes only by replacing the instance, or not at all: a sentence each, with a way out.

    Everything else changes in place. A smaller storage_gib is no problem as long as the maximum allows the present
    size: RDS may have grown the storage, and the provider then keeps the present size.

    Args:
        existing: The instance as it is.
        wanted: The settings to update it to.
        vpc_id: The wanted network, or None if it is not known yet.
        kms_key_arn: The wanted key, or None if it is not known yet.
    """
    if existing.engine != ENGINE:
        # Nothing else can be compared.
        return [
            f"engine: expected {ENGINE}, found {existing.engine}: the RDS instance {existing.identifier} does not "
            "belong to this stack. Choose another identifier"
        ]
    found = []
    if existing.username != wanted.username:
        found.append(
            f"username: expected {existing.username}, which the instance was made with, found {wanted.username}: RDS "
            "never renames the master user, and a snapshot brings the old name. Take the old name back, or dump the "
            "data into an instance under another identifier"
        )
    if existing.name is not None and existing.name != wanted.name:
        found.append(
            f"name: expected {existing.name}, the database that the instance was made with, found {wanted.name}: the "
            "instance would be replaced by an empty one. Take the old name back, or dump the data into an instance "
            "under another identifier"
        )
    if not existing.storage_encrypted:
        found.append(
            "storage encryption: expected an encrypted instance, found one that is not: RDS encrypts only when it "
            "makes an instance. Copy a snapshot of it with a KMS key (aws rds copy-db-snapshot --kms-key-id) and "
            "restore the copy under another identifier"
        )
    elif kms_key_arn is not None and existing.kms_key_arn != kms_key_arn:
        found.append(
            f"KMS key: expected the instance's own, {existing.kms_key_arn}, found {kms_key_arn}: RDS never changes the "
            "key. Copy a snapshot with the wanted key (aws rds copy-db-snapshot --kms-key-id) and restore the copy "
            "under another identifier"
        )
    if problem := _version_problem(existing.engine_version, wanted.engine_version):
        found.append(problem)
    if problem := _growth_problem(existing, wanted.max_storage_gib):
        found.append(problem)
    if vpc_id is not None and existing.vpc_id is not None and existing.vpc_id != vpc_id:
        found.append(
            f"VPC: expected {existing.vpc_id}, where the instance is, found {vpc_id}: RDS does not move one that has a "
            "standby. Restore a snapshot under another identifier there"
        )
    source = origin(wanted)
    if wanted.made is not None and existing.restored_from != source:
        found.append(
            f"{existing.identifier}: expected no instance before the restore makes it, found one that is not of it. "
            "Delete it if nobody needs it"
        )
    elif source is not None and existing.restored_from != source:
        found.append(
            f"snapshot_identifier: expected none, as the instance exists, found {wanted.snapshot_identifier}: a "
            "snapshot becomes a new instance, never the content of one that is there. Take it out, or choose another "
            "identifier for the restored instance"
        )
    return found


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


def _version_problem(existing: str, wanted: str) -> str | None:
    """Return what is wrong with a change between two versions, each given as 17 or 17.6; else None."""
    there, asked = _version(existing), _version(wanted)
    if there[0] < asked[0]:
        return (
            f"engine_version: expected {there[0]}, as the instance has, found {wanted}: a new major version is no "
            "routine update, and what fails in it is down. Use a blue/green deployment, which is tried before the "
            "switch and keeps the identifier"
        )
    # The provider accepts any existing 17.N for 17.
    if there[0] > asked[0] or there[1:] > asked[1:] > ():
        return (
            f"engine_version: expected {existing} or {there[0]}, as the instance has, found {wanted}: RDS never goes "
            "back to an older version. Take the newer one, or restore a snapshot from before the upgrade under another "
            "identifier"
        )
    return None


def _growth_problem(existing: ExistingInstance, maximum: int) -> str | None:
    """Return what is wrong with a changed maximum of storage; else None.

    RDS checks the maximum only when it changes: storage that has grown to its maximum must not stop other updates.
    """
    if maximum == existing.max_storage_gib:
        return None
    least = least_maximum(existing.storage_gib)
    if maximum < existing.storage_gib:
        return (
            f"max_storage_gib: expected at least {least}, as the instance has {existing.storage_gib} GiB, found "
            f"{maximum}: RDS never shrinks storage. Raise it, or move to smaller storage with a blue/green deployment"
        )
    if maximum < least:
        return (
            f"max_storage_gib: expected at least {least}, 110 % of the {existing.storage_gib} GiB that the instance "
            f"has, found {maximum}: RDS refuses it. Raise it"
        )
    return None


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", text)[:2])
