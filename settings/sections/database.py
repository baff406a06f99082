"""The metadata database: a container, one that exists, or an RDS instance that the stack makes; and PgBouncer.

The rules are beside it: `external_database.py`, `managed_database.py` and `pgbouncer.py`.
"""

from __future__ import annotations

import datetime
from enum import StrEnum

from components.database import rds_settings, rds_windows
from components.database.backup_bucket import BackupStore
from components.database.connection import SslMode
from components.database.host import database_host
from components.database.rds_instance_class import instance_memory_gib
from components.database.rds_settings import CertificateAuthority
from components.kube.ports import LAST_PORT
from components.platform_args import AirflowPlatformArgs
from components.texts import fields
from settings.foreign_secrets import foreign_secret
from settings.keys import Section
from settings.restoration import restoration_of

SECTION = Section("Metadata database")


class DatabaseKind(StrEnum):
    """Who makes the database: the stack in its namespace, somebody else, or the stack in RDS."""

    CONTAINER = "container"
    EXTERNAL = "external"
    MANAGED = "managed"


def _instance_class(text: str) -> str:
    instance_memory_gib(rds_settings.instance_class(text))
    return text


def _login(text: str) -> str:
    role, separator, password = text.partition(":")
    if not separator or not password:
        fields.refuse("expected ROLE:PASSWORD, found something else")
    fields.database_name(role)
    fields.secret_line(password)
    return text


def _ca_certificates(text: str) -> str:
    # Imported here, because the parser of certificates is slow to load and most stacks do not need it.
    from components.database.rds_certificates import certificate_problems

    problems = certificate_problems(text, now=datetime.datetime.now(datetime.UTC))
    return fields.refuse(problems[0]) if problems else text


