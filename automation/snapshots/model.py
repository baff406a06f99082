"""Instances, snapshots and points in time as RDS describes them, and which of them is meant. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from automation.errors import BackupFailed
from components.database.rds_settings import ENGINE

_LONGEST_IDENTIFIER: Final = 63
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An instance."""

    identifier: str
    status: str
    host: str = ""
    instance_class: str = ""
    subnet_group: str = ""
    security_groups: tuple[str, ...] = ()
    parameter_group: str = ""
    kms_key: str = ""
    """ARN of its key, "" if it is not encrypted."""
    changing: bool = False
    """Whether its master password is about to change."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def gone() -> Instance:
        """Return what stands for an instance that does not exist."""
        return Instance(identifier="", status="gone")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot."""

    name: str
    kind: str
    """`manual`, `automated` or `awsbackup`."""
    status: str
    taken: datetime
    """When it was begun."""
    gib: int
    """Storage of the instance."""
    instance: str
    """Identifier of the instance."""
    engine: str
    username: str
    kms_key: str
    """ARN of its key, "" if it is not encrypted."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Moments to which an instance can be restored."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, kw_only=True)
class Source:
    """The snapshot or the moment that an instance is made from."""

    taken: datetime
    """The moment of the data."""
    snapshot: str = ""
    """Name of the snapshot, "" for a moment."""
    moment: str = ""
    """The moment, such as 2026-01-31T10:45:00Z; "" for a snapshot."""

    @property
    def text(self) -> str:
        """Its name in messages."""
        return self.snapshot or self.moment


def instance_of(description: Mapping[str, Any]) -> Instance:
    """Return an instance from RDS's description."""
    groups = description.get("DBParameterGroups") or [{}]
    return Instance(
        identifier=description["DBInstanceIdentifier"],
        status=description["DBInstanceStatus"],
        host=(description.get("Endpoint") or {}).get("Address", ""),
        instance_class=description["DBInstanceClass"],
        subnet_group=(description.get("DBSubnetGroup") or {}).get("DBSubnetGroupName", ""),
        security_groups=tuple(item["VpcSecurityGroupId"] for item in description.get("VpcSecurityGroups", ())),
        parameter_group=groups[0].get("DBParameterGroupName", ""),
        kms_key=description.get("KmsKeyId") or "",
        changing="MasterUserPassword" in (description.get("PendingModifiedValues") or {}),
        tags={tag["Key"]: tag["Value"] for tag in description.get("TagList", ())},
    )


def snapshot_of(description: Mapping[str, Any]) -> Snapshot:
    """Return a snapshot from RDS's description. One that was only begun has no time yet."""
    return Snapshot(
        name=description["DBSnapshotIdentifier"],
        kind=description.get("SnapshotType", "manual"),
        status=description.get("Status", ""),
        taken=description.get("SnapshotCreateTime") or _NEVER,
        gib=int(description.get("AllocatedStorage") or 0),
        instance=description.get("DBInstanceIdentifier", ""),
        engine=description.get("Engine", ""),
        username=description.get("MasterUsername", ""),
        kms_key=description.get("KmsKeyId") or "",
    )


def window_of(description: Mapping[str, Any]) -> Window | None:
    """Return the window of RDS's description of automated backups, None if it has none.

    Those that were kept of a deleted instance are no source for a restore by the identifier, and may be those of an
    earlier instance of this name.
    """
    found = description.get("RestoreWindow") or {}
    if description.get("Status") == "retained":
        return None
    if not found.get("EarliestTime") or not found.get("LatestTime"):
        return None
    return Window(earliest=found["EarliestTime"], latest=found["LatestTime"])


# Which one is meant


def base_of(identifier: str) -> str:
    """Return the identifier without the number that a restore has added."""
    return re.sub(r"-[0-9]+$", "", identifier)


def of_stack(identifier: str, of: str) -> bool:
    """Return whether an instance is, or was, that of the stack. of: identifier of the stack's present one."""
    return re.fullmatch(rf"{re.escape(base_of(of))}(-[0-9]+)?", identifier) is not None


def next_identifier(present: str, used: Iterable[str]) -> str:
    """Return the identifier of the next instance: airflow-prod-2 after airflow-prod, never one that was used."""
    base = base_of(present)
    numbers = [
        int(name.rpartition("-")[2]) if name != base else 1 for name in {present, *used} if of_stack(name, present)
    ]
    return suffixed(base, f"-{max(numbers) + 1}")


