"""Settings of an RDS for PostgreSQL instance: a validator for each, and the rules across them. Pure.

Limits are those of the RDS API (docs.aws.amazon.com/AmazonRDS/latest/APIReference, CreateDBInstance) unless another
source is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

from components.aws.region import REGION
from components.database.rds_windows import backup_window, maintenance_window, windows_problem
from components.kube.ports import LAST_PORT
from components.texts.fields import matching, refuse, shown

ENGINE: Final = "postgres"
ENGINE_MAJOR: Final = 17
PORT: Final = 5432

MIN_STORAGE_GIB: Final = 20  # gp3, PostgreSQL
MAX_STORAGE_GIB: Final = 65_536
MIN_BACKUP_RETENTION_DAYS: Final = 7  # RDS accepts 0, but a mistake must be reversible after a long weekend
MAX_BACKUP_RETENTION_DAYS: Final = 35

# A letter, then letters, digits and single hyphens, none at the end: instances, snapshots.
_NAME: Final = r"[A-Za-z](?:-?[A-Za-z0-9])*"
_ARN: Final = r"arn:aws(?:-[a-z]+)*"

# Roles that RDS creates, and words that CREATE ROLE refuses.
_RESERVED_USERS: Final = ("admin", "none", "public", "rdsadmin", "rdsrepladmin", "rdstopmgr", "user")
_RESERVED_DATABASES: Final = ("rdsadmin", "template0", "template1")


@unique
class CertificateAuthority(StrEnum):
    """CA that signs the server's certificate: those with which RDS renews the certificate by itself.

    docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL-certificate-rotation.html
    """

    RSA_2048 = "rds-ca-rsa2048-g1"
    RSA_4096 = "rds-ca-rsa4096-g1"
    ECC_384 = "rds-ca-ecc384-g1"


@dataclass(frozen=True, kw_only=True)
class Move:
    """The restore that moves a stack from one instance to another, which is made from a snapshot or a moment."""

    id: str
    """Which restore it is: 14 digits, when it was begun."""
    old: str
    """Identifier of the instance that is left, and stays."""
    new: str
    """Identifier of the instance that is made."""
    snapshot: str = ""
    """Snapshot that the new instance is made from, "" if it is made from a moment."""
    moment: str = ""
    """Moment of the old instance that the new one is made from, such as 2026-01-31T10:45:00Z; "" for a snapshot."""

    @property
    def source(self) -> str:
        """The source of the new instance, in words."""
        return self.snapshot or f"{self.old} at {self.moment}"


@dataclass(frozen=True, kw_only=True)
class ManagedDatabase:
    """Settings of an instance. `problems` checks them."""

    identifier: str
    """Identifier of the instance and part of its host name; another one means another instance."""
    instance_class: str
    """Class such as db.m7g.large; a change restarts the instance, or fails it over with multi_az."""
    engine_version: str
    """17, which follows RDS's minor versions, or 17.N, which is refused once RDS has moved to a later one."""
    name: str
    """Name of the database, fixed at creation; a snapshot brings its own."""
    username: str
    """Name of the master user, who owns the database; fixed at creation, and a snapshot brings its own."""
    storage_gib: int
    """gp3 storage at creation, in GiB, 20 to 65536; later it can only grow."""
    max_storage_gib: int
    """Size in GiB up to which RDS grows the storage by itself, at least 110 % of storage_gib."""
    multi_az: bool
    """Whether there is a standby in another availability zone."""
    backup_retention_days: int
    """Days that a point-in-time restore reaches back, 7 to 35."""
    backup_window: str
    """Daily window in UTC: HH:MM-HH:MM."""
    maintenance_window: str
    """Weekly window in UTC, apart from the backup window: ddd:HH:MM-ddd:HH:MM."""
    ca_identifier: CertificateAuthority
    """CA that signs the server's certificate."""
    apply_immediately: bool
    """Whether changes are made at once, even with a restart, or else in the maintenance window."""
    snapshot_identifier: str | None
    """Snapshot to create a new instance from, encrypted with the stack's key because RDS keeps that key; or None."""
    alarm_topic_arn: str | None
    """SNS topic of the alarms, or None for no alarms."""
    performance_insights_retention_days: int
    """Days that Performance Insights are kept: 7, a multiple of 31 up to 713, or 731."""
    port: int = PORT
    """TCP port, 1150 to 65535."""
    move: Move | None = None
    """The restore that is under way, or None."""

    @property
    def left(self) -> Move | None:
        """The restore by which the stack is about to leave this instance, or None."""
        return self.move if self.move is not None and self.move.old == self.identifier else None

    @property
    def made(self) -> Move | None:
        """The restore that makes this instance, or None."""
        return self.move if self.move is not None and self.move.new == self.identifier else None


