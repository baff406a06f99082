"""Which kind of metadata database a stack has, and that no key of another kind is set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.database.connection import ContainerDatabase, Database, ExternalDatabase, SslMode
from components.database.host import outside_networks
from components.database.rds_settings import ManagedDatabase
from components.kube.secret import Secret
from components.network.isolation_args import Isolation
from settings.errors import remove_command
from settings.keys import ConfigKey
from settings.reading import Config
from settings.restoration import InstanceRestoration
from settings.sections import database as db
from settings.sections.cluster import PROTECT, AwsChoice
from settings.sections.database import DatabaseKind
from settings.sections.isolation import NETWORK_ISOLATION
from settings.sections.keys import refuse_guessable
from settings.sections.managed_database import check_managed, read_managed

_OWN_KEYS: dict[DatabaseKind, tuple[ConfigKey[Any], ...]] = {
    DatabaseKind.CONTAINER: (),
    DatabaseKind.EXTERNAL: (db.HOST, db.PASSWORD, db.CIDRS, db.CLIENT_CERTIFICATE_SECRET),
    DatabaseKind.MANAGED: (
        db.IDENTIFIER,
        db.SUBNET_IDS,
        db.SNAPSHOT_IDENTIFIER,
        db.ALARM_TOPIC_ARN,
        db.MASTER_PASSWORD,
    ),
}
"""Keys that say something about one kind only, and are empty by default."""
_WITH_DEFAULT: dict[tuple[DatabaseKind, ...], tuple[ConfigKey[Any], ...]] = {
    (DatabaseKind.EXTERNAL,): (db.PORT, db.SSL_MODE, db.MAX_CONNECTIONS),
    (DatabaseKind.EXTERNAL, DatabaseKind.MANAGED): (db.NAME, db.USER),
    (DatabaseKind.MANAGED,): (
        db.MAX_STORAGE_GIB,
        db.INSTANCE_CLASS,
        db.ENGINE_VERSION,
        db.MULTI_AZ,
        db.BACKUP_RETENTION_DAYS,
        db.BACKUP_WINDOW,
        db.MAINTENANCE_WINDOW,
        db.CA_IDENTIFIER,
        db.APPLY_IMMEDIATELY,
    ),
}
"""Kinds, each with the keys that only they take notice of, and that have a default."""


@dataclass(frozen=True, kw_only=True)
class DatabaseChoice:
    """The database, and for a managed one what AWS decides where the config does not."""

    database: ContainerDatabase | ExternalDatabase | ManagedDatabase
    """The database as the platform takes it."""
    subnet_ids: tuple[str, ...] = ()
    """Subnets of a managed database. Empty takes the cluster's."""
    ca_certificates: str | None = None
    """PEM for a managed database, or None for RDS's own of the region."""


def read_database(config: Config, aws: AwsChoice | None) -> DatabaseChoice:
    """Return the database. A key of another kind is refused, because it would have no effect."""
    kind = config[db.DATABASE]
    if kind is not DatabaseKind.MANAGED and isinstance(config[db.RESTORE], InstanceRestoration):
        config.must_not_be_set(db.RESTORE, f"to a restore of an RDS instance with {db.DATABASE.full} {kind}")
    certificate = config[db.CA_CERTIFICATE]
    if not config.bad(db.DATABASE):  # else which kind is meant is not known
        _refuse_keys_of_others(config, kind)
    if kind is DatabaseKind.EXTERNAL:
        return DatabaseChoice(database=_external(config))
    if kind is DatabaseKind.MANAGED:
        managed = read_managed(config)
        check_managed(config, managed, aws)
        return DatabaseChoice(database=managed, subnet_ids=config[db.SUBNET_IDS], ca_certificates=certificate)
    if config[PROTECT]:
        config.problem(
            db.DATABASE,
            f"expected external or managed if {PROTECT.full} is true, found container: one pod without backups",
            f"pulumi config set {db.DATABASE.full} external",
        )
    return DatabaseChoice(database=ContainerDatabase(storage_gib=config[db.STORAGE_GIB]))


