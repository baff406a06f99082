"""How many connections a deployment opens at its peak, and what PgBouncer and the database must allow. Pure.

At the peak everything rolls at once, every SQLAlchemy pool is full, a migration runs, and a password is being rotated.
Tasks open no connections: Celery's results go to Redis, and a task talks only to the API server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from components.chart_values.scale import Scale
from components.database.pgbouncer import PgBouncer

_API_SERVER_ENGINES: Final = 2
"""SQLAlchemy engines that connect in one process; only the API server uses the asynchronous one.

airflow/settings.py of 3.2.2 creates both in every process, with the same limits; an engine connects on first use.
"""
_PROBE_CLIENTS: Final = 1
"""`airflow jobs check`, the chart's probe of scheduler, DAG processor and triggerer, is a separate process."""
_OTHER_CLIENTS: Final = 10
"""Commands that people run in a pod, the clean-up of old metadata, and PgBouncer's exporter."""
_KEDA_CLIENTS: Final = 2
"""KEDA's operator may query for its own loop and for the autoscaler at the same time, for each ScaledObject."""

_MIGRATION_CONNECTIONS: Final = 3
_ADMIN_USER_CONNECTIONS: Final = 2
_MONITORING_CONNECTIONS: Final = 2
_DIRECT_CONNECTIONS: Final = _MIGRATION_CONNECTIONS + _ADMIN_USER_CONNECTIONS + _MONITORING_CONNECTIONS
"""Connections that never go through PgBouncer: the two Jobs, and people or tools that inspect the database."""

_PGBOUNCER_SURGE: Final = 1
"""`maxSurge` in the chart's templates/pgbouncer/pgbouncer-deployment.yaml; `maxUnavailable` is 0 there."""
_DATABASE_USERS: Final = 2
"""Roles that PgBouncer logs in with at a time, while a password is rotated; it keeps a pool for each."""
_CLIENTS_PER_CONNECTION: Final = 10
"""The proportion of the chart's defaults, maxClientConn 100 and metadataPoolSize 10: most clients are mostly idle."""
_MIN_POOL_SIZE: Final = 5
"""A scheduler's long transaction would keep everything else waiting if there were fewer connections."""

_RESERVED: Final = 5
"""superuser_reserved_connections 3 and rds.rds_superuser_reserved_connections 2, RDS's defaults.

aws.amazon.com/premiumsupport/knowledge-center/rds-postgresql-error-connection-slots
"""


