"""Every component is ready, by Kubernetes and by Airflow's own account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import Pod, Workload
from automation.errors import AutomationError
from automation.verification.result import Check, failed, passed
from automation.verification.scene import AIRFLOW, COMPONENT, Scene
from automation.wait import wait_for

COMPONENTS_READY: Final = "components ready"
HEALTH: Final = "Airflow healthy"
_REQUIRED: Final = ("api-server", "scheduler", "dag-processor")
_OPTIONAL_HEALTH: Final = frozenset({"triggerer"})
_INTERVAL_SECONDS: Final = 2.0


def components_ready(scene: Scene) -> Check:
    """Deployments and StatefulSets: all there, all pods ready and of the newest revision."""
    required = (*_REQUIRED, "worker") if scene.deployment.celery else _REQUIRED

    def look() -> tuple[tuple[Workload, ...], str]:
        workloads = scene.kube.workloads(AIRFLOW)
        return workloads, unready(workloads, required)

    workloads, problem = wait_for(
        look,
        lambda seen: not seen[1],
        seconds=scene.timeout_seconds,
        interval=_INTERVAL_SECONDS,
        clock=scene.clock,
    )
    if problem:
        return failed(COMPONENTS_READY, f"{problem}{_reasons(scene.kube.pods(AIRFLOW))}")
    pods = sum(workload.desired for workload in workloads)
    return passed(COMPONENTS_READY, f"{len(workloads)} workloads, {pods} pods")


def health(scene: Scene) -> Check:
    """What /monitor/health says. A heart that has just begun to beat may take some seconds to be seen."""
    statuses, problem = wait_for(
        lambda: _health(scene.api),
        lambda seen: not seen[1],
        seconds=scene.timeout_seconds,
        interval=_INTERVAL_SECONDS,
        clock=scene.clock,
    )
    if problem:
        return failed(HEALTH, f"{problem}{_reasons(scene.kube.pods(AIRFLOW))}")
    return passed(HEALTH, ", ".join(name for name, status in statuses.items() if status))


def unready(workloads: Iterable[Workload], required: Iterable[str]) -> str:
    """What is missing or not ready; "" where all is well."""
    found = list(workloads)
    components = {workload.labels.get(COMPONENT) for workload in found if workload.desired}
    problems = [f"no {component}" for component in required if component not in components]
    problems += [
        f"{workload.name} {workload.ready}/{workload.desired} ready" + ("" if workload.current else ", rolling out")
        for workload in sorted(found, key=lambda workload: workload.name)
        if workload.ready < workload.desired or not workload.current
    ]
    return "; ".join(problems)


def _health(api: AirflowApi) -> tuple[Mapping[str, str | None], str]:
    try:
        statuses = api.health()
    except AutomationError as error:
        return {}, error.what
    problems = [
        f"{name} is {status or 'not running'}"
        for name, status in sorted(statuses.items())
        if status != "healthy" and not (status is None and name in _OPTIONAL_HEALTH)
    ]
    return statuses, ", ".join(problems)


def _reasons(pods: Iterable[Pod]) -> str:
    reasons = [f"{pod.name}: {pod.reason}" for pod in sorted(pods, key=lambda pod: pod.name) if not pod.ready]
    return f" ({'; '.join(reasons)})" if reasons else ""
