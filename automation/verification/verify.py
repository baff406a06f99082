"""Verifies a deployment: what a person would look at after an update, seen and not assumed."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import Kube, KubeClient
from automation.cluster.deployment import Deployment
from automation.errors import AutomationError, ClusterRequestFailed
from automation.verification import dag_commit, dag_run, example_dags, migrations, readiness, worker_isolation
from automation.verification.result import Check, Status, Verification, failed, skipped
from automation.verification.scene import AIRFLOW, COMPONENT, Scene
from automation.wait import Clock

TIMEOUT_SECONDS: Final = 300.0
_REQUEST_SECONDS: Final = 30.0
_ADMIN_PASSWORD_KEY: Final = "password"

_Run = Callable[[Scene], Check | tuple[Check, ...]]


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
    """Checks the deployment that a stack's outputs describe.

    kube_context: of its cluster. kubeconfig_path: None takes KUBECONFIG or the user's own. dag_id: the DAG to run; None
    lets `dag_choice` choose. timeout_seconds: of each wait (for components, for DAGs, for the run); clock: of
    the waits, whose `sleep` may end them by what it raises.
    Changes nothing but this: one DAG run more; where tasks have pods of their own, one pod for some seconds.
    A check that cannot be made has failed; of the deployment nothing is raised. Raises StackUnknown where outputs are
    missing, ClusterUnreachable where the kubeconfig has no such context.
    """
    deployment = Deployment.of(found)
    kube = KubeClient(kube_context, deployment.namespace, kubeconfig_path=kubeconfig_path)
    return verify_scene(
        Scene(
            deployment=deployment,
            kube=kube,
            api=airflow_api(deployment, kube),
            timeout_seconds=timeout_seconds,
            clock=clock or Clock(),
            on_progress=on_progress,
        ),
        dag_id,
    )


def airflow_api(deployment: Deployment, kube: Kube) -> AirflowApi:
    """A client of the deployment's API server, through the cluster: no address of it need be reachable."""

    def connect() -> http.client.HTTPConnection:
        pods = kube.pods({**AIRFLOW, COMPONENT: "api-server"})
        ready = next((pod for pod in sorted(pods, key=lambda pod: pod.name) if pod.ready), None)
        if ready is None:
            raise ClusterRequestFailed("no API server is ready", "kubectl get pods -l component=api-server")
        return kube.connect(ready.name, deployment.api_server_port, seconds=_REQUEST_SECONDS)

    def password() -> str:
        return kube.secret(deployment.admin_password_secret)[_ADMIN_PASSWORD_KEY]

    return AirflowApi(connect, deployment.admin_username, password)


def verify_scene(scene: Scene, dag_id: str | None = None) -> Verification:
    """All checks in order. Where components are not ready, the others could only wait in vain: they are skipped."""
    basics: list[tuple[Sequence[str], _Run]] = [
        ((readiness.COMPONENTS_READY,), readiness.components_ready),
        ((readiness.HEALTH,), readiness.health),
    ]
    others: list[tuple[Sequence[str], _Run]] = [
        ((migrations.MIGRATIONS,), migrations.migrations_at_head),
        ((dag_run.DAG_RUN, dag_run.TASK_LOG), lambda scene: dag_run.dag_run(scene, dag_id)),
        ((dag_commit.DAG_COMMIT,), dag_commit.same_commit),
        ((example_dags.NO_EXAMPLES,), example_dags.no_examples),
        ((example_dags.DAGS_PARSE,), example_dags.dags_parse),
        (
            (worker_isolation.NO_CONNECTION_STRING, worker_isolation.NO_NETWORK_PATH),
            worker_isolation.worker_isolation,
        ),
    ]
    checks: list[Check] = []
    for names, run in basics:
        checks += _guarded(scene, names, run)
        if checks[-1].status is Status.FAILED:
            rest = [name for names, _ in (*basics, *others) for name in names][len(checks) :]
            return Verification((*checks, *(skipped(name, "components are not ready") for name in rest)))
    for names, run in others:
        checks += _guarded(scene, names, run)
    return Verification(tuple(checks))


def _guarded(scene: Scene, names: Sequence[str], run: _Run) -> list[Check]:
    """Runs a check; whatever it raises is a failed check for each of its names."""
    scene.on_progress(f"checking: {', '.join(names)}")
    try:
        result = run(scene)
    except AutomationError as error:
        return [failed(name, error.what) for name in names]
    except Exception as error:
        # Its text may hold anything, a secret too; its type says what is worth reporting.
        return [failed(name, f"the check itself failed ({type(error).__name__})") for name in names]
    return [result] if isinstance(result, Check) else list(result)
