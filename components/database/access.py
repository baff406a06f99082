"""Connection Secrets for the database and the broker, and PgBouncer's configuration.

Everything is derived from one typed `Database`. No connection string is a Helm value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi

from components.database.broker import Broker
from components.database.connection import (
    CA_FILE,
    CA_FOLDER,
    CA_KEY,
    CA_VOLUME,
    Database,
    DatabaseLogin,
    SslMode,
    connection_uri,
    metadata_async_uri,
    metadata_uri,
    redis_uri,
)
from components.database.pgbouncer import METADATA_POOL, PORT, STATS_USER, PgBouncer, render_ini, render_users
from components.database.uri import URI_VARIABLE
from components.keys.generated_password import generated_password
from components.kube.env import from_secret, variable
from components.kube.immutable_secret import immutable_secret
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.kube.secret import secret_output

TYPE: Final = "airflow:index:DatabaseAccess"

CONNECTION_KEY: Final = "connection"
"""Data key of a connection string, as the chart names it."""
ASYNC_CONNECTION_KEY: Final = "connection-async"

_BROKER_DATABASE = 0
_RESULT_BACKEND_DATABASE = 1
_STATS_PASSWORD_LENGTH = 40


@dataclass(frozen=True, kw_only=True)
class DatabaseAccessArgs:
    """Arguments of `DatabaseAccess`."""

    namespace: pulumi.Input[str]
    """Namespace of the Secrets."""
    release_name: str
    """Name of the Helm release; the names of the chart's Services begin with it."""
    database: Database
    """The metadata database."""
    pgbouncer: PgBouncer | None
    """The pooler in front of the database, or None for direct connections."""
    login: DatabaseLogin | None = None
    """Who logs in to the database in place of its own role: the pooler, or without one the pods; and the Jobs."""
    redis_password: pulumi.Output[str] | None
    """Password of the chart's Redis, or None without Celery."""
    broker: Broker | None = None
    """A Redis outside the stack that Celery uses in place of the chart's, or None."""


