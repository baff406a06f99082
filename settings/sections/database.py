"""The metadata database: a container, one that exists, or an RDS instance that the stack makes."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from components import fields
from components.database import rds_settings
from components.database.connection import ContainerDatabase, Database, ExternalDatabase, SslMode
from components.database.rds_settings import CertificateAuthority, ManagedDatabase
from components.kube.secret import Secret
from components.network.isolation_args import Isolation
from settings.reader import PROJECT, Reader
from settings.sections.aws import AwsChoice, needs_aws

AnyDatabase = ContainerDatabase | ExternalDatabase | ManagedDatabase

_INSIGHTS_RETENTION_DAYS: Final = 7  # the free tier's
_IDENTIFIER: Final = "databaseIdentifier"
_CONFIG_KEYS: Final = {"storage_gib": "databaseStorageGib", "max_storage_gib": "databaseMaxStorageGib"}


class _Kind(StrEnum):
    CONTAINER = "container"
    EXTERNAL = "external"
    MANAGED = "managed"


@dataclass(frozen=True, kw_only=True)
class DatabaseChoice:
    """The database, and of a managed one what AWS decides where the config does not.

    subnet_ids: where it is to be; empty takes the cluster's. ca_certificates: PEM, or None for RDS's own of the region.
    """

    database: AnyDatabase
    subnet_ids: tuple[str, ...] = ()
    ca_certificates: str | None = None


def read_database(read: Reader, aws: AwsChoice | None, isolation: Isolation) -> DatabaseChoice:
    """The keys database….

    What belongs to another kind of database is refused: whoever sets it thinks that it does something.
    """
    kind = read.choice("database", _Kind)
    storage_gib = read.integer("databaseStorageGib", 1, rds_settings.MAX_STORAGE_GIB)
    # Each kind's own keys are read here, whatever the kind is: a bad value is told, and no key is unknown.
    certificate = read.text("databaseCaCertificate", _ca_certificates, empty=True)
    external = _external(read, isolation, certificate, wanted=kind is _Kind.EXTERNAL)
    managed, subnet_ids = _managed(read, aws, storage_gib, wanted=kind is _Kind.MANAGED)
    if kind is _Kind.EXTERNAL:
        return DatabaseChoice(database=external)
    if kind is _Kind.MANAGED:
        return DatabaseChoice(database=managed, subnet_ids=subnet_ids, ca_certificates=certificate)
    if certificate is not None:
        _belongs_elsewhere(read, "databaseCaCertificate", kind)
    if read.boolean("protect"):
        read.problem(
            "database",
            "expected external or managed where airflow:protect is true, found container: one pod without backups",
            f"pulumi config set {PROJECT}:database external",
        )
    return DatabaseChoice(database=ContainerDatabase(storage_gib=storage_gib))


def _belongs_elsewhere(read: Reader, key: str, kind: _Kind) -> None:
    if read.bad("database"):
        return  # nobody knows which kind is meant
    read.problem(key, f"expected none with {PROJECT}:database {kind}, found one", f"pulumi config rm {PROJECT}:{key}")


def _external(read: Reader, isolation: Isolation, certificate: str | None, *, wanted: bool) -> ExternalDatabase:
    kind = read.choice("database", _Kind)
    host = read.text("databaseHost", fields.host, empty=not wanted)
    port = read.integer("databasePort", 1, 65535)
    name = read.text("databaseName", fields.database_name) or ""
    user = read.text("databaseUser", fields.database_name) or ""
    password = read.secret("databasePassword", fields.secret_line)
    ssl_mode = read.choice("databaseSslMode", SslMode)
    cidrs = read.networks("databaseCidrs")
    read.integer("databaseMaxConnections", 0, 100_000)
    if not wanted:
        for key, value in (("databaseHost", host), ("databasePassword", password), ("databaseCidrs", cidrs)):
            if value:
                _belongs_elsewhere(read, key, kind)
        nothing = Database(host="", port=port, name=name, user=user, password=Secret(""))
        return ExternalDatabase(database=nothing, cidrs=())
    if password is None:
        read.problem("databasePassword", "expected a value with airflow:database external, found none")
    if isolation is not Isolation.OFF and not cidrs and not read.bad("networkIsolation"):
        read.problem(
            "databaseCidrs",
            "expected the database's networks, which workers must not reach, found none",
            f"pulumi config set --path '{PROJECT}:databaseCidrs[0]' 10.0.0.0/24",
        )
    if read.boolean("protect") and ssl_mode not in (SslMode.REQUIRE, SslMode.VERIFY_FULL):
        read.problem(
            "databaseSslMode",
            f"expected require or verify-full where airflow:protect is true, found {ssl_mode}",
            f"pulumi config set {PROJECT}:databaseSslMode verify-full",
        )
    if not read.bad("databaseSslMode"):
        _certificate_fits(read, ssl_mode, certificate)
    verified = ssl_mode is SslMode.VERIFY_FULL
    database = Database(
        host=host or "",
        port=port,
        name=name,
        user=user,
        password=password or Secret(""),
        ssl_mode=ssl_mode,
        ca_certificates=certificate or "" if verified else None,
    )
    return ExternalDatabase(database=database, cidrs=cidrs)


def _certificate_fits(read: Reader, ssl_mode: SslMode, certificate: str | None) -> None:
    if ssl_mode is SslMode.VERIFY_FULL and certificate is None:
        read.problem(
            "databaseCaCertificate",
            "expected the authority's certificate with airflow:databaseSslMode verify-full, found none",
            f"pulumi config set {PROJECT}:databaseCaCertificate < CA_FILE",
        )
    if ssl_mode is not SslMode.VERIFY_FULL and certificate is not None:
        read.problem(
            "databaseCaCertificate",
            f"expected none with airflow:databaseSslMode {ssl_mode}, which verifies nothing, found one",
            f"pulumi config rm {PROJECT}:databaseCaCertificate, or pulumi config set {PROJECT}:databaseSslMode "
            "verify-full",
        )


def _managed(
    read: Reader, aws: AwsChoice | None, storage_gib: int, *, wanted: bool
) -> tuple[ManagedDatabase, tuple[str, ...]]:
    def text(key: str, check: Callable[[str], str], *, empty: bool = False) -> str:
        return read.text(key, check, empty=empty) or ""

    managed = ManagedDatabase(
        identifier=text(_IDENTIFIER, rds_settings.identifier, empty=not wanted),
        instance_class=text("databaseInstanceClass", _instance_class),
        engine_version=text("databaseEngineVersion", rds_settings.engine_version),
        name=_checked(read, "databaseName", rds_settings.database_name, wanted=wanted),
        username=_checked(read, "databaseUser", rds_settings.username, wanted=wanted),
        storage_gib=storage_gib,
        max_storage_gib=read.integer("databaseMaxStorageGib", 1, rds_settings.MAX_STORAGE_GIB),
        multi_az=read.boolean("databaseMultiAz"),
        backup_retention_days=read.integer(
            "databaseBackupRetentionDays",
            rds_settings.MIN_BACKUP_RETENTION_DAYS,
            rds_settings.MAX_BACKUP_RETENTION_DAYS,
        ),
        backup_window=text("databaseBackupWindow", rds_settings.backup_window),
        maintenance_window=text("databaseMaintenanceWindow", rds_settings.maintenance_window),
        ca_identifier=read.choice("databaseCaIdentifier", CertificateAuthority),
        apply_immediately=read.boolean("databaseApplyImmediately"),
        snapshot_identifier=read.text("databaseSnapshotIdentifier", rds_settings.snapshot_identifier, empty=True),
        alarm_topic_arn=read.text("databaseAlarmTopicArn", rds_settings.topic_arn, empty=True),
        performance_insights_retention_days=_INSIGHTS_RETENTION_DAYS,
    )
    subnets = read.texts("databaseSubnetIds", fields.subnet_id)
    if not wanted:
        kind = read.choice("database", _Kind)
        given: dict[str, Any] = {
            _IDENTIFIER: managed.identifier,
            "databaseSubnetIds": subnets,
            "databaseSnapshotIdentifier": managed.snapshot_identifier,
            "databaseAlarmTopicArn": managed.alarm_topic_arn,
        }
        for key, value in given.items():
            if value:
                _belongs_elsewhere(read, key, kind)
        return managed, ()
    needs_aws(read, aws, "database", "the instance is")
    if (
        managed.alarm_topic_arn
        and aws
        and aws.region
        and (problem := rds_settings.topic_region_problem(managed.alarm_topic_arn, aws.region))
    ):
        read.problem("databaseAlarmTopicArn", problem)
    for field, problem in rds_settings.problems(managed).items():
        # All others were checked one by one above.
        if field in _CONFIG_KEYS:
            read.problem(_CONFIG_KEYS[field], problem)
        elif field == "maintenance_window":
            read.problem("databaseMaintenanceWindow", problem)
    if not read.boolean("pgbouncerEnabled"):
        read.problem(
            "pgbouncerEnabled",
            "expected true with airflow:database managed, found false: PgBouncer alone is let to the instance, and it "
            "verifies the instance's certificate",
            f"pulumi config set {PROJECT}:pgbouncerEnabled true",
        )
    if read.boolean("protect") and not managed.multi_az:
        read.problem(
            "databaseMultiAz",
            "expected true where airflow:protect is true, found false: one availability zone that fails stops Airflow",
            f"pulumi config set {PROJECT}:databaseMultiAz true",
        )
    return managed, subnets


def _checked(read: Reader, key: str, check: Callable[[str], str], *, wanted: bool) -> str:
    """A key that an external database has too, with RDS's own rules."""
    return read.text(key, check if wanted else str) or ""


def _instance_class(text: str) -> str:
    # Imported here: a stack without a managed database has no use for the table.
    from components.database.rds_instance_class import instance_memory_gib

    instance_memory_gib(rds_settings.instance_class(text))
    return text


def _ca_certificates(text: str) -> str:
    from components.database.rds_certificates import certificate_problems

    found = certificate_problems(text, now=datetime.datetime.now(datetime.UTC))
    return fields.refuse(found[0]) if found else text
