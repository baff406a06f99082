"""PgBouncer, and whether the database can bear all that the deployment connects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from components.chart_values.connection_budget import budget, budget_problem
from components.chart_values.connection_load import connection_load
from components.chart_values.scale import Scale
from components.database.connection import ContainerDatabase, ExternalDatabase
from components.database.pgbouncer import PgBouncer
from components.database.rds_instance_class import max_connections
from components.database.rds_settings import ManagedDatabase
from settings.errors import remove_command
from settings.keys import ConfigKey
from settings.reading import Config
from settings.sections.database import (
    INSTANCE_CLASS,
    MAX_CONNECTIONS,
    PGBOUNCER_ENABLED,
    PGBOUNCER_MAX_CLIENT_CONNECTIONS,
    PGBOUNCER_POOL_SIZE,
    PGBOUNCER_REPLICAS,
)
from settings.sections.release import HELM_VALUES

AnyDatabase = ContainerDatabase | ExternalDatabase | ManagedDatabase

_LEAST_CLIENTS: Final = 10


def read_pgbouncer(
    config: Config,
    database: AnyDatabase,
    scale: Scale,
    helm_values: Mapping[str, Any],
    *,
    scalers: int,
    exporters: int,
) -> PgBouncer | None:
    """Return PgBouncer, or None where pods connect to the database themselves. Numbers that are 0 are computed.

    Must be the last reader: it adds up what the others read, and is silent where one of them found a problem.
    """
    enabled, replicas, clients = (
        config[PGBOUNCER_ENABLED],
        config[PGBOUNCER_REPLICAS],
        config[PGBOUNCER_MAX_CLIENT_CONNECTIONS],
    )
    if not enabled and not config.bad(PGBOUNCER_ENABLED):
        for key in filter(config.given, (PGBOUNCER_REPLICAS, PGBOUNCER_POOL_SIZE, PGBOUNCER_MAX_CLIENT_CONNECTIONS)):
            config.must_not_be_set(key, f"without {PGBOUNCER_ENABLED.full} true")
    if 0 < clients < _LEAST_CLIENTS:
        config.problem(PGBOUNCER_MAX_CLIENT_CONNECTIONS, f"expected 0, or {_LEAST_CLIENTS} to 100000, found {clients}")
    if config.problems:
        return PgBouncer(replicas=replicas) if enabled else None
    try:
        load = connection_load(scale, helm_values, scalers=scalers, exporters=exporters)
    except ValueError as error:
        config.problem(HELM_VALUES, str(error), "edit it in Pulumi.STACK.yaml")
        return PgBouncer(replicas=replicas) if enabled else None
    found = budget(
        load,
        max_connections=_max_connections(config, database),
        pgbouncer_replicas=replicas if enabled else 0,
        pool_size=config[PGBOUNCER_POOL_SIZE],
        max_client_connections=clients,
    )
    problem = budget_problem(found)
    if problem is not None:
        key, fix = _key_to_change(config, found.clients, database)
        config.problem(key, problem, fix)
    return found.pgbouncer


def _max_connections(config: Config, database: AnyDatabase) -> int | None:
    """Return how many connections the database accepts, or None where that is not known."""
    if isinstance(database, ManagedDatabase):
        return max_connections(database.instance_class)
    if isinstance(database, ExternalDatabase):
        return config[MAX_CONNECTIONS] or None
    return None


def _key_to_change(config: Config, peak: int, database: AnyDatabase) -> tuple[ConfigKey[Any], str]:
    """Return the key that a person would change, and how. peak: client connections of one pod at the peak."""
    clients = config[PGBOUNCER_MAX_CLIENT_CONNECTIONS]
    if not config[PGBOUNCER_ENABLED]:
        return PGBOUNCER_ENABLED, f"pulumi config set {PGBOUNCER_ENABLED.full} true"
    if clients and clients < peak:
        return PGBOUNCER_MAX_CLIENT_CONNECTIONS, remove_command(PGBOUNCER_MAX_CLIENT_CONNECTIONS)
    if config[PGBOUNCER_POOL_SIZE]:
        return PGBOUNCER_POOL_SIZE, remove_command(PGBOUNCER_POOL_SIZE)
    if isinstance(database, ManagedDatabase):
        return INSTANCE_CLASS, f"pulumi config set {INSTANCE_CLASS.full} LARGER_CLASS"
    set_limit = f"pulumi config set {MAX_CONNECTIONS.full} NUMBER"
    return MAX_CONNECTIONS, f"let the database accept more and say so with {set_limit}"
