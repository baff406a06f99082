"""The settings of an RDS for PostgreSQL instance: what each must be, what fits together, and what cannot be changed.

Pure: no AWS, no Pulumi. Limits are those of the RDS API (docs.aws.amazon.com/AmazonRDS/latest/APIReference,
CreateDBInstance) unless another source is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

from components.fields import AWS_REGION, refuse, shown

ENGINE: Final = "postgres"
ENGINE_MAJOR: Final = 17
PORT: Final = 5432

RESTORED_FROM_TAG: Final = "airflow:restored-from"
"""Key of a tag of an instance: the snapshot that it was made of. RDS itself does not tell."""

ACCEPTABLE_STATUSES: Final = ("available", "storage-optimization")
"""Statuses in which an instance serves and can be changed: while storage is optimised, all but the storage can
(repost.aws/knowledge-center/rds-stuck-in-storage-optimization)."""

MIN_STORAGE_GIB: Final = 20  # gp3, PostgreSQL
MAX_STORAGE_GIB: Final = 65_536
MIN_BACKUP_RETENTION_DAYS: Final = 7  # RDS takes 0; fewer than a week is no answer to a mistake found on Monday
MAX_BACKUP_RETENTION_DAYS: Final = 35

_MIN_WINDOW_MINUTES: Final = 30
_DAY_MINUTES: Final = 24 * 60
_WEEK_MINUTES: Final = 7 * _DAY_MINUTES
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = r"([01][0-9]|2[0-3]):([0-5][0-9])"

# A letter, then letters, digits and single hyphens, none at the end: instances, snapshots.
_NAME: Final = r"[A-Za-z](?:-?[A-Za-z0-9])*"
_ARN: Final = r"arn:aws(?:-[a-z]+)*"

# Roles that RDS makes itself, and words that CREATE ROLE does not take.
_RESERVED_USERS: Final = ("admin", "none", "public", "rdsadmin", "rdsrepladmin", "rdstopmgr", "user")
_RESERVED_DATABASES: Final = ("rdsadmin", "template0", "template1")


@unique
class CertificateAuthority(StrEnum):
    """Who signs the server's certificate: those with which RDS renews it by itself.

    docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL-certificate-rotation.html
    """

    RSA_2048 = "rds-ca-rsa2048-g1"
    RSA_4096 = "rds-ca-rsa4096-g1"
    ECC_384 = "rds-ca-ecc384-g1"


@dataclass(frozen=True, kw_only=True)
class ManagedDatabase:
    """Settings of an instance. `problems` says what is wrong with them.

    identifier: of the instance; part of its host name. Another one is another instance.
    instance_class: such as db.m7g.large. A change restarts the instance (with multi_az: a failover).
    engine_version: 17, or 17.N. With 17 the program follows RDS from minor version to minor version; 17.N holds it
        there until RDS itself, in a maintenance window, goes on: from then on the program is refused.
    name, username: of the database and of its owner; fixed when the instance is made. A snapshot brings its own.
    storage_gib: at creation, and later where it is more than there is; gp3, 20 to 65536.
    max_storage_gib: how far RDS may grow it by itself, at least 110 % of storage_gib.
    multi_az: a standby in another availability zone.
    backup_retention_days: 7 to 35: how far back a point-in-time restore reaches.
    backup_window: HH:MM-HH:MM, UTC, daily.
    maintenance_window: ddd:HH:MM-ddd:HH:MM, UTC, weekly; does not meet the backup's.
    ca_identifier: who signs the server's certificate.
    apply_immediately: make changes at once, those with a restart too; else in the maintenance window.
    snapshot_identifier: a snapshot that a new instance is made of, or None. It must be encrypted with the stack's own
        key: RDS gives a restored instance the key of its snapshot.
    alarm_topic_arn: SNS topic of the alarms, or None for no alarms.
    performance_insights_retention_days: 7, a multiple of 31 up to 713, or 731.
    port: TCP port.
    """

    identifier: str
    instance_class: str
    engine_version: str
    name: str
    username: str
    storage_gib: int
    max_storage_gib: int
    multi_az: bool
    backup_retention_days: int
    backup_window: str
    maintenance_window: str
    ca_identifier: CertificateAuthority
    apply_immediately: bool
    snapshot_identifier: str | None
    alarm_topic_arn: str | None
    performance_insights_retention_days: int
    port: int = PORT


@dataclass(frozen=True, kw_only=True)
class ExistingInstance:
    """An instance as RDS describes it.

    status: its DBInstanceStatus. engine, engine_version: such as postgres and 17.6.
    name: of the database made with it, or None. username: of the master user.
    storage_gib: allocated now, whoever did it. max_storage_gib: how far RDS may grow it, or None: not at all.
    storage_encrypted, kms_key_arn: whether and with which key its storage is encrypted.
    vpc_id: its network. restored_from: value of its RESTORED_FROM_TAG, or None.
    """

    identifier: str
    status: str
    engine: str
    engine_version: str
    name: str | None
    username: str
    storage_gib: int
    max_storage_gib: int | None
    storage_encrypted: bool
    kms_key_arn: str | None
    vpc_id: str | None
    restored_from: str | None


# One setting


def identifier(text: str) -> str:
    """An instance's identifier. RDS keeps it in lower case, so nothing else is taken."""
    return _matching(
        text,
        r"(?=.{1,63}$)[a-z](?:-?[a-z0-9])*",
        "an RDS identifier: at most 63 of a-z, 0-9 and -, a letter first, no -- and no - at its end",
    )