class DatabaseAccess(pulumi.ComponentResource):
    """Secrets with the connection strings of the database, the broker and the result backend.

    Celery's results go to Redis, so that a worker needs no access to the database.
    Raises: ValueError for a password with line ends, which PgBouncer's file cannot hold.
    Replaces: a changed address or password makes new Secrets, changed certificates a new ConfigMap; the pods that use
    them roll.
    Survives a destroy: nothing.
    """

    metadata_secret: pulumi.Output[str]
    """Name of the Secret with the URIs that Airflow's pods use, through PgBouncer if there is one."""
    migration_secret: pulumi.Output[str]
    """Name of the Secret with the URIs that bypass PgBouncer, because a migration holds session locks."""
    broker_secret: pulumi.Output[str] | None
    """Name of the Secret with Celery's broker URL; None without Celery."""
    result_backend_secret: pulumi.Output[str] | None
    """Name of the Secret with Celery's result backend; None without Celery."""
    pgbouncer_config_secret: pulumi.Output[str] | None
    """Name of the Secret with `pgbouncer.ini` and `users.txt`; None without PgBouncer."""
    pgbouncer_stats_secret: pulumi.Output[str] | None
    """Name of the Secret with the metrics exporter's connection; None without PgBouncer."""
    ca_config_map: pulumi.Output[str] | None
    """Name of the ConfigMap with the CA certificates of the database (key `ca.crt`); None if nothing is verified."""

    def __init__(self, name: str, args: DatabaseAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        database, pooler, login = args.database, args.pgbouncer, args.login

        def secret(role: str, data: dict[str, pulumi.Output[str]]) -> pulumi.Output[str]:
            return immutable_secret(f"{name}-{role}", args.namespace, data, child)

        self.ca_config_map = None
        if database.ca_certificates is not None:
            certificates = KubeObject(
                "v1",
                "ConfigMap",
                f"{name}-ca",
                {
                    "metadata": object_metadata(args.namespace),
                    "immutable": True,
                    "data": {CA_KEY: database.ca_certificates},
                },
                child,
            )
            self.ca_config_map = certificates.name

        direct = _uris(logged_in(database, login), database.host, database.port, database.name, database.ssl_mode)
        self.migration_secret = secret("migration", direct)
        self.pgbouncer_config_secret = self.pgbouncer_stats_secret = None
        if pooler is None:
            self.metadata_secret = secret("metadata", direct)
        else:
            host = f"{args.release_name}-pgbouncer"
            # Pods connect to the pooler without TLS; PgBouncer uses TLS towards the database.
            self.metadata_secret = secret("metadata", _uris(database, host, PORT, METADATA_POOL, SslMode.PREFER))
            stats_password = generated_password(f"{name}-pgbouncer-stats", _STATS_PASSWORD_LENGTH, child)
            self.pgbouncer_config_secret = secret(
                "pgbouncer-config",
                {
                    "pgbouncer.ini": pulumi.Output.all(
                        database.host, None if login is None else secret_output(login.password)
                    ).apply(
                        lambda found: render_ini(
                            host=found[0],
                            login=None if login is None else (login.user, found[1]),
                            port=database.port,
                            name=database.name,
                            pool_size=pooler.pool_size,
                            max_client_connections=pooler.max_client_connections,
                            ssl_mode=database.ssl_mode,
                            client_certificate=database.client_certificate is not None,
                        )
                    ),
                    "users.txt": pulumi.Output.all(secret_output(database.password), stats_password).apply(
                        lambda passwords: render_users({database.user: passwords[0], STATS_USER: passwords[1]})
                    ),
                },
            )
            self.pgbouncer_stats_secret = secret(
                "pgbouncer-stats",
                {
                    CONNECTION_KEY: stats_password.apply(
                        lambda password: connection_uri(
                            driver="postgresql",
                            user=STATS_USER,
                            password=password,
                            host="127.0.0.1",
                            port=PORT,
                            name="pgbouncer",
                            query={"sslmode": "disable"},
                        )
                    )
                },
            )

        self.broker_secret = self.result_backend_secret = None
        if args.broker is not None:
            url = secret_output(args.broker.url)
            self.broker_secret = secret("broker", {CONNECTION_KEY: url})
            self.result_backend_secret = secret("result-backend", {CONNECTION_KEY: url})
        elif args.redis_password is not None:
            redis = f"{args.release_name}-redis"
            broker = args.redis_password.apply(lambda value: redis_uri(value, redis, _BROKER_DATABASE))
            results = args.redis_password.apply(lambda value: redis_uri(value, redis, _RESULT_BACKEND_DATABASE))
            self.broker_secret = secret("broker", {CONNECTION_KEY: broker})
            self.result_backend_secret = secret("result-backend", {CONNECTION_KEY: results})
        self.register_outputs(
            {
                "metadata_secret": self.metadata_secret,
                "migration_secret": self.migration_secret,
                "broker_secret": self.broker_secret,
                "result_backend_secret": self.result_backend_secret,
                "pgbouncer_config_secret": self.pgbouncer_config_secret,
                "pgbouncer_stats_secret": self.pgbouncer_stats_secret,
                "ca_config_map": self.ca_config_map,
            }
        )


def _uris(
    database: Database, host: pulumi.Input[str], port: int, name: str, ssl_mode: SslMode
) -> dict[str, pulumi.Output[str]]:
    """Return the synchronous and the asynchronous URI of the database at `host`."""
    parts = pulumi.Output.all(secret_output(database.password), host)
    return {
        CONNECTION_KEY: parts.apply(lambda p: metadata_uri(database.user, p[0], p[1], port, name, ssl_mode)),
        ASYNC_CONNECTION_KEY: parts.apply(
            lambda p: metadata_async_uri(database.user, p[0], p[1], port, name, ssl_mode)
        ),
    }


def logged_in(database: Database, login: DatabaseLogin | None) -> Database:
    """Return the database with the role that logs in to it."""
    return database if login is None else replace(database, user=login.user, password=login.password)


def database_variables(secret: pulumi.Input[str]) -> list[dict[str, Any]]:
    """The variables of a process that uses the metadata database. A worker never gets these."""
    return [
        from_secret(URI_VARIABLE, secret, CONNECTION_KEY),
        from_secret("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC", secret, ASYNC_CONNECTION_KEY),
    ]


def ca_variables(config_map: pulumi.Input[str] | None) -> list[dict[str, Any]]:
    """Return the variable with the file of the CA certificates; none without the ConfigMap that holds them.

    libpq and asyncpg both read it; their URI parameters for the file differ.
    """
    return [] if config_map is None else [variable("PGSSLROOTCERT", CA_FILE)]


def ca_volumes(config_map: pulumi.Input[str] | None) -> list[dict[str, Any]]:
    """Return a pod's volume with the CA certificates; none without the ConfigMap that holds them."""
    return [] if config_map is None else [{"name": CA_VOLUME, "configMap": {"name": config_map}}]


def ca_mounts(config_map: pulumi.Input[str] | None) -> list[dict[str, Any]]:
    """Return where a container has that volume."""
    return [] if config_map is None else [{"name": CA_VOLUME, "mountPath": CA_FOLDER, "readOnly": True}]
