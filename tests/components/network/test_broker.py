"""The way to a broker outside the stack: open to those who would reach the stack's own Redis, and to nobody else."""

from __future__ import annotations

from typing import Any

from components.chart_values.executor import Executor
from components.network.extra_egress import broker_egress
from tests.cases import each
from tests.components.network.evaluator import (
    API_SERVER,
    IN_NAMESPACE,
    INTERNET,
    JOBS,
    METADATA_SERVICE,
    OUTSIDE,
    REDIS,
    SCHEDULER,
    SHARED,
    STATSD,
    STRANGER,
    WORKER,
    WORKERS,
    Pod,
    policies,
    reaches,
)

BROKER = Pod(namespace=None, address="10.0.48.7")
NEIGHBOUR = Pod(namespace=None, address="10.0.99.7")
# Workers reach the outside anyway, but not this part of it.
CLOSED = ("169.254.169.254/32", "10.0.0.0/16")


def specs(**more: Any) -> dict[str, Any]:
    given = {"egress_except": CLOSED, "broker": broker_egress(("10.0.48.0/20",), 6380), **more}
    return policies(**given)


@each("executor", [executor for executor in Executor if executor.celery])
@each("database", [IN_NAMESPACE, OUTSIDE, SHARED], ids=["inside", "outside", "shared"])
def test_scheduler_and_workers_reach_its_port_alone(executor: Executor, database: Any) -> None:
    found = specs(executor=executor, database=database)
    for caller in (SCHEDULER, *WORKERS):
        assert reaches(found, caller, BROKER, 6380)
        assert not reaches(found, caller, BROKER, 6379)
        assert not reaches(found, caller, NEIGHBOUR, 6380)
        assert not reaches(found, caller, METADATA_SERVICE, 80)
    for caller in (API_SERVER, STATSD, STRANGER, *JOBS):
        assert not reaches(found, caller, BROKER, 6380)
    assert not reaches(found, SCHEDULER, INTERNET, 6380)


def test_no_policy_is_left_of_the_stack_s_own_redis() -> None:
    found = specs()
    assert "redis" in policies()
    assert "redis" not in found
    for caller in (SCHEDULER, WORKER):
        assert not reaches(found, caller, REDIS, 6379)


def test_database_beside_it_stays_closed_to_workers() -> None:
    found = specs(database=SHARED, broker=broker_egress(("10.0.32.0/20",), SHARED.port), egress_except=())
    for worker in WORKERS:
        assert not reaches(found, worker, Pod(namespace=None, address="10.0.32.7"), SHARED.port)
