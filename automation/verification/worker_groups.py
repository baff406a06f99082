"""A probe of each worker group: one of its workers serves the group's queues, and cannot reach the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from automation.verification import probe
from automation.verification.result import Check, Status, failed, passed, skipped
from automation.verification.running_airflow import AIRFLOW, COMPONENT, RunningAirflow
from automation.verification.worker_isolation import isolation_of
from components.chart_values.worker_group import GROUP_LABEL

_CONTAINER: Final = "worker"
_WORST_FIRST: Final = (Status.FAILED, Status.WARNING, Status.PASSED)


def check_name(group: str) -> str:
    """Return the name of a group's check."""
    return f"worker group {group}"


def worker_group(airflow: RunningAirflow, group: str, queues: Sequence[str]) -> Check:
    """Make the check of a group, from the first of its workers that is ready."""
    name = check_name(group)
    pod = next((pod for pod in airflow.standing_workers() if pod.labels.get(GROUP_LABEL) == group), None)
    if pod is None:
        return _no_worker(airflow, group)
    airflow.on_progress(f"probing the worker group {group} from {pod.name}")
    parts = [_served(airflow, pod.name, name, queues), *isolation_of(airflow, pod.name, _CONTAINER)]
    for status in _WORST_FIRST:
        found = [part.detail for part in parts if part.status is status]
        if found:
            return Check(name, status, "; ".join(found))
    return skipped(name, "nothing can be probed")


def _no_worker(airflow: RunningAirflow, group: str) -> Check:
    name = check_name(group)
    workloads = airflow.kube.workloads({**AIRFLOW, COMPONENT: "worker"})
    workload = next((found for found in workloads if found.name.endswith(f"-worker-{group}")), None)
    if workload is None:
        return failed(name, "it has no Deployment and no StatefulSet")
    if workload.desired == 0:
        return skipped(name, f"{workload.name} is scaled to no worker while no task waits for it")
    return failed(name, f"no worker of {workload.name} is ready")


def _served(airflow: RunningAirflow, pod: str, name: str, queues: Sequence[str]) -> Check:
    served = probe.served_queues(airflow.kube, pod, _CONTAINER)
    if sorted(served) != sorted(queues):
        found = ", ".join(served) or "none"
        return failed(name, f"expected {pod} to serve the queues {', '.join(queues)}, found {found}")
    return passed(name, f"{pod} serves {', '.join(queues)}")
