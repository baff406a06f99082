"""Workers cannot reach the database: their environment does not say how to connect, and no packet arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from automation.cluster.deployment import POOLER_PORT, Deployment
from automation.verification import probe
from automation.verification.probe import Outcome
from automation.verification.result import Check, failed, passed, skipped, warning
from automation.verification.running_airflow import RunningAirflow
from automation.verification.worker_pod import worker
from automation.wait import wait_for

NO_CONNECTION_STRING: Final = "no database in workers' environment"
NO_NETWORK_PATH: Final = "workers cannot reach the database"
_ENFORCED_SECONDS: Final = 20.0
"""A network plugin applies policies to a new pod some seconds after the pod has started."""
_INTERVAL_SECONDS: Final = 3.0
_CLOSED: Final = frozenset({Outcome.REFUSED, Outcome.TIMED_OUT, Outcome.UNREACHABLE})


def worker_isolation(airflow: RunningAirflow) -> tuple[Check, Check]:
    """Make both checks from one worker."""
    with worker(airflow) as (pod, container):
        return isolation_of(airflow, pod, container)


def isolation_of(airflow: RunningAirflow, pod: str, container: str) -> tuple[Check, Check]:
    """Make both checks from the container of a worker."""
    deployment = airflow.deployment
    hosts = [host for host in (deployment.database_host, deployment.pooler_host) if host]
    names = probe.database_variables(airflow.kube, pod, container, hosts)
    environment = (
        failed(NO_CONNECTION_STRING, f"{pod} has {', '.join(names)}")
        if names
        else passed(NO_CONNECTION_STRING, f"looked at in {pod}")
    )
    return environment, _network(airflow, pod, container)


def verdict(isolation: str, database: Mapping[str, Outcome], api_server: Outcome, control: Outcome) -> Check:
    """Judge what the probes found. A closed target proves isolation only if both controls are open.

    Args:
        isolation: "required", "wanted" or "off".
        database: How a worker's attempts at the database ended, by target.
        api_server: How the worker's attempt at the API server ended: the first control.
        control: How the scheduler's attempt at the database ended: the second control.
    """
    if isolation == "off":
        return skipped(NO_NETWORK_PATH, "network isolation is off")
    if control is not Outcome.OPEN:
        return failed(NO_NETWORK_PATH, f"nothing is proven: the scheduler cannot reach it either ({control})")
    if api_server is not Outcome.OPEN:
        return failed(NO_NETWORK_PATH, f"nothing is proven: a worker cannot reach the API server either ({api_server})")
    reached = [target for target, outcome in database.items() if outcome is Outcome.OPEN]
    if reached:
        detail = f"this cluster does not enforce NetworkPolicy: a worker reached {', '.join(reached)}"
        return failed(NO_NETWORK_PATH, detail) if isolation == "required" else warning(NO_NETWORK_PATH, detail)
    unclear = [f"{target} {outcome}" for target, outcome in database.items() if outcome not in _CLOSED]
    if unclear or not database:
        return failed(NO_NETWORK_PATH, f"nothing is proven: {', '.join(unclear) or 'no target'}")
    seen = ", ".join(f"{target} {outcome}" for target, outcome in database.items())
    return passed(NO_NETWORK_PATH, f"from a worker: {seen}; the API server answers it, the scheduler gets through")


def _network(airflow: RunningAirflow, pod: str, container: str) -> Check:
    deployment = airflow.deployment
    if deployment.isolation == "off":
        return verdict("off", {}, Outcome.OPEN, Outcome.OPEN)
    scheduler = airflow.ready_pod("scheduler")
    if scheduler is None:
        return failed(NO_NETWORK_PATH, "no scheduler is ready to compare with")
    airflow.on_progress("probing the network from a worker")
    targets, api_server = _targets(deployment), f"{deployment.api_server_service}:{deployment.api_server_port}"
    control_target = targets[-1]  # the pooler if there is one: the scheduler goes through it
    control = probe.connect(airflow.kube, scheduler.name, "scheduler", [control_target])[control_target]
    outcomes = wait_for(
        lambda: probe.connect(airflow.kube, pod, container, [*targets, api_server]),
        lambda seen: seen[api_server] is Outcome.OPEN and all(seen[target] in _CLOSED for target in targets),
        seconds=_ENFORCED_SECONDS,
        interval=_INTERVAL_SECONDS,
        clock=airflow.clock,
    )
    return verdict(
        deployment.isolation, {target: outcomes[target] for target in targets}, outcomes[api_server], control
    )


def _targets(deployment: Deployment) -> list[str]:
    targets = [f"{deployment.database_host}:{deployment.database_port}"]
    return [*targets, f"{deployment.pooler_host}:{POOLER_PORT}"] if deployment.pooler_host else targets
