"""PgBouncer's configuration files, rendered from typed values.

The chart renders these files only from a password in its values. With a Secret of your own, it expects both files.
"""

from __future__ import annotations

from dataclasses import dataclass

from components.database.client_certificate import CERTIFICATE_FILE, KEY_FILE
from components.database.connection import CA_FILE, SslMode

PORT = 6543
"""The chart's `ports.pgbouncer`."""
METADATA_POOL = "airflow-metadata"
"""Database name that clients use; the chart's own configuration uses it for a release `airflow`."""
STATS_USER = "pgbouncer_stats"
_MAX_PREPARED_STATEMENTS = 200
"""asyncpg prepares statements; in transaction pooling PgBouncer must track them (pgbouncer.org/config, from 1.21)."""

_FAILOVER = (
    # By default a vanished host is noticed after two hours on an idle connection, and after 15 minutes on one that
    # waits for an acknowledgement (tcp(7): tcp_keepalive_time, tcp_retries2).
    "tcp_keepidle = 10",
    "tcp_keepintvl = 5",
    "tcp_keepcnt = 3",
    "tcp_user_timeout = 25000",
    # Both are 15 by default, on top of the failover itself. RDS's DNS names have a TTL of 5 seconds.
    "server_login_retry = 3",
    "dns_max_ttl = 5",
)
"""Settings with which PgBouncer follows a database to another host: seconds, but tcp_user_timeout in milliseconds.

Recommended by AWS:
docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.BestPractices.FastFailover.html
"""


@dataclass(frozen=True, kw_only=True)
class PgBouncer:
    """Connection pooler between Airflow and the database."""

    replicas: int = 1
    """Number of pods, each with its own pool."""
    pool_size: int = 10
    """Connections that one pod opens to the database for each database user."""
    max_client_connections: int = 300
    """Connections that one pod accepts."""


def render_ini(
    *,
    host: str,
    port: int,
    name: str,
    pool_size: int,
    max_client_connections: int,
    ssl_mode: SslMode,
    login: tuple[str, str] | None = None,
    client_certificate: bool = False,
) -> str:
    """Return the content of `pgbouncer.ini` (pgbouncer.org/config.html).

    login: role and password for the database; None for those of each client.
    client_certificate: Whether it shows the database a certificate, which is in its pod.
    """
    database = f"host={_quoted(host)} port={port} dbname={_quoted(name)} pool_size={pool_size}"
    if login is not None:
        database += f" user={_quoted(login[0])} password={_quoted(login[1])}"
    return "\n".join(
        [
            "[databases]",
            f"{METADATA_POOL} = {database}",
            "",
            "[pgbouncer]",
            "pool_mode = transaction",
            f"listen_port = {PORT}",
            "listen_addr = *",
            "auth_type = scram-sha-256",
            "auth_file = /etc/pgbouncer/users.txt",
            f"stats_users = {STATS_USER}",
            "ignore_startup_parameters = extra_float_digits",
            f"max_client_conn = {max_client_connections}",
            f"max_prepared_statements = {_MAX_PREPARED_STATEMENTS}",
            f"server_tls_sslmode = {ssl_mode.value}",
            *([f"server_tls_ca_file = {CA_FILE}"] if ssl_mode.verifies else []),
            *(
                [f"server_tls_cert_file = {CERTIFICATE_FILE}", f"server_tls_key_file = {KEY_FILE}"]
                if client_certificate
                else []
            ),
            *_FAILOVER,
            "log_disconnections = 0",
            "log_connections = 0",
            "",
        ]
    )


def render_users(passwords: dict[str, str]) -> str:
    """Return the content of `users.txt`: a line `"user" "password"` for each user, with quotes doubled.

    The format: pgbouncer.org/config.html, auth_file. Raises ValueError for a line end or NUL, which it cannot hold.
    """
    for user, password in passwords.items():
        if any(character in user + password for character in "\n\r\0"):
            raise ValueError(f"expected a password of {user} without line ends, got one with them")
    return "".join(f'"{_doubled(user)}" "{_doubled(password)}"\n' for user, password in sorted(passwords.items()))


def _doubled(text: str) -> str:
    return text.replace('"', '""')


def _quoted(text: str) -> str:
    """Return a value of a [databases] line, in single quotes and with single quotes doubled."""
    return "'" + text.replace("'", "''") + "'"