DATABASE = SECTION.choice(
    "database",
    DatabaseKind,
    default=DatabaseKind.EXTERNAL,
    description="container (PostgreSQL in the namespace, for a laptop), external (a database that exists), or managed "
    "(an RDS instance that the stack makes; needs eksCluster).",
)
HOST = SECTION.optional("databaseHost", database_host, description="Host name or address of an external database.")
PORT = SECTION.integer("databasePort", 1, LAST_PORT, default=5432, description="Port of an external database.")
NAME = SECTION.text(
    "databaseName", fields.database_name, default="airflow", description="Name of an external or managed database."
)
USER = SECTION.text(
    "databaseUser",
    fields.database_name,
    default="airflow",
    description="Role that logs in to an external database, which it must own. Master user of a managed database.",
)
PASSWORD = SECTION.secret("databasePassword", fields.secret_line, description="Password of databaseUser.")
LOGIN = SECTION.secret(
    "databaseLogin",
    _login,
    description="ROLE:PASSWORD with which Airflow logs in to the database, in place of databaseUser. Tables that the "
    "role creates must belong to the database's owner. python -m automation rotate database-password writes it; with "
    "database container, nothing else makes such a role.",
)
MASTER_PASSWORD = SECTION.secret(
    "databaseMasterPassword",
    rds_settings.master_password,
    description="Password of a managed database's master user, which no pod of Airflow has. Needs databaseLogin. "
    "python -m automation rotate database-password writes it.",
)
SSL_MODE = SECTION.choice(
    "databaseSslMode",
    SslMode,
    default=SslMode.REQUIRE,
    description="TLS to an external database: disable, prefer, require (encrypts, but does not check the server), "
    "verify-ca (checks the authority) or verify-full (also checks the host name). A managed database always has "
    "verify-full.",
)
CA_CERTIFICATE = SECTION.optional(
    "databaseCaCertificate",
    _ca_certificates,
    file="CA_FILE",
    description="PEM of the authority that signs an external database's certificate, with databaseSslMode verify-ca or "
    "verify-full.",
)
CLIENT_CERTIFICATE_SECRET = SECTION.optional(
    "databaseClientCertificateSecret",
    foreign_secret,
    description="Name of a Secret that something else puts into the namespace, with tls.crt and tls.key: the "
    "certificate that an external database asks for. Needs databaseSslMode verify-ca or verify-full.",
)
MAX_CONNECTIONS = SECTION.integer(
    "databaseMaxConnections",
    0,
    100_000,
    default=0,
    description="Connections that an external database accepts. A stack that could need more is refused; 0 checks "
    "nothing.",
)
CIDRS = SECTION.texts(
    "databaseCidrs",
    fields.network,
    check_all=fields.not_everybody,
    description="Networks of an external database. Network isolation opens them to the pods that use the "
    "database, and closes them to workers.",
)
STORAGE_GIB = SECTION.integer(
    "databaseStorageGib",
    1,
    rds_settings.MAX_STORAGE_GIB,
    default=10,
    description="Size in GiB of a container database's volume, or of a managed database's storage at the start.",
)
MAX_STORAGE_GIB = SECTION.integer(
    "databaseMaxStorageGib",
    1,
    rds_settings.MAX_STORAGE_GIB,
    default=1000,
    description="Size in GiB to which a managed database's storage may grow by itself.",
)
IDENTIFIER = SECTION.optional(
    "databaseIdentifier", rds_settings.identifier, description="Name of the RDS instance of a managed database."
)
INSTANCE_CLASS = SECTION.text(
    "databaseInstanceClass",
    _instance_class,
    default="db.m7g.large",
    description="Instance class of a managed database. It limits the number of connections.",
)
ENGINE_VERSION = SECTION.text(
    "databaseEngineVersion",
    rds_settings.engine_version,
    default=str(rds_settings.ENGINE_MAJOR),
    description=f"PostgreSQL of a managed database, {rds_settings.ENGINE_MAJOR} or a minor version such as "
    f"{rds_settings.ENGINE_MAJOR}.6. RDS installs minor versions by itself, in the maintenance window.",
)
MULTI_AZ = SECTION.boolean(
    "databaseMultiAz",
    default=True,
    description="Keep a standby of a managed database in another availability zone.",
)
SUBNET_IDS = SECTION.texts(
    "databaseSubnetIds",
    fields.subnet_id,
    description="Subnets of a managed database, in two availability zones or more. Empty takes the private subnets of "
    "the EKS cluster.",
)
BACKUP_RETENTION_DAYS = SECTION.integer(
    "databaseBackupRetentionDays",
    rds_settings.MIN_BACKUP_RETENTION_DAYS,
    rds_settings.MAX_BACKUP_RETENTION_DAYS,
    default=14,
    description="Days that backups of a managed database are kept, {least} to {most}.",
)
BACKUP_WINDOW = SECTION.text(
    "databaseBackupWindow",
    rds_windows.backup_window,
    default="02:00-03:00",
    description="Daily window for backups of a managed database, in UTC.",
)
MAINTENANCE_WINDOW = SECTION.text(
    "databaseMaintenanceWindow",
    rds_windows.maintenance_window,
    default="sun:03:30-sun:04:30",
    description="Weekly window for maintenance of a managed database, in UTC.",
)
CA_IDENTIFIER = SECTION.choice(
    "databaseCaIdentifier",
    CertificateAuthority,
    default=CertificateAuthority.RSA_2048,
    description="Certificate authority of a managed database ({choices}).",
)
APPLY_IMMEDIATELY = SECTION.boolean(
    "databaseApplyImmediately",
    default=False,
    description="Change a managed database at once instead of in its next maintenance window.",
)
SNAPSHOT_IDENTIFIER = SECTION.optional(
    "databaseSnapshotIdentifier",
    rds_settings.snapshot_identifier,
    description="Snapshot that a new managed database is restored from.",
)
ALARM_TOPIC_ARN = SECTION.optional(
    "databaseAlarmTopicArn",
    rds_settings.topic_arn,
    description="SNS topic that alarms of a managed database go to. Empty makes no alarms.",
)
BACKUP_STORE = SECTION.choice(
    "backupStore",
    BackupStore,
    default=AirflowPlatformArgs.backup_store,
    description="Where dumps of the database are kept: volume (of backupStorageGib), or bucket (that of the task logs, "
    "in a folder of its own; needs taskLogs s3, or remote with s3://).",
)
BACKUP_STORAGE_GIB = SECTION.integer(
    "backupStorageGib",
    0,
    rds_settings.MAX_STORAGE_GIB,
    default=AirflowPlatformArgs.backup_storage_gib,
    description="Size of the volume for dumps of the database that python -m automation backup makes, in GiB. 0 makes "
    "no volume.",
)
BACKUP_SCHEDULE = SECTION.optional(
    "backupSchedule",
    fields.cron,
    description="Cron schedule of automatic dumps, in UTC, such as 30 1 * * *. Needs "
    "backupStorageGib, or backupStore bucket.",
)
DUMP_RETENTION_DAYS = SECTION.integer(
    "backupRetentionDays",
    0,
    3650,
    default=AirflowPlatformArgs.backup_retention_days,
    description="Days that dumps are kept, {least} to {most}. backupSchedule deletes older ones, but never the newest. "
    "0 keeps all.",
)
RESTORE = SECTION.mark(
    "restore",
    restoration_of,
    description="The restore of a backup that is under way. python -m automation restore writes and removes it.",
)
MIGRATION_TIMEOUT_SECONDS = SECTION.integer(
    "migrationTimeoutSeconds",
    30,
    86_400,
    default=AirflowPlatformArgs.migration_timeout_seconds,
    description="A database migration fails after this many seconds, {least} to {most}.",
)
PGBOUNCER_ENABLED = SECTION.boolean(
    "pgbouncerEnabled", default=False, description="Put PgBouncer between Airflow and the database."
)
PGBOUNCER_REPLICAS = SECTION.integer(
    "pgbouncerReplicas", 1, 50, default=2, description="Pods of PgBouncer, {least} to {most}."
)
PGBOUNCER_POOL_SIZE = SECTION.integer(
    "pgbouncerPoolSize",
    0,
    1000,
    default=0,
    description="Connections of one PgBouncer pod to the database, up to {most}. 0 computes them from replicas and "
    "database.",
)
PGBOUNCER_MAX_CLIENT_CONNECTIONS = SECTION.integer(
    "pgbouncerMaxClientConnections",
    0,
    100_000,
    default=0,
    description="Connections that one PgBouncer pod accepts, up to {most}. 0 computes them from replicas and "
    "concurrency.",
)
METADATA_RETENTION_DAYS = SECTION.integer(
    "metadataRetentionDays",
    0,
    3650,
    default=AirflowPlatformArgs.metadata_retention_days,
    description="Delete runs, logs and other metadata older than this many days, once a week; up to {most}. 0 "
    "keeps all.",
)
