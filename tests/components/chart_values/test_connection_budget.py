"""What a deployment opens at its peak, what PgBouncer is told, and that no accepted one can use up its database."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.chart_values.connection_budget import ConnectionBudget, ConnectionLoad, budget, budget_problem
from components.chart_values.scale import Scale
from components.database.rds_instance_class import MEMORY_GIB, max_connections
from components.kube.safe_yaml import load_yaml

ROOT: Final = Path(__file__).parents[3]
CHART: Final[dict[str, Any]] = load_yaml((ROOT / "chart" / "values.yaml").read_text())
COMPONENTS: Final = ("api_server", "scheduler", "dag_processor", "triggerer")

PODS: Final = st.integers(1, 50)
SCALES: Final = st.builds(
    Scale,
    api_server=PODS,
    scheduler=PODS,
    dag_processor=PODS,
    triggerer=PODS,
    worker=st.integers(1, 1000),
    worker_concurrency=st.integers(1, 1000),
)
LOADS: Final = st.builds(
    ConnectionLoad,
    scale=SCALES,
    api_workers=st.integers(1, 8),
    sqlalchemy_pool_size=st.integers(1, 30),
    sqlalchemy_max_overflow=st.integers(0, 30),
    scalers=st.integers(0, 20),
)
CLASSES: Final = st.sampled_from(sorted(MEMORY_GIB))
REPLICAS: Final = st.integers(1, 50)
COMPUTED_OR_GIVEN: Final = st.integers(0, 1000)


def load(pods: int = 1, **given: Any) -> ConnectionLoad:
    return ConnectionLoad(scale=Scale(**dict.fromkeys(COMPONENTS, pods)), **given)


def limit_of(connections: int) -> int:
    return max(0, math.floor(0.8 * connections + 1e-9) - 5)


# Clients


def test_clients_of_one_pod_each_counted_by_hand() -> None:
    """Each pod twice in a roll: the API server with two engines of 15, the others with one and a probe."""
    assert load().clients == 2 * 2 * 15 + 3 * 2 * (15 + 1) + 10


def test_clients_of_a_production_counted_by_hand() -> None:
    scale = Scale(api_server=3, scheduler=5, dag_processor=2, triggerer=2, worker=40)
    found = ConnectionLoad(scale=scale, api_workers=2, sqlalchemy_pool_size=3, sqlalchemy_max_overflow=4, scalers=1)
    api_servers = (3 + 1) * 2 * 2 * 7
    schedulers = (5 + 2) * (7 + 1)
    others = 2 * (2 + 2) * (7 + 1)
    assert found.clients == api_servers + schedulers + others + 2 + 10


def test_schedulers_in_a_roll_are_a_quarter_more_rounded_up() -> None:
    one = load().clients
    for pods, in_a_roll in ((1, 2), (3, 4), (4, 5), (5, 7), (8, 10), (9, 12)):
        found = replace(load(), scale=replace(load().scale, scheduler=pods))
        assert found.clients - one == (in_a_roll - 2) * (15 + 1), pods


def test_pods_of_a_roll_are_those_of_the_chart() -> None:
    """What the counts above take for granted. The API server's surge of 1 stands in the chart's template."""
    assert CHART["apiServer"]["strategy"] is None
    assert CHART["scheduler"]["strategy"] is None
    for component in ("dagProcessor", "triggerer"):
        assert CHART[component]["strategy"]["rollingUpdate"]["maxSurge"] == "100%"


@given(LOADS, st.sampled_from(COMPONENTS), st.integers(1, 50))
def test_more_pods_never_open_fewer_connections(found: ConnectionLoad, component: str, more: int) -> None:
    larger = replace(found, scale=replace(found.scale, **{component: getattr(found.scale, component) + more}))
    assert larger.clients > found.clients


@given(LOADS, st.integers(1, 1000), st.integers(1, 1000))
def test_workers_open_none(found: ConnectionLoad, workers: int, concurrency: int) -> None:
    scale = replace(found.scale, worker=workers, worker_concurrency=concurrency)
    assert replace(found, scale=scale).clients == found.clients


@pytest.mark.parametrize(
    ("field", "value"),
    [("api_workers", 0), ("sqlalchemy_pool_size", 0), ("sqlalchemy_max_overflow", -1)],
)
def test_pool_without_a_limit_cannot_be_counted(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"\A{field}: expected at least {value + 1}, found {value}\Z"):
        load(**{field: value})


# PgBouncer's numbers


@given(LOADS, REPLICAS, st.none() | st.integers(0, 5000))
def test_one_pod_of_pgbouncer_carries_all_clients(
    found: ConnectionLoad, replicas: int, connections: int | None
) -> None:
    chosen = budget(found, max_connections=connections, pgbouncer_replicas=replicas).pgbouncer
    assert chosen is not None
    assert chosen.replicas == replicas
    assert found.clients * 1.25 <= chosen.max_client_connections < found.clients * 1.25 + 1


@given(LOADS, REPLICAS, CLASSES, st.integers(1, 1000), st.integers(1, 100_000))
def test_given_numbers_are_used_as_they_are(
    found: ConnectionLoad, replicas: int, name: str, pool: int, clients: int
) -> None:
    made = budget(
        found,
        max_connections=max_connections(name),
        pgbouncer_replicas=replicas,
        pool_size=pool,
        max_client_connections=clients,
    )
    assert made.pgbouncer is not None
    assert (made.pgbouncer.pool_size, made.pgbouncer.max_client_connections) == (pool, clients)
    assert made.server_connections == (replicas + 1) * 2 * pool + made.direct_connections


def test_pool_has_the_proportion_of_the_chart_s_defaults() -> None:
    ratio = CHART["pgbouncer"]["maxClientConn"] // CHART["pgbouncer"]["metadataPoolSize"]
    found = load(pods=4)
    chosen = budget(found, max_connections=None, pgbouncer_replicas=2).pgbouncer
    assert chosen is not None
    assert chosen.pool_size == math.ceil(found.clients / ratio)


@given(LOADS, REPLICAS, CLASSES)
def test_chosen_pool_is_the_largest_that_fits_up_to_the_rule(found: ConnectionLoad, replicas: int, name: str) -> None:
    made = budget(found, max_connections=max_connections(name), pgbouncer_replicas=replicas)
    free = budget(found, max_connections=None, pgbouncer_replicas=replicas)
    assert made.pgbouncer is not None
    assert free.pgbouncer is not None
    assert 5 <= made.pgbouncer.pool_size <= free.pgbouncer.pool_size
    if made.pgbouncer.pool_size not in (5, free.pgbouncer.pool_size):
        one_more = made.server_connections + (replicas + 1) * 2
        assert made.server_connections <= limit_of(max_connections(name)) < one_more


def test_small_database_shrinks_the_pool() -> None:
    small, large = (
        budget(load(pods=2), max_connections=max_connections(name), pgbouncer_replicas=2)
        for name in ("db.t4g.small", "db.m7g.large")
    )
    assert small.pgbouncer is not None
    assert large.pgbouncer is not None
    assert small.pgbouncer.pool_size < large.pgbouncer.pool_size
    assert small.server_connections <= limit_of(max_connections("db.t4g.small"))
    assert budget_problem(small) is None


# The database


@given(LOADS, st.integers(0, 50), CLASSES, COMPUTED_OR_GIVEN)
def test_what_is_accepted_never_opens_more_than_the_instance_allows(
    found: ConnectionLoad, replicas: int, name: str, pool: int
) -> None:
    made = budget(
        found,
        max_connections=max_connections(name),
        pgbouncer_replicas=replicas,
        pool_size=pool,
    )
    fits = made.server_connections <= limit_of(max_connections(name))
    assert made.limit == limit_of(max_connections(name))
    assert (budget_problem(made) is None) is fits
    if fits:
        assert made.server_connections < min(MEMORY_GIB[name] * 2**30 // 9531392, 5000) - 5


@given(LOADS, st.integers(1, 50), st.integers(1, 50), st.sampled_from((*COMPONENTS, "pgbouncer")), COMPUTED_OR_GIVEN)
def test_needed_connections_never_fall_when_pods_are_added(
    found: ConnectionLoad, replicas: int, more: int, component: str, pool: int
) -> None:
    def made(found: ConnectionLoad, replicas: int) -> ConnectionBudget:
        return budget(found, max_connections=None, pgbouncer_replicas=replicas, pool_size=pool)

    before = made(found, replicas)
    if component == "pgbouncer":
        after = made(found, replicas + more)
    else:
        scale = replace(found.scale, **{component: getattr(found.scale, component) + more})
        after = made(replace(found, scale=scale), replicas)
    assert after.clients >= before.clients
    assert after.server_connections >= before.server_connections


@given(LOADS, st.integers(0, 50), CLASSES)
def test_without_pgbouncer_every_client_is_a_connection(found: ConnectionLoad, pool: int, name: str) -> None:
    made = budget(found, max_connections=max_connections(name), pgbouncer_replicas=0, pool_size=pool)
    assert made.pgbouncer is None
    assert made.server_connections == found.clients + made.direct_connections


@given(LOADS, st.integers(0, 50), COMPUTED_OR_GIVEN)
def test_unknown_database_is_not_judged(found: ConnectionLoad, replicas: int, pool: int) -> None:
    made = budget(found, max_connections=None, pgbouncer_replicas=replicas, pool_size=pool)
    assert made.limit is None
    assert budget_problem(made) is None


@given(LOADS, st.integers(0, 50), CLASSES, COMPUTED_OR_GIVEN)
def test_equal_input_gives_equal_output(found: ConnectionLoad, replicas: int, name: str, pool: int) -> None:
    def made() -> ConnectionBudget:
        copy = replace(found, scale=replace(found.scale))
        return budget(copy, max_connections=max_connections(name), pgbouncer_replicas=replicas, pool_size=pool)

    assert made() == made()
    assert budget_problem(made()) == budget_problem(made())


# What a person is told


def test_pool_that_is_too_large_is_named_with_one_that_fits() -> None:
    made = budget(load(), max_connections=372, pgbouncer_replicas=2, pool_size=60)
    text = budget_problem(made) or ""
    assert text == (
        "expected at most 292 connections to the database at the peak (four fifths of its 372, less 5 that it "
        "reserves), found 367: 3 pods of PgBouncer in a roll with a pool of 60 for each of 2 database users, and 7 of "
        "Jobs and monitoring; a pool of at most 47 fits"
    )
    for pool, fits in ((47, True), (48, False)):
        again = budget(load(), max_connections=372, pgbouncer_replicas=2, pool_size=pool)
        assert (budget_problem(again) is None) is fits


def test_database_that_bears_no_useful_pool_is_named() -> None:
    made = budget(load(), max_connections=68, pgbouncer_replicas=8)
    assert made.pgbouncer is not None
    assert made.pgbouncer.pool_size == 5
    assert re.search(
        r"at most 49 .*found 97: 9 pods .* not even a pool of 5 fits: take a larger database or fewer pods",
        budget_problem(made) or "",
    )


def test_direct_connections_that_are_too_many_are_named() -> None:
    made = budget(load(), max_connections=100, pgbouncer_replicas=0)
    assert budget_problem(made) == (
        "expected at most 75 connections to the database at the peak (four fifths of its 100, less 5 that it "
        "reserves), found 173: 166 of Airflow's pods in a roll and 7 of Jobs and monitoring; put PgBouncer between "
        "them or take a larger database"
    )


def test_pooler_that_would_turn_clients_away_is_named() -> None:
    made = budget(load(pods=2), max_connections=5000, pgbouncer_replicas=2, max_client_connections=100)
    assert budget_problem(made) == (
        "expected at least 345 client connections for each pod of PgBouncer, found 100: 276 are opened at the peak, "
        "and one pod must carry them all while another is away"
    )
    for clients, enough in ((275, False), (276, True)):
        again = budget(load(pods=2), max_connections=5000, pgbouncer_replicas=2, max_client_connections=clients)
        assert (budget_problem(again) is None) is enough
