"""Workers cannot get at the database: they do not know how to connect, and no packet of theirs arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from automation.cluster.deployment import POOLER_PORT, Deployment
from automation.verification import probe
from automation.verification.probe import Outcome
from automation.verification.result import Check, failed, passed, skipped, warning
from automation.verification.scene import Scene
from automation.verification.worker_pod import worker
from automation.wait import wait_for

NO_CONNECTION_STRING: Final = "no database in workers' environment"
NO_NETWORK_PATH: Final = "workers cannot reach the database"
_ENFORCED_SECONDS: Final = 20.0
"""A network plugin applies policies to a new pod a few seconds after it has started."""
_INTERVAL_SECONDS: Final = 3.0
_CLOSED: Final = frozenset({Outcome.REFUSED, Outcome.TIMED_OUT, Outcome.UNREACHABLE})


def worker_isolation(scene: Scene) -> tuple[Check, Check]:
    """Two checks, seen from one worker."""
    deployment = scene.deployment
    with worker(scene) as (pod, container):
        hosts = [host for host in (deployment.database_host, deployment.pooler_host) if host]
        names = probe.database_variables(scene.kube, pod, container, hosts)
        environment = (
            failed(NO_CONNECTION_STRING, f"{pod} has {', '.join(names)}")
            if names
            else passed(NO_CONNECTION_STRING, f"looked at in {pod}")
        )
        return environment, _network(scene, pod, container)


def verdict(isolation: str, database: Mapping[str, Outcome], api_server: Outcome, control: Outcome) -> Check:
    """What probes say together.

    isolation: "required", "wanted" or "off". database: what a worker met, by target. api_server: what it met there;
    control: what the scheduler met at the database. A closed door says something only if both of these are open.
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


def _network(scene: Scene, pod: str, container: str) -> Check:
    deployment = scene.deployment
    if deployment.isolation == "off":
        return verdict("off", {}, Outcome.OPEN, Outcome.OPEN)
    scheduler = scene.ready_pod("scheduler")
    if scheduler is None:
        return failed(NO_NETWORK_PATH, "no scheduler is ready to compare with")
    scene.on_progress("probing the network from a worker")
    targets, api_server = _targets(deployment), f"{deployment.api_server_service}:{deployment.api_server_port}"
    control_target = targets[-1]  # the pooler, where there is one: the scheduler goes through it
    control = probe.connect(scene.kube, scheduler.name, "scheduler", [control_target])[control_target]
    outcomes = wait_for(
        lambda: probe.connect(scene.kube, pod, container, [*targets, api_server]),
        lambda seen: seen[api_server] is Outcome.OPEN and all(seen[target] in _CLOSED for target in targets),
        seconds=_ENFORCED_SECONDS,
        interval=_INTERVAL_SECONDS,
        clock=scene.clock,
    )
    return verdict(
        deployment.isolation, {target: outcomes[target] for target in targets}, outcomes[api_server], control
    )


def _targets(deployment: Deployment) -> list[str]:
    targets = [f"{deployment.database_host}:{deployment.database_port}"]
    return [*targets, f"{deployment.pooler_host}:{POOLER_PORT}"] if deployment.pooler_host else targets