def instance_class(text: str) -> str:
    """A class of instances."""
    return _matching(text, r"db\.[a-z0-9-]+\.[a-z0-9]+", "an instance class such as db.m7g.large")


def engine_version(text: str) -> str:
    """17 or 17.N: another major version is a migration of its own, not a setting."""
    return _matching(
        text, rf"{ENGINE_MAJOR}(\.[1-9][0-9]?)?", f"{ENGINE_MAJOR}, or {ENGINE_MAJOR}.N for one minor version"
    )


def database_name(text: str) -> str:
    """A database's name, in lower case: another one would need quotes wherever it is written."""
    _matching(text, r"[a-z][a-z0-9_]{0,62}", "a database name: at most 63 of a-z, 0-9 and _, a letter first")
    if text in _RESERVED_DATABASES:
        refuse(f"expected a database name of its own, found {shown(text)}, which RDS makes itself")
    return text


def username(text: str) -> str:
    """The master user's name."""
    _matching(text, r"[a-z][a-z0-9_]{0,15}", "a user name: at most 16 of a-z, 0-9 and _, a letter first")
    if text in _RESERVED_USERS or text.startswith(("pg_", "rds_")):
        refuse(f"expected a user name of its own, found {shown(text)}, which PostgreSQL or RDS keeps for itself")
    return text


def backup_retention(days: int) -> int:
    """Days that backups are kept."""
    if not MIN_BACKUP_RETENTION_DAYS <= days <= MAX_BACKUP_RETENTION_DAYS:
        refuse(f"expected {MIN_BACKUP_RETENTION_DAYS} to {MAX_BACKUP_RETENTION_DAYS} days, found {days}")
    return days


def backup_window(text: str) -> str:
    """HH:MM-HH:MM in UTC, at least 30 minutes; may pass midnight."""
    minutes = _backup_span(text)[1]
    if minutes < _MIN_WINDOW_MINUTES:
        refuse(f"expected a daily window of at least {_MIN_WINDOW_MINUTES} minutes, found {shown(text)}")
    return text


def maintenance_window(text: str) -> str:
    """ddd:HH:MM-ddd:HH:MM in UTC, at least 30 minutes; returned in lower case, as RDS keeps it.

    More than a day is refused too: not by RDS's reference, but such a window is a slip of the weekday.
    """
    minutes = _maintenance_span(text)[1]
    if not _MIN_WINDOW_MINUTES <= minutes <= _DAY_MINUTES:
        refuse(f"expected a weekly window of {_MIN_WINDOW_MINUTES} minutes to 24 hours, found {shown(text)}")
    return text.lower()


