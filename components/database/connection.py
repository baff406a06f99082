"""The metadata database as one typed value, and its connection strings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final
from urllib.parse import quote, urlencode

import pulumi

from components.kube.secret import SecretInput

CA_FOLDER: Final = "/etc/airflow-database-ca"
"""Mount path of the CA certificates in a pod that connects to the database directly."""
CA_VOLUME: Final = "database-ca"
"""Name of the volume with them."""
CA_KEY: Final = "ca.crt"
CA_FILE: Final = f"{CA_FOLDER}/{CA_KEY}"


@unique
class SslMode(StrEnum):
    """libpq's `sslmode` for connections to the database."""

    DISABLE = "disable"
    """No encryption, for a database on the same machine."""
    PREFER = "prefer"
    """Encryption if the server supports it."""
    REQUIRE = "require"
    """Encryption, without verifying the server."""
    VERIFY_CA = "verify-ca"
    """Encryption, and the server's certificate is verified, but not the name in it, as Cloud SQL needs it."""
    VERIFY_FULL = "verify-full"
    """Encryption, and the server's certificate and the name in it are verified."""

    @property
    def verifies(self) -> bool:
        """Whether the server's certificate is verified, so that its authority's is needed."""
        return self in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL)


@dataclass(frozen=True, kw_only=True)
class Database:
    """How to connect to the metadata database."""

    host: pulumi.Input[str]
    """DNS name or address, as pods see it."""
    port: int
    """TCP port."""
    name: str
    """Name of the database."""
    user: str
    """Login role; it owns the database, because migrations change its schema."""
    password: SecretInput
    """Password of the role: any printable characters."""
    ssl_mode: SslMode = SslMode.PREFER
    """TLS of direct connections; with PgBouncer, of its connections."""
    ca_certificates: str | None = None
    """PEM of the CAs that `verify-ca` and `verify-full` trust; None with any other mode."""
    client_certificate: str | None = None
    """An existing Secret with `tls.crt` and `tls.key` for a database that asks for them; None if it does not."""

    def __post_init__(self) -> None:
        """Raise ValueError unless `ca_certificates` is given with a mode that verifies, and only then."""
        if self.ssl_mode.verifies != (self.ca_certificates is not None):
            raise ValueError(
                f"ca_certificates: must be set with verify-ca or verify-full and only then, found {self.ssl_mode}"
            )


@dataclass(frozen=True, kw_only=True)
class DatabaseLogin:
    """A role of the database that is not the one of `Database`."""

    user: str
    """The role. What it creates must belong to the owner of the database: `ALTER ROLE … SET role`."""
    password: SecretInput
    """Its password: any printable characters."""


@dataclass(frozen=True, kw_only=True)
class DatabaseLogins:
    """Who logs in to the database in place of the role of `Database`."""

    used: DatabaseLogin | None = None
    """Role of the Jobs and of PgBouncer; without PgBouncer, of the pods. None: the role of `Database`."""
    coming: DatabaseLogin | None = None
    """Another one that a managed database is to accept too, though nothing uses it yet."""
    master_password: SecretInput | None = None
    """Password of a managed database's master user; None for that of `Database`, which Airflow's pods know."""


@dataclass(frozen=True, kw_only=True)
class ContainerDatabase:
    """A PostgreSQL container in the namespace."""

    storage_gib: int
    """Size of its volume in GiB."""


@dataclass(frozen=True, kw_only=True)
class ExternalDatabase:
    """A database that exists."""

    database: Database
    """Where it answers, and who logs in."""
    cidrs: tuple[str, ...]
    """CIDRs of its networks. Used by network isolation only."""


def connection_uri(
    *,
    driver: str,
    user: str,
    password: str,
    host: str,
    port: int,
    name: str,
    query: dict[str, str] | None = None,
) -> str:
    """Return a SQLAlchemy or Celery connection URI.

    User, password and name are percent-encoded, so that any character is safe: in the URI, in airflow.cfg's environment
    override (which expands `$NAME` and `~`), and in alembic's ini.
    """
    address = f"[{host}]" if ":" in host else host
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    suffix = f"?{urlencode(query)}" if query else ""
    return f"{driver}://{login}@{address}:{port}/{quote(name, safe='')}{suffix}"


def metadata_uri(user: str, password: str, host: str, port: int, name: str, ssl_mode: SslMode) -> str:
    """Return the URI for Airflow's synchronous engine (`[database] sql_alchemy_conn`)."""
    return _metadata_uri("psycopg2", "sslmode", user, password, host, port, name, ssl_mode)


def metadata_async_uri(user: str, password: str, host: str, port: int, name: str, ssl_mode: SslMode) -> str:
    """Return the URI for Airflow's asynchronous engine (`[database] sql_alchemy_conn_async`).

    Airflow would derive it from the synchronous URI and keep `?sslmode=`, which asyncpg refuses
    (github.com/apache/airflow/issues/67801). asyncpg's parameter is `ssl`.
    """
    return _metadata_uri("asyncpg", "ssl", user, password, host, port, name, ssl_mode)


def _metadata_uri(
    driver: str, parameter: str, user: str, password: str, host: str, port: int, name: str, ssl_mode: SslMode
) -> str:
    # Without the parameter libpq prefers TLS. PgBouncer has no TLS for its clients and must not get an explicit one.
    query = {} if ssl_mode is SslMode.PREFER else {parameter: ssl_mode.value}
    return connection_uri(
        driver=f"postgresql+{driver}", user=user, password=password, host=host, port=port, name=name, query=query
    )


def redis_uri(password: str, host: str, database: int, port: int = 6379) -> str:
    """Return the URI of a Celery broker or result backend in Redis, without a user name (`requirepass`)."""
    return f"redis://:{quote(password, safe='')}@{host}:{port}/{database}"