def suffixed(base: str, suffix: str) -> str:
    """Return an identifier with a suffix. Where RDS takes no more, the end of the identifier is left out."""
    return f"{base[: _LONGEST_IDENTIFIER - len(suffix)].rstrip('-')}{suffix}"


def chosen_source(
    snapshots: Sequence[Snapshot], window: Window | None, name: str | None, at: datetime | None, key: str = ""
) -> Source:
    """Return what is meant. Raises BackupFailed.

    Args:
        snapshots: The stack's snapshots, the newest first.
        window: The moments to which the stack's instance can be restored.
        name: A snapshot of the stack, or None.
        at: A moment, or None. Before the window it means the newest snapshot from then or before. After it, that must
            be a snapshot that is newer than the window, because else the data of hours would be missing.
        key: ARN of the stack's key. Without a name, only snapshots with it are meant: another stack's instance may have
            the same name but for its number.
    """
    ready = [item for item in snapshots if item.status == "available"]
    if name is not None:
        ready = [item for item in ready if item.name == name]
    elif key:
        ready = [item for item in ready if item.kms_key == key]
    if name is None and at is not None:
        if window is not None and window.earliest <= at <= window.latest:
            return Source(taken=at, moment=at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        ready = [item for item in ready if item.taken <= at]
        if window is not None and at > window.latest and not (ready and ready[0].taken >= window.latest):
            raise BackupFailed(
                f"--at: expected a moment until {window.latest.isoformat()}, the last that RDS can restore, found "
                f"{at.isoformat()}",
                f"--at {window.latest.isoformat()}, or wait some minutes; without --at it is the newest snapshot",
            )
    if ready:
        return Source(taken=ready[0].taken, snapshot=ready[0].name)
    wanted = f" {name}" if name else (f" from {at.isoformat()} or before" if at else "")
    moments = [f"moments from {window.earliest.isoformat()} to {window.latest.isoformat()}"] if window else []
    there = [", ".join(item.name for item in snapshots[:_SHOWN])] if snapshots else []
    raise BackupFailed(
        f"there is no available snapshot{wanted}",
        f"there are: {'; '.join([*there, *moments])}"
        if there or moments
        else "make one: python -m automation backup STACK",
    )


def check_snapshot(snapshot: Snapshot, *, key: str, username: str, region: str, copy: str) -> None:
    """Raise BackupFailed for a snapshot that does not fit the stack: RDS never changes key and user of an instance.

    Args:
        snapshot: What is to be restored.
        key: ARN of the stack's key.
        username: Name of the stack's master user.
        region: The stack's region, for the command.
        copy: Name for a copy of the snapshot.
    """
    if snapshot.engine != ENGINE:
        raise BackupFailed(
            f"{snapshot.name}: expected a snapshot of {ENGINE}, found {snapshot.engine}",
            "python -m automation backups STACK lists those of this stack",
        )
    if snapshot.username != username:
        raise BackupFailed(
            f"{snapshot.name}: expected the master user {username}, as airflow:databaseUser says, found "
            f"{snapshot.username}",
            "python -m automation backups STACK lists those of this stack",
        )
    if key and snapshot.kms_key != key:
        raise BackupFailed(
            f"{snapshot.name}: expected the stack's key {key}, found {snapshot.kms_key or 'none'}",
            f"copy it with that key: aws rds copy-db-snapshot --region {region} --source-db-snapshot-identifier "
            f"{snapshot.name} --target-db-snapshot-identifier {copy} --kms-key-id {key}; then restore {copy}",
        )


def check_storage(snapshot: Snapshot, gib: int, stack: str) -> None:
    """Raise BackupFailed for a snapshot that is larger than the config's size, as after RDS has grown the storage.

    The provider gives a restored instance that size, and RDS, which never shrinks storage, refuses it when the instance
    is made (github.com/hashicorp/terraform-provider-aws, internal/service/rds/instance.go: `allocated_storage` where
    there is a `snapshot_identifier`).

    Args:
        snapshot: What is to be restored.
        gib: `airflow:databaseStorageGib`.
        stack: The stack, for the command.
    """
    if gib < snapshot.gib:
        raise BackupFailed(
            f"airflow:databaseStorageGib: expected at least {snapshot.gib}, as {snapshot.name} has, found {gib}",
            f"pulumi config set --stack {stack} airflow:databaseStorageGib {snapshot.gib}",
        )