# One setting


def identifier(text: str) -> str:
    """Validate an instance's identifier. RDS stores it in lower case, so upper case is refused."""
    return matching(
        text,
        r"(?=.{1,63}$)[a-z](?:-?[a-z0-9])*",
        "an RDS identifier: at most 63 of a-z, 0-9 and -, a letter first, no -- and no - at its end",
    )


def instance_class(text: str) -> str:
    """Validate an instance class."""
    return matching(text, r"db\.[a-z0-9-]+\.[a-z0-9]+", "an instance class such as db.m7g.large")


def engine_version(text: str) -> str:
    """Validate an engine version: 17 or 17.N. Another major version is a migration of its own, not a setting."""
    return matching(
        text, rf"{ENGINE_MAJOR}(\.[1-9][0-9]?)?", f"{ENGINE_MAJOR}, or {ENGINE_MAJOR}.N for one minor version"
    )


def database_name(text: str) -> str:
    """Validate a database name. It is lower case, because any other would need quotes everywhere."""
    matching(text, r"[a-z][a-z0-9_]{0,62}", "a database name: at most 63 of a-z, 0-9 and _, a letter first")
    if text in _RESERVED_DATABASES:
        refuse(f"expected a database name of your own, found {shown(text)}, which RDS creates itself")
    return text


def username(text: str) -> str:
    """Validate the master user's name."""
    matching(text, r"[a-z][a-z0-9_]{0,15}", "a user name: at most 16 of a-z, 0-9 and _, a letter first")
    if text in _RESERVED_USERS or text.startswith(("pg_", "rds_")):
        refuse(f"expected a user name of your own, found {shown(text)}, which PostgreSQL or RDS reserves")
    return text


def master_password(text: str) -> str:
    """Validate the master user's password."""
    if not re.fullmatch(r"[!#-.0-?A-~]{8,128}", text):
        refuse('expected 8 to 128 printable ASCII characters without / " @ and spaces, found something else')
    return text


def backup_retention(days: int) -> int:
    """Validate the days that backups are kept."""
    if not MIN_BACKUP_RETENTION_DAYS <= days <= MAX_BACKUP_RETENTION_DAYS:
        refuse(f"expected {MIN_BACKUP_RETENTION_DAYS} to {MAX_BACKUP_RETENTION_DAYS} days, found {days}")
    return days


def performance_insights_retention(days: int) -> int:
    """Validate the days that Performance Insights are kept: 7, a multiple of 31 up to 713 (23 months), or 731."""
    if days not in (7, 731, *(31 * months for months in range(1, 24))):
        refuse(f"expected 7, 731, or 31 days a month for up to 23 months (31, 62, … 713), found {days}")
    return days


def snapshot_identifier(text: str) -> str:
    """Validate a snapshot: the name of a manual one, of an automated one (rds:…), or the ARN of either."""
    return matching(
        text,
        rf"(?:{_ARN}:rds:{REGION}:[0-9]{{12}}:snapshot:)?(?:(?:rds|awsbackup):)?(?=.{{1,255}}$){_NAME}",
        "a snapshot: its name, rds: and the name of an automated one, or the ARN of either",
    )