def performance_insights_retention(days: int) -> int:
    """7, a multiple of 31 up to 713 (23 months), or 731."""
    if days not in (7, 731, *(31 * months for months in range(1, 24))):
        refuse(f"expected 7, 731, or 31 days a month for up to 23 months (31, 62, … 713), found {days}")
    return days


def snapshot_identifier(text: str) -> str:
    """A snapshot made by hand, an automated one (rds:…), or the ARN of either."""
    return _matching(
        text,
        rf"(?:{_ARN}:rds:{AWS_REGION}:[0-9]{{12}}:snapshot:)?(?:(?:rds|awsbackup):)?(?=.{{1,255}}$){_NAME}",
        "a snapshot: its name, rds: and the name of an automated one, or the ARN of either",
    )


def kms_key_arn(text: str) -> str:
    """The ARN of a key. Not of an alias: RDS reports the key, and the two would always differ."""
    key = r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    return _matching(
        text, rf"{_ARN}:kms:{AWS_REGION}:[0-9]{{12}}:key/{key}", "the ARN of a KMS key (arn:aws:kms:…:key/…)"
    )


def topic_arn(text: str) -> str:
    """The ARN of a standard SNS topic: an alarm does not speak to a FIFO topic.

    docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    return _matching(
        text,
        rf"{_ARN}:sns:{AWS_REGION}:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}",
        "the ARN of a standard SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME)",
    )


# What fits together


def storage_problem(storage_gib: int, max_storage_gib: int) -> str | None:
    """What is wrong with the two sizes.

    RDS refuses a maximum below 110 % of what is allocated
    (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html).
    """
    if not MIN_STORAGE_GIB <= storage_gib <= MAX_STORAGE_GIB:
        return f"expected {MIN_STORAGE_GIB} to {MAX_STORAGE_GIB} GiB, found {storage_gib}"
    least = _least_maximum(storage_gib)
    if least > MAX_STORAGE_GIB:
        return f"expected room to grow by 10 % below {MAX_STORAGE_GIB} GiB, found {storage_gib} to begin with"
    if not least <= max_storage_gib <= MAX_STORAGE_GIB:
        return f"expected {least} (110 % of {storage_gib}) to {MAX_STORAGE_GIB} GiB, found {max_storage_gib}"
    return None


def windows_problem(backup: str, maintenance: str) -> str | None:
    """What is wrong with two valid windows: RDS refuses a maintenance window that meets a backup's, of any day.

    Whether they may touch it does not say; here they may not.
    """
    backup_start, backup_minutes = _backup_span(backup)
    start, minutes = _maintenance_span(maintenance)
    for day in range(7):
        # How long after the maintenance this day's backup begins, around the week.
        after = (day * _DAY_MINUTES + backup_start - start) % _WEEK_MINUTES
        if after <= minutes or after + backup_minutes >= _WEEK_MINUTES:
            return f"expected a window apart from the daily backups ({backup}), found {maintenance}"
    return None


def subnet_problem(zones: Sequence[str]) -> str | None:
    """What is wrong with the availability zones of the subnets, one a subnet.

    RDS wants two, even for one without a standby
    (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html).
    """
    found = sorted(set(zones))
    if len(found) < 2:
        return f"expected subnets in at least two availability zones, found {', '.join(found) or 'none'}"
    return None


def topic_region_problem(arn: str, region: str) -> str | None:
    """What is wrong with the region of a valid topic: an alarm reaches topics of its own region only."""
    found = arn.split(":")[3]
    return None if found == region else f"expected a topic in {region}, where the database is, found one in {found}"


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
    """What is wrong with the settings, by field; empty where nothing is."""
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
    if not 1150 <= managed.port <= 65535:
        found["port"] = f"expected 1150 to 65535, found {managed.port}"
    return found


# An instance that exists


def status_problem(existing: ExistingInstance) -> str | None:
    """Why nothing may be updated now: the instance is being changed, or it does not serve."""
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
    """Changes that RDS makes only by replacing the instance, or not at all: a sentence each, with the way around.

    vpc_id, kms_key_arn: wanted ones; None where they are not known yet.

    What is left out changes in place. A smaller storage_gib is no problem as long as the maximum allows what there is:
    RDS itself may have grown it, and the provider takes what there is for what is wanted.
    """
    if existing.engine != ENGINE:
        # Nothing else about it can be compared.
        return [
            f"engine: expected {ENGINE}, found {existing.engine}: the RDS instance {existing.identifier} is somebody "
            "else's, or of another time. Choose another identifier"
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
    if wanted.snapshot_identifier is not None and existing.restored_from != restored_from(wanted.snapshot_identifier):
        found.append(
            f"snapshot_identifier: expected none, as the instance exists, found {wanted.snapshot_identifier}: a "
            "snapshot becomes a new instance, never the content of one that is there. Take it out, or choose another "
            "identifier for the restored instance"
        )
    return found


def restored_from(snapshot: str) -> str:
    """The value of RESTORED_FROM_TAG.

    RDS takes at most 256 characters, and none that begin with rds: as automated snapshots do
    (docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Tag.html).
    """
    return f"snapshot {snapshot[-200:]}"


def _version_problem(existing: str, wanted: str) -> str | None:
    """What is wrong with a change of version, both as 17 or 17.6."""
    there, asked = _version(existing), _version(wanted)
    if there[0] < asked[0]:
        return (
            f"engine_version: expected {there[0]}, as the instance has, found {wanted}: a new major version is no "
            "routine update, and what fails in it is down. Use a blue/green deployment, which is tried before the "
            "switch and keeps the identifier"
        )
    # The provider takes 17 for whatever 17.N there is.
    if there[0] > asked[0] or there[1:] > asked[1:] > ():
        return (
            f"engine_version: expected {existing} or {there[0]}, as the instance has, found {wanted}: RDS never goes "
            "back to an older version. Take the newer one, or restore a snapshot from before the upgrade under another "
            "identifier"
        )
    return None


def _growth_problem(existing: ExistingInstance, maximum: int) -> str | None:
    """What is wrong with a changed maximum of storage.

    RDS asks only where it changes: storage that has grown to its maximum must not stop other updates.
    """
    if maximum == existing.max_storage_gib:
        return None
    least = _least_maximum(existing.storage_gib)
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


def _least_maximum(storage_gib: int) -> int:
    """110 % of a size, rounded up."""
    return -(-storage_gib * 11 // 10)


def _backup_span(text: str) -> tuple[int, int]:
    """Start in minutes of the day, and length in minutes. Raises ValueError for another format."""
    match = re.fullmatch(rf"{_TIME}-{_TIME}", text)
    if match is None:
        refuse(f"expected a daily window in UTC such as 02:00-03:00, found {shown(text)}")
    start, end = _minutes(match[1], match[2]), _minutes(match[3], match[4])
    return start, (end - start) % _DAY_MINUTES


def _maintenance_span(text: str) -> tuple[int, int]:
    """Start in minutes of the week, and length in minutes. Raises ValueError for another format."""
    day = rf"({'|'.join(_DAYS)})"
    match = re.fullmatch(rf"{day}:{_TIME}-{day}:{_TIME}", text, re.IGNORECASE)
    if match is None:
        refuse(f"expected a weekly window in UTC such as sun:03:30-sun:04:30, found {shown(text)}")
    start = _DAYS.index(match[1].lower()) * _DAY_MINUTES + _minutes(match[2], match[3])
    end = _DAYS.index(match[4].lower()) * _DAY_MINUTES + _minutes(match[5], match[6])
    return start, (end - start) % _WEEK_MINUTES


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)


def _matching(text: str, pattern: str, expected: str) -> str:
    if not re.fullmatch(pattern, text):
        refuse(f"expected {expected}, found {shown(text)}")
    return text
