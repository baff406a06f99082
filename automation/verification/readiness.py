"""The deployment is ready: its components, Airflow's own health, and the schema of its database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.pods import Workload
from automation.errors import AutomationError
from automation.verification.result import Check, failed, passed
from automation.verification.running_airflow import AIRFLOW, COMPONENT, RunningAirflow
from automation.wait import wait_for
from components.chart_values.running import Running

COMPONENTS_READY: Final = "components ready"
HEALTH: Final = "Airflow healthy"
_REQUIRED: Final = ("api-server", "scheduler", "dag-processor")
_SERVES: Final = "api-server"
_DATABASE: Final = "metadatabase"
_OPTIONAL_HEALTH: Final = frozenset({"triggerer"})
_INTERVAL_SECONDS: Final = 2.0

MIGRATIONS: Final = "migrations at head"
_MIGRATIONS_SECONDS: Final = 120  # an Airflow command spends long on imports where the machine is busy
_CHECK_MIGRATIONS: Final = ("airflow", "db", "check-migrations", "--migration-wait-timeout", "0")


def components_ready(airflow: RunningAirflow) -> Check:
    """Check that every Deployment and StatefulSet is there, with all pods ready and of the newest revision."""
    required: tuple[str, ...] = (*_REQUIRED, "worker") if airflow.deployment.celery else _REQUIRED
    if airflow.deployment.running is not Running.ALL:
        required = (_SERVES,) if airflow.deployment.running is Running.FROZEN else ()

    def look() -> tuple[tuple[Workload, ...], str]:
        workloads = airflow.kube.workloads(AIRFLOW)
        return workloads, unready(workloads, required)

    workloads, problem = wait_for(
        look,
        lambda seen: not seen[1],
        seconds=airflow.timeout_seconds,
        interval=_INTERVAL_SECONDS,
        clock=airflow.clock,
    )
    if problem:
        return failed(COMPONENTS_READY, f"{problem}{_reasons(airflow.kube)}")
    pods = sum(workload.desired for workload in workloads)
    return passed(COMPONENTS_READY, f"{len(workloads)} workloads, {pods} pods")


def health(airflow: RunningAirflow) -> Check:
    """Check what /monitor/health says. The first heartbeat of a component may take some seconds to show."""
    frozen = airflow.deployment.running is Running.FROZEN
    statuses, problem = wait_for(
        lambda: _health(airflow.api, (_DATABASE,) if frozen else ()),
        lambda seen: not seen[1],
        seconds=airflow.timeout_seconds,
        interval=_INTERVAL_SECONDS,
        clock=airflow.clock,
    )
    if problem:
        return failed(HEALTH, f"{problem}{_reasons(airflow.kube)}")
    shown = (name for name, status in statuses.items() if status and (name == _DATABASE or not frozen))
    return passed(HEALTH, ", ".join(shown))


def migrations_at_head(airflow: RunningAirflow) -> Check:
    """Check that the database has the schema of the running image: ask Airflow in a pod of it, without waiting."""
    component = "scheduler" if airflow.deployment.running is Running.ALL else _SERVES
    pod = airflow.ready_pod(component)
    if pod is None:
        return failed(MIGRATIONS, f"no {component} is ready to ask")
    result = airflow.kube.run(pod.name, component, _CHECK_MIGRATIONS, seconds=_MIGRATIONS_SECONDS)
    if result.exit_code:
        # Without its output: a failed connection prints where it went.
        return failed(MIGRATIONS, f"airflow db check-migrations ended with exit code {result.exit_code} in {pod.name}")
    return passed(MIGRATIONS, f"asked in {pod.name}")


def unready(workloads: Iterable[Workload], required: Iterable[str]) -> str:
    """Return what is missing or not ready; "" where all is well."""
    workloads = sorted(workloads, key=lambda workload: workload.name)
    components = {workload.labels.get(COMPONENT) for workload in workloads if workload.desired}
    problems = [f"no {component}" for component in required if component not in components]
    problems += [
        f"{workload.name} {workload.ready}/{workload.desired} ready" + ("" if workload.current else ", rolling out")
        for workload in workloads
        if workload.ready < workload.desired or not workload.current
    ]
    return "; ".join(problems)


def _health(api: AirflowApi, only: Collection[str] = ()) -> tuple[Mapping[str, str | None], str]:
    try:
        statuses = api.health()
    except AutomationError as error:
        return {}, error.what
    problems = [
        f"{name} is {status or 'not running'}"
        for name, status in sorted(statuses.items())
        if status != "healthy" and not (status is None and name in _OPTIONAL_HEALTH) and (not only or name in only)
    ]
    return statuses, ", ".join(problems)


def _reasons(kube: KubeClient) -> str:
    reasons = [
        f"{item.unready.pod or item.name}: {item.unready.short}"
        for item in kube.look().workloads
        if item.release and item.unready is not None and not item.well
    ]
    return f" ({'; '.join(reasons)})" if reasons else ""