def topic_arn(text: str) -> str:
    """Validate the ARN of a standard SNS topic. An alarm cannot use a FIFO topic.

    docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    return matching(
        text,
        rf"{_ARN}:sns:{REGION}:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}",
        "the ARN of a standard SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME)",
    )


# Rules across settings


def storage_problem(storage_gib: int, max_storage_gib: int) -> str | None:
    """Return what is wrong with the two sizes; else None.

    RDS refuses a maximum below 110 % of what is allocated
    (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html).
    """
    if not MIN_STORAGE_GIB <= storage_gib <= MAX_STORAGE_GIB:
        return f"expected {MIN_STORAGE_GIB} to {MAX_STORAGE_GIB} GiB, found {storage_gib}"
    least = least_maximum(storage_gib)
    if least > MAX_STORAGE_GIB:
        return f"expected room to grow by 10 % below {MAX_STORAGE_GIB} GiB, found {storage_gib} to begin with"
    if not least <= max_storage_gib <= MAX_STORAGE_GIB:
        return f"expected {least} (110 % of {storage_gib}) to {MAX_STORAGE_GIB} GiB, found {max_storage_gib}"
    return None


def subnet_problem(zones: Sequence[str]) -> str | None:
    """Return what is wrong with the availability zones of the subnets, one for each subnet; else None.

    RDS requires two, even without a standby
    (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html).
    """
    found = sorted(set(zones))
    if len(found) < 2:
        return f"expected subnets in at least two availability zones, found {', '.join(found) or 'none'}"
    return None


def topic_region_problem(arn: str, region: str, watched: str) -> str | None:
    """Return what is wrong with the region of a valid topic; else None. An alarm reaches only topics of its region."""
    found = arn.split(":")[3]
    return None if found == region else f"expected a topic in {region}, where {watched} is, found one in {found}"


def storage_problems(managed: ManagedDatabase) -> dict[str, str]:
    """Return what is wrong with the two sizes, by field."""
    problem = storage_problem(managed.storage_gib, managed.max_storage_gib)
    if problem is None:
        return {}
    first_size_alone = storage_problem(managed.storage_gib, MAX_STORAGE_GIB)
    return {"storage_gib" if first_size_alone else "max_storage_gib": problem}


def window_problems(managed: ManagedDatabase) -> dict[str, str]:
    """Return what is wrong with two windows that are valid by themselves, by field."""
    problem = windows_problem(managed.backup_window, managed.maintenance_window)
    return {} if problem is None else {"maintenance_window": problem}


def problems(managed: ManagedDatabase) -> dict[str, str]:
    """Return what is wrong with the settings, by field; empty if nothing is."""
    checks: Mapping[str, Callable[[Any], object]] = {
        "identifier": identifier,
        "instance_class": instance_class,
        "engine_version": engine_version,
        "name": database_name,
        "username": username,
        "backup_retention_days": backup_retention,
        "backup_window": backup_window,
        "maintenance_window": maintenance_window,
        "snapshot_identifier": snapshot_identifier,
        "alarm_topic_arn": topic_arn,
        "performance_insights_retention_days": performance_insights_retention,
    }
    found: dict[str, str] = {}
    for field, check in checks.items():
        value = getattr(managed, field)
        try:
            if value is not None:
                check(value)
        except ValueError as error:
            found[field] = str(error)
    found |= storage_problems(managed)
    if not found.keys() & {"backup_window", "maintenance_window"}:
        found |= window_problems(managed)
    # RDS's limits: docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html, Port.
    if not 1150 <= managed.port <= LAST_PORT:
        found["port"] = f"expected 1150 to {LAST_PORT}, found {managed.port}"
    return found


def least_maximum(storage_gib: int) -> int:
    """Return 110 % of a size, rounded up: the smallest maximum that RDS accepts."""
    return -(-storage_gib * 11 // 10)