@dataclass(frozen=True, kw_only=True)
class ConnectionLoad:
    """The pods and processes that open connections."""

    scale: Scale
    """Pods of each component; with autoscaling, the largest numbers."""
    api_workers: int = 1
    """Processes of one API server, `[api] workers`; 1 by default since github.com/apache/airflow/pull/55707."""
    sqlalchemy_pool_size: int = 5
    """Connections that an engine keeps, at least 1; SQLAlchemy's 0 would mean no limit."""
    sqlalchemy_max_overflow: int = 10
    """Further connections that an engine opens, at least 0; SQLAlchemy's -1 would mean no limit."""
    scalers: int = 0
    """KEDA's ScaledObjects, which ask the database how many workers are needed."""
    exporters: int = 0
    """Pods that measure what Airflow does not; each asks one thing at a time, and none runs beside its successor."""

    def __post_init__(self) -> None:
        """Raise ValueError for a number that means no limit, because connections could not be counted."""
        for field, least in (("api_workers", 1), ("sqlalchemy_pool_size", 1), ("sqlalchemy_max_overflow", 0)):
            if getattr(self, field) < least:
                raise ValueError(f"{field}: expected at least {least}, found {getattr(self, field)}")

    @property
    def clients(self) -> int:
        """Connections that Airflow's pods and people's commands open at the peak, with the extra pods of a roll."""
        engine = self.sqlalchemy_pool_size + self.sqlalchemy_max_overflow
        scale = self.scale
        api_servers = scale.api_server + 1  # the chart's template: maxSurge 1
        # No strategy in the chart: Kubernetes' own, a quarter of the pods, rounded up.
        schedulers = scale.scheduler + -(-scale.scheduler // 4)
        # The chart's values: maxSurge 100%.
        others = 2 * scale.dag_processor + 2 * scale.triggerer
        return (
            api_servers * self.api_workers * _API_SERVER_ENGINES * engine
            + (schedulers + others) * (engine + _PROBE_CLIENTS)
            + self.scalers * _KEDA_CLIENTS
            + self.exporters
            + _OTHER_CLIENTS
        )


@dataclass(frozen=True, kw_only=True)
class ConnectionBudget:
    """Numbers of connections at the peak."""

    pgbouncer: PgBouncer | None
    """The pooler to configure, or None if pods connect to the database directly."""
    clients: int
    """Connections that Airflow's pods, people's commands and KEDA open."""
    direct_connections: int
    """Connections of the Jobs and of monitoring, which never go through PgBouncer."""
    server_connections: int
    """All connections to the database."""
    max_connections: int | None
    """Connections that the database allows, or None if unknown."""
    limit: int | None
    """Connections that may be in use, or None if unknown; a fifth stays free for lost connections and stopping pods."""


def budget(
    load: ConnectionLoad,
    *,
    max_connections: int | None,
    pgbouncer_replicas: int,
    pool_size: int = 0,
    max_client_connections: int = 0,
) -> ConnectionBudget:
    """Return the budget of a deployment, and choose the numbers of PgBouncer that are given as 0.

    Args:
        load: What opens connections.
        max_connections: Connections that the database allows, or None if unknown: then nothing is too much.
        pgbouncer_replicas: Pods of PgBouncer, 0 without PgBouncer.
        pool_size: Pool of one PgBouncer pod. 0 means one connection for ten clients, at least 5, at most what the
            database allows. Each pod has a pool for all clients, because it serves them all while another pod is away.
        max_client_connections: Clients of one PgBouncer pod. 0 means all clients and a quarter more, for pods that stop
            while others start.
    """
    limit = None if max_connections is None else max(0, max_connections * 4 // 5 - _RESERVED)
    clients = load.clients
    if pgbouncer_replicas == 0:
        server = clients + _DIRECT_CONNECTIONS
        pooler = None
    else:
        pools = (pgbouncer_replicas + _PGBOUNCER_SURGE) * _DATABASE_USERS
        rule = max(_MIN_POOL_SIZE, -(-clients // _CLIENTS_PER_CONNECTION))
        allowed = rule if limit is None else max(_MIN_POOL_SIZE, _largest_pool(limit, pools))
        pooler = PgBouncer(
            replicas=pgbouncer_replicas,
            pool_size=pool_size or min(rule, allowed),
            max_client_connections=max_client_connections or _with_a_quarter_more(clients),
        )
        server = pools * pooler.pool_size + _DIRECT_CONNECTIONS
    return ConnectionBudget(
        pgbouncer=pooler,
        clients=clients,
        direct_connections=_DIRECT_CONNECTIONS,
        server_connections=server,
        max_connections=max_connections,
        limit=limit,
    )


def budget_problem(found: ConnectionBudget) -> str | None:
    """Return one sentence, with numbers, if a deployment could exhaust its database or its pooler; else None."""
    pooler = found.pgbouncer
    if found.limit is not None and found.server_connections > found.limit:
        expected = (
            f"expected at most {found.limit} connections to the database at the peak (four fifths of its "
            f"{found.max_connections}, less {_RESERVED} that it reserves), found {found.server_connections}: "
        )
        if pooler is None:
            return (
                f"{expected}{found.clients} of Airflow's pods in a roll and {found.direct_connections} of Jobs and "
                "monitoring; put PgBouncer between them or take a larger database"
            )
        pods = pooler.replicas + _PGBOUNCER_SURGE
        largest = _largest_pool(found.limit, pods * _DATABASE_USERS)
        mend = (
            f"a pool of at most {largest} fits"
            if largest >= _MIN_POOL_SIZE
            else f"not even a pool of {_MIN_POOL_SIZE} fits: take a larger database or fewer pods of PgBouncer"
        )
        return (
            f"{expected}{pods} pods of PgBouncer in a roll with a pool of {pooler.pool_size} for each of "
            f"{_DATABASE_USERS} database users, and {found.direct_connections} of Jobs and monitoring; {mend}"
        )
    if pooler is not None and pooler.max_client_connections < found.clients:
        return (
            f"expected at least {_with_a_quarter_more(found.clients)} client connections for each pod of PgBouncer, "
            f"found {pooler.max_client_connections}: {found.clients} are opened at the peak, and one pod must carry "
            "them all while another is away"
        )
    return None


def _largest_pool(limit: int, pools: int) -> int:
    return max(0, limit - _DIRECT_CONNECTIONS) // pools


def _with_a_quarter_more(number: int) -> int:
    return -(-number * 5 // 4)
