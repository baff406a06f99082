"""The metadata database as one typed value, and the connection strings made of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final
from urllib.parse import quote, urlencode

import pulumi

from components.kube.secret import SecretInput

CA_FOLDER: Final = "/etc/airflow-database-ca"
"""Where a pod that connects to the database itself mounts the certificates of the database's CA."""
CA_KEY: Final = "ca.crt"
CA_FILE: Final = f"{CA_FOLDER}/{CA_KEY}"


@unique
class SslMode(StrEnum):
    """libpq `sslmode` towards the database. `disable` is for a database on the same machine.

    `require` encrypts without asking who answers; `verify-full` also checks the certificate and the name in it.
    """

    DISABLE = "disable"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, kw_only=True)
class Database:
    """Where the metadata database answers and who logs in.

    host: DNS name or address as pods see it.
    port: TCP port.
    name: database name.
    user: login role; owns the database, because migrations change its schema.
    password: any printable characters.
    ssl_mode: for connections to the database itself (from PgBouncer where there is one).
    ca_certificates: PEM of the authorities that `verify-full` trusts; None with any other mode.
    """

    host: pulumi.Input[str]
    port: int
    name: str
    user: str
    password: SecretInput
    ssl_mode: SslMode = SslMode.PREFER
    ca_certificates: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError: without an authority nothing can be verified, and one that nobody asks is a mistake."""
        if (self.ssl_mode is SslMode.VERIFY_FULL) != (self.ca_certificates is not None):
            raise ValueError(f"ca_certificates: expected them with verify-full and only then, found {self.ssl_mode}")


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
    """A SQLAlchemy or Celery connection URI. User, password and name are percent-encoded, so all characters are safe:

    in the URI, in airflow.cfg's environment override (which expands `$NAME` and `~`), and in alembic's ini.
    """
    address = f"[{host}]" if ":" in host else host
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    suffix = f"?{urlencode(query)}" if query else ""
    return f"{driver}://{login}@{address}:{port}/{quote(name, safe='')}{suffix}"


def metadata_uri(user: str, password: str, host: str, port: int, name: str, ssl_mode: SslMode) -> str:
    """What Airflow's synchronous engine connects to (`[database] sql_alchemy_conn`)."""
    # Without the parameter libpq prefers TLS; an explicit one must not reach a server that speaks none (PgBouncer).
    query = {} if ssl_mode is SslMode.PREFER else {"sslmode": ssl_mode.value}
    return connection_uri(
        driver="postgresql+psycopg2", user=user, password=password, host=host, port=port, name=name, query=query
    )


def metadata_async_uri(user: str, password: str, host: str, port: int, name: str, ssl_mode: SslMode) -> str:
    """What Airflow's asynchronous engine connects to (`[database] sql_alchemy_conn_async`).

    Airflow derives it from the synchronous one and keeps `?sslmode=`, which asyncpg refuses
    (github.com/apache/airflow/issues/67801): asyncpg's parameter is `ssl`.
    """
    query = {} if ssl_mode is SslMode.PREFER else {"ssl": ssl_mode.value}
    return connection_uri(
        driver="postgresql+asyncpg", user=user, password=password, host=host, port=port, name=name, query=query
    )


def redis_uri(password: str, host: str, database: int, port: int = 6379) -> str:
    """A Celery broker or result backend in Redis, without a user name (`requirepass`)."""
    return f"redis://:{quote(password, safe='')}@{host}:{port}/{database}"