def _refuse_keys_of_others(config: Config, kind: DatabaseKind) -> None:
    when = f"with {db.DATABASE.full} {kind}"
    for other, keys in _OWN_KEYS.items():
        if other is not kind:
            config.refuse_set(keys, when)
    for kinds, keys in _WITH_DEFAULT.items():
        if kind not in kinds:
            for key in filter(config.given, keys):
                config.must_not_be_set(key, when)
    if kind is DatabaseKind.CONTAINER:
        config.refuse_set((db.CA_CERTIFICATE,), when)


def _external(config: Config) -> ExternalDatabase:
    ssl_mode, cidrs, certificate = config[db.SSL_MODE], config[db.CIDRS], config[db.CA_CERTIFICATE]
    if config[db.HOST] is None:
        config.problem(db.HOST, "expected a value, found none")
    if config[db.PASSWORD] is None:
        config.problem(db.PASSWORD, f"expected a value with {db.DATABASE.full} external, found none")
    # A value that is not known here is an empty Secret.
    password = config[db.PASSWORD] or Secret("")
    refuse_guessable(config, db.PASSWORD, password.reveal(), "the database")
    if config[NETWORK_ISOLATION] is not Isolation.OFF and not cidrs and not config.bad(NETWORK_ISOLATION):
        config.problem(
            db.CIDRS,
            "expected the database's networks, which workers must not reach, found none",
            f"pulumi config set --path '{db.CIDRS.full}[0]' 10.0.0.0/24",
        )
    if config[PROTECT] and ssl_mode in (SslMode.DISABLE, SslMode.PREFER):
        config.problem(
            db.SSL_MODE,
            f"expected require, verify-ca or verify-full if {PROTECT.full} is true, found {ssl_mode}",
            f"pulumi config set {db.SSL_MODE.full} verify-full",
        )
    if not config.bad(db.SSL_MODE):
        _check_certificate(config)
    if config[db.HOST] and cidrs and not config.bad(db.HOST, db.CIDRS):
        outside = outside_networks(config[db.HOST] or "", cidrs)
        if outside is not None:
            config.problem(
                db.CIDRS,
                f"{outside}: network isolation would close the database to its clients and leave it open to workers",
                f"pulumi config set --path '{db.CIDRS.full}[{len(cidrs)}]' NETWORK",
            )
    return ExternalDatabase(
        database=Database(
            host=config[db.HOST] or "",
            port=config[db.PORT],
            name=config[db.NAME],
            user=config[db.USER],
            password=password,
            ssl_mode=ssl_mode,
            ca_certificates=(certificate or "") if ssl_mode.verifies else None,
            client_certificate=config[db.CLIENT_CERTIFICATE_SECRET],
        ),
        cidrs=cidrs,
    )


def _check_certificate(config: Config) -> None:
    ssl_mode, certificate = config[db.SSL_MODE], config[db.CA_CERTIFICATE]
    if ssl_mode.verifies and certificate is None:
        config.problem(
            db.CA_CERTIFICATE,
            f"expected the authority's certificate with {db.SSL_MODE.full} {ssl_mode}, found none",
        )
    if not ssl_mode.verifies and config[db.CLIENT_CERTIFICATE_SECRET] is not None:
        config.problem(
            db.CLIENT_CERTIFICATE_SECRET,
            f"expected {db.SSL_MODE.full} verify-ca or verify-full beside it, found {ssl_mode}: pods would show the "
            "certificate to whoever answers",
            f"pulumi config set {db.SSL_MODE.full} verify-full, or {remove_command(db.CLIENT_CERTIFICATE_SECRET)}",
        )
    if not ssl_mode.verifies and certificate is not None:
        config.must_not_be_set(
            db.CA_CERTIFICATE,
            f"with {db.SSL_MODE.full} {ssl_mode}, which verifies nothing",
            instead=f"pulumi config set {db.SSL_MODE.full} verify-full",
        )
