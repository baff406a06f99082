"""PgBouncer, and whether the database can bear all that the deployment connects."""

from __future__ import annotations

from components.database.connection import ExternalDatabase
from components.database.pgbouncer import PgBouncer
from components.database.rds_settings import ManagedDatabase
from components.release.connection_budget import ConnectionLoad, budget, budget_problem
from components.release.scale import Scale
from settings.reader import PROJECT, Reader
from settings.sections.database import AnyDatabase

_LEAST_CLIENTS = 10


def read_pgbouncer(read: Reader, database: AnyDatabase, scale: Scale, *, keda: bool) -> PgBouncer | None:
    """The keys pgbouncer…; what is not given is computed. None where pods connect to the database themselves."""
    enabled = read.boolean("pgbouncerEnabled")
    replicas = read.integer("pgbouncerReplicas", 1, 50)
    pool_size = read.integer("pgbouncerPoolSize", 0, 1000)
    clients = read.integer("pgbouncerMaxClientConnections", 0, 100_000)
    if 0 < clients < _LEAST_CLIENTS:
        read.problem("pgbouncerMaxClientConnections", f"expected 0, or {_LEAST_CLIENTS} to 100000, found {clients}")
    if read.problems:
        # Numbers that are wrong themselves add up to nothing worth telling.
        return PgBouncer(replicas=replicas) if enabled else None
    found = budget(
        ConnectionLoad(scale=scale, keda=keda),
        max_connections=_max_connections(read, database),
        pgbouncer_replicas=replicas if enabled else 0,
        pool_size=pool_size,
        max_client_connections=clients,
    )
    problem = budget_problem(found)
    if problem is not None:
        key, mend = _to_blame(enabled, found.pgbouncer, pool_size, clients, found.clients, database)
        read.problem(key, problem, mend)
    return found.pgbouncer


def _max_connections(read: Reader, database: AnyDatabase) -> int | None:
    """None where nobody knows: an external database that says nothing, or a laptop's container."""
    if isinstance(database, ManagedDatabase):
        from components.database.rds_instance_class import max_connections

        return max_connections(database.instance_class)
    if isinstance(database, ExternalDatabase):
        return read.integer("databaseMaxConnections", 0, 100_000) or None
    return None


def _to_blame(
    enabled: bool, pooler: PgBouncer | None, pool_size: int, clients: int, peak: int, database: AnyDatabase
) -> tuple[str, str]:
    """The key that a person would change, and how."""
    if not enabled:
        return "pgbouncerEnabled", f"pulumi config set {PROJECT}:pgbouncerEnabled true"
    if clients and clients < peak:
        return "pgbouncerMaxClientConnections", f"pulumi config rm {PROJECT}:pgbouncerMaxClientConnections"
    if pool_size:
        return "pgbouncerPoolSize", f"pulumi config rm {PROJECT}:pgbouncerPoolSize"
    if isinstance(database, ManagedDatabase):
        return "databaseInstanceClass", f"pulumi config set {PROJECT}:databaseInstanceClass LARGER_CLASS"
    return (
        "databaseMaxConnections",
        f"let the database accept more and say so with pulumi config set {PROJECT}:databaseMaxConnections NUMBER",
    )
