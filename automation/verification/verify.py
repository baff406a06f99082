"""Verifies a deployment: makes every check that a person would make after an update."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.errors import AutomationError
from automation.verification import dag_commit, dag_files, dag_run, readiness, worker_groups, worker_isolation
from automation.verification.result import Check, Status, Verification, failed, skipped
from automation.verification.running_airflow import AIRFLOW, COMPONENT, RunningAirflow
from automation.wait import Clock
from components.chart_values.running import Running

TIMEOUT_SECONDS: Final = 300.0
_REQUEST_SECONDS: Final = 30.0
_ADMIN_PASSWORD_KEY: Final = "password"

_MADE: Final[Mapping[Running, Sequence[str]]] = {
    Running.FROZEN: (readiness.COMPONENTS_READY, readiness.HEALTH, readiness.MIGRATIONS),
    Running.STOPPED: (readiness.COMPONENTS_READY,),
}
"""The checks that are made where not everything runs; the others are skipped."""

_CheckRun = Callable[[RunningAirflow], Check | tuple[Check, ...]]


def verify(
    found: Mapping[str, Any],
    *,
    kube_context: str,
    kubeconfig_path: str | None = None,
    dag_id: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    clock: Clock | None = None,
    on_progress: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Check the deployment that a stack's outputs describe.

    Changes only this: it makes one more run of a DAG, and for some seconds a pod where tasks have pods of their own. A
    check that cannot be made has failed; nothing is raised about the deployment itself.

    Args:
        found: The outputs.
        kube_context: Context of the deployment's cluster.
        kubeconfig_path: None takes KUBECONFIG, or the user's own.
        dag_id: The DAG to run; None lets `dag_choice` choose.
        timeout_seconds: Time limit of each wait: for components, for DAGs, for the run.
        clock: Measures the waits; its `sleep` may end them by raising.
        on_progress: Is told in one line what is being checked or waited for.

    Raises:
        StackUnknown: An output is missing.
        ClusterUnreachable: The kubeconfig has no such context.
    """
    deployment = Deployment.of(found)
    kube = KubeClient(kube_context, deployment.namespace, kubeconfig_path=kubeconfig_path)
    return run_checks(
        RunningAirflow(
            deployment=deployment,
            kube=kube,
            api=airflow_api(deployment, kube),
            timeout_seconds=timeout_seconds,
            clock=clock or Clock(),
            on_progress=on_progress,
        ),
        dag_id,
    )


def airflow_api(deployment: Deployment, kube: KubeClient) -> AirflowApi:
    """Return a client of the deployment's API server that goes through the cluster, so that no address is needed."""

    def connect() -> http.client.HTTPConnection:
        ready = kube.ready_pod({**AIRFLOW, COMPONENT: "api-server"}, "no API server is ready")
        return kube.connect(ready.name, deployment.api_server_port, seconds=_REQUEST_SECONDS)

    def password() -> str:
        return kube.secret(deployment.admin_password_secret)[_ADMIN_PASSWORD_KEY]

    return AirflowApi(connect, deployment.admin_username, password, root=deployment.ui_path)


def run_checks(airflow: RunningAirflow, dag_id: str | None = None) -> Verification:
    """Make all checks in order. If components are not ready, the others would only time out: they are skipped."""
    basics: list[tuple[Sequence[str], _CheckRun]] = [
        ((readiness.COMPONENTS_READY,), readiness.components_ready),
        ((readiness.HEALTH,), readiness.health),
    ]
    others: list[tuple[Sequence[str], _CheckRun]] = [
        ((readiness.MIGRATIONS,), readiness.migrations_at_head),
        ((dag_run.DAG_RUN, dag_run.TASK_LOG), lambda airflow: dag_run.dag_run(airflow, dag_id)),
        ((dag_commit.DAG_COMMIT,), dag_commit.same_commit),
        ((dag_files.NO_EXAMPLES,), dag_files.no_examples),
        ((dag_files.DAGS_PARSE,), dag_files.dags_parse),
        (
            (worker_isolation.NO_CONNECTION_STRING, worker_isolation.NO_NETWORK_PATH),
            worker_isolation.worker_isolation,
        ),
        *(
            ((worker_groups.check_name(group),), partial(worker_groups.worker_group, group=group, queues=queues))
            for group, queues in airflow.deployment.worker_groups.items()
        ),
    ]
    checks: list[Check] = []
    running = airflow.deployment.running
    if running in _MADE:
        every = [*basics, *others]
        basics = [(names, run) for names, run in every if names[0] in _MADE[running]]
        others = [(names, partial(_not_made, names=names)) for names, _ in every if names[0] not in _MADE[running]]
    for names, run in basics:
        checks += _guarded(airflow, names, run)
        if checks[-1].status is Status.FAILED:
            rest = [name for names, _ in (*basics, *others) for name in names][len(checks) :]
            return Verification((*checks, *(skipped(name, "components are not ready") for name in rest)))
    for names, run in others:
        checks += _guarded(airflow, names, run)
    return Verification(tuple(checks))


def _not_made(airflow: RunningAirflow, names: Sequence[str]) -> tuple[Check, ...]:
    return tuple(skipped(name, f"airflow:running is {airflow.deployment.running}") for name in names)


def _guarded(airflow: RunningAirflow, names: Sequence[str], run: _CheckRun) -> list[Check]:
    """Run a check. An exception counts as a failed check for each of its names."""
    airflow.on_progress(f"checking: {', '.join(names)}")
    try:
        result = run(airflow)
    except AutomationError as error:
        return [failed(name, error.what) for name in names]
    except Exception as error:
        # Only its type: its text may hold anything, a secret too.
        return [failed(name, f"the check itself failed ({type(error).__name__})") for name in names]
    return [result] if isinstance(result, Check) else list(result)
