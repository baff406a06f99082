"""What probes say about the way from workers to the database."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from automation.cluster.client import KubeClient
from automation.cluster.deployment import POOLER_PORT
from automation.errors import ClusterRequestFailed
from automation.verification import probe, worker_pod
from automation.verification.probe import Outcome
from automation.verification.result import Status
from automation.verification.worker_isolation import verdict, worker_isolation
from components.database import pgbouncer
from components.kube.safe_yaml import load_yaml
from tests.automation.fakes import World, isolated, pod
from tests.cases import each

OPEN, REFUSED, TIMED_OUT = Outcome.OPEN, Outcome.REFUSED, Outcome.TIMED_OUT
DATABASE = "airflow-postgres:5432"

TEMPLATE = """
apiVersion: v1
kind: Pod
metadata:
  name: placeholder-name
  labels: {tier: airflow, component: worker, release: airflow}
spec:
  initContainers: [{name: git-sync-init, image: git-sync}]
  containers:
    - name: base
      image: registry.test/airflow:1
      imagePullPolicy: Always
      securityContext: {runAsNonRoot: true}
      env: [{name: AIRFLOW__CORE__EXECUTOR, value: LocalExecutor}]
      envFrom: []
      volumeMounts: [{name: dags, mountPath: /opt/airflow/dags}]
      command: []
    - {name: sidecar, image: other}
  serviceAccountName: airflow-worker
  imagePullSecrets: [{name: pull}]
  securityContext: {runAsUser: 50000}
  nodeSelector: {pool: tasks}
  volumes: [{name: dags, emptyDir: {}}]
"""

CASES = [
    # isolation, database, API server, scheduler: status
    ("required", OPEN, OPEN, OPEN, Status.FAILED),
    ("wanted", OPEN, OPEN, OPEN, Status.WARNING),
    ("required", REFUSED, OPEN, OPEN, Status.PASSED),
    ("wanted", REFUSED, OPEN, OPEN, Status.PASSED),
    ("required", TIMED_OUT, OPEN, OPEN, Status.PASSED),
    ("wanted", TIMED_OUT, OPEN, OPEN, Status.PASSED),
    ("required", Outcome.UNREACHABLE, OPEN, OPEN, Status.PASSED),
    # Only the name server may be out of order: no proof.
    ("required", Outcome.UNRESOLVED, OPEN, OPEN, Status.FAILED),
    ("wanted", Outcome.UNRESOLVED, OPEN, OPEN, Status.FAILED),
]


def test_database_that_workers_reach_fails_where_isolation_is_required_and_warns_where_it_is_wanted() -> None:
    for isolation, database, api_server, control, status in CASES:
        check = verdict(isolation, {DATABASE: database}, api_server, control)
        assert check.status is status, (isolation, database)


def test_closed_target_proves_nothing_where_a_control_is_closed_too() -> None:
    for isolation, database, api_server, control in itertools.product(
        ("required", "wanted"), Outcome, Outcome, Outcome
    ):
        if (api_server, control) != (OPEN, OPEN):
            check = verdict(isolation, {DATABASE: database}, api_server, control)
            assert check.status is Status.FAILED, (isolation, database, api_server, control)
            assert "nothing is proven" in check.detail


def test_isolation_that_is_off_is_not_judged() -> None:
    for database, api_server, control in itertools.product(Outcome, Outcome, Outcome):
        assert verdict("off", {DATABASE: database}, api_server, control).status is Status.SKIPPED


def test_one_open_target_of_two_is_enough_to_fail() -> None:
    found = verdict("required", {DATABASE: TIMED_OUT, "airflow-pgbouncer:6543": OPEN}, OPEN, OPEN)
    assert found.status is Status.FAILED
    assert "does not enforce NetworkPolicy" in found.detail
    assert "airflow-pgbouncer:6543" in found.detail
    assert DATABASE not in found.detail


def test_no_target_proves_nothing() -> None:
    assert verdict("required", {}, OPEN, OPEN).status is Status.FAILED


def test_standing_worker_is_probed_from(world: World) -> None:
    environment, network = worker_isolation(world.running())
    assert (environment.status, network.status) == (Status.PASSED, Status.PASSED)
    assert world.kube.created == []
    probed = [(pod, arguments[4:]) for pod, _, arguments in world.kube.commands if "create_connection" in arguments[2]]
    assert probed == [
        ("airflow-scheduler-0", (DATABASE,)),
        ("airflow-worker-0", (DATABASE, "airflow-api-server:8080")),
    ]


def test_cluster_that_enforces_nothing_is_named_as_such(world: World) -> None:
    world.kube.network = lambda pod, target: OPEN
    assert worker_isolation(world.running(isolation="wanted"))[1].status is Status.WARNING
    assert worker_isolation(world.running(isolation="required"))[1].status is Status.FAILED


def test_policy_that_is_applied_some_seconds_late_is_waited_for(world: World) -> None:
    world.kube.network = lambda pod, target: isolated(pod, target) if world.time.seconds > 5 else OPEN
    assert worker_isolation(world.running(isolation="required"))[1].status is Status.PASSED


def test_network_is_not_probed_where_isolation_is_off(world: World) -> None:
    environment, network = worker_isolation(world.running(isolation="off"))
    assert (environment.status, network.status) == (Status.PASSED, Status.SKIPPED)
    assert not any("create_connection" in command[-1] for _, _, command in world.kube.commands if len(command) == 3)


def test_pooler_is_probed_too_and_is_what_the_scheduler_goes_through(world: World) -> None:
    """With PgBouncer the scheduler itself has no way to the database past it."""

    def network(pod: str, target: str) -> Outcome:
        return TIMED_OUT if target == DATABASE else isolated(pod, target)

    world.kube.network = network
    found = worker_isolation(world.running(pooler_host="airflow-pgbouncer"))[1]
    assert found.status is Status.PASSED
    assert "airflow-pgbouncer:6543 timed out" in found.detail


def test_port_of_the_pooler_is_the_programs() -> None:
    assert POOLER_PORT == pgbouncer.PORT


def test_connection_string_in_the_environment_fails_and_is_not_shown(world: World) -> None:
    world.kube.database_variables = ["AIRFLOW_CONN_AIRFLOW_DB"]
    environment, network = worker_isolation(world.running())
    assert environment.status is Status.FAILED
    assert "AIRFLOW_CONN_AIRFLOW_DB" in environment.detail
    assert network.status is Status.PASSED


def kubernetes_world(world: World) -> World:
    world.kube.found_pods = [item for item in world.kube.found_pods if item.labels["component"] != "worker"]
    world.kube.found_pods = [item for item in world.kube.found_pods if item.labels["component"] != "scheduler"]
    world.kube.found_pods.append(pod("scheduler", config_maps=("other", "airflow-config")))
    world.kube.config_maps = {"other": {"x": "y"}, "airflow-config": {worker_pod.TEMPLATE_KEY: TEMPLATE}}
    return world


def test_without_standing_workers_a_pod_like_a_tasks_is_made_and_deleted(world: World) -> None:
    world = kubernetes_world(world)
    environment, network = worker_isolation(world.running(executor="KubernetesExecutor"))
    assert (environment.status, network.status) == (Status.PASSED, Status.PASSED)
    assert len(world.kube.created) == 1
    assert world.kube.deleted == ["verification-worker-x"]


def test_pod_of_a_running_task_is_not_taken_for_a_standing_worker(world: World) -> None:
    world = kubernetes_world(world)
    world.kube.found_pods.append(pod("worker", name="some-task", containers=("base",)))
    worker_isolation(world.running(executor="KubernetesExecutor"))
    assert len(world.kube.created) == 1


def test_pod_that_does_not_start_is_deleted_and_says_why(world: World) -> None:
    world = kubernetes_world(world)
    world.kube.new_pods_ready = False
    with pytest.raises(ClusterRequestFailed, match="ImagePullBackOff"):
        worker_isolation(world.running(executor="KubernetesExecutor"))
    assert world.kube.deleted == ["verification-worker-x"]


def test_pod_is_deleted_where_the_probe_fails(world: World) -> None:
    world = kubernetes_world(world)

    def broken(pod: str, target: str) -> Outcome:
        raise ClusterRequestFailed("lost", "look")

    world.kube.network = broken
    with pytest.raises(ClusterRequestFailed, match="lost"):
        worker_isolation(world.running(executor="KubernetesExecutor"))
    assert world.kube.deleted == ["verification-worker-x"]


def test_celery_without_a_ready_worker_makes_no_pod(world: World) -> None:
    world.kube.found_pods = [pod("scheduler"), pod("worker", ready=False)]
    with pytest.raises(ClusterRequestFailed, match="no worker is ready"):
        worker_isolation(world.running())
    assert world.kube.created == []


def test_pod_is_like_a_tasks_without_what_it_would_fetch() -> None:
    template = load_yaml(TEMPLATE)
    spec = worker_pod.pod_manifest(template)["spec"]
    (container,) = spec["containers"]
    base = template["spec"]["containers"][0]
    for key in ("image", "imagePullPolicy", "securityContext", "env"):
        assert container[key] == base[key]
    for key in ("serviceAccountName", "imagePullSecrets", "securityContext", "nodeSelector"):
        assert spec[key] == template["spec"][key]
    assert "volumes" not in spec
    assert "initContainers" not in spec
    assert "volumeMounts" not in container
    assert container["command"][0] == "sleep"
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["automountServiceAccountToken"] is False


def test_pod_has_the_labels_that_policies_select_workers_by() -> None:
    manifest = worker_pod.pod_manifest({"spec": {"containers": [{"name": "base", "image": "x"}]}})
    assert manifest["metadata"]["labels"] == {"tier": "airflow", "component": "worker"}


def local_python(script: str, arguments: list[str], environment: dict[str, str] | None = None) -> Any:
    """Runs a probe here instead of in a container."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], **(environment or {})},
    )
    return json.loads(done.stdout)


def test_connect_script_tells_open_from_refused_and_unresolved() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert local_python(probe._CONNECT, ["1", f"127.0.0.1:{port}"]) == {f"127.0.0.1:{port}": "open"}
    assert local_python(probe._CONNECT, ["1", f"127.0.0.1:{port}"]) == {f"127.0.0.1:{port}": "refused"}
    assert local_python(probe._CONNECT, ["1", "no.such.host.invalid:1"]) == {"no.such.host.invalid:1": "unresolved"}


@each(
    ("variable", "value", "found"),
    [
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://u:p@elsewhere/x", True),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", "cat /secret", True),
        ("AIRFLOW_CONN_AIRFLOW_DB", "postgresql://u:p@elsewhere/x", True),
        ("AIRFLOW__CELERY__RESULT_BACKEND", "db+postgresql://u:p@airflow-postgres/x", True),
        ("KEDA_DB_CONN", "postgresql://u:p@airflow-pgbouncer:6543/x", True),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "", False),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "airflow-db-not-allowed:///", False),
        ("AIRFLOW__CELERY__RESULT_BACKEND", "redis://:p@airflow-redis:6379/0", False),
        ("AIRFLOW_CONN_WAREHOUSE", "postgresql://u:p@warehouse/x", False),
    ],
)
def test_environment_script_names_variables_and_shows_no_value(variable: str, value: str, found: bool) -> None:
    names = local_python(probe._DATABASE_VARIABLES, ["airflow-postgres", "airflow-pgbouncer"], {variable: value})
    assert names == ([variable] if found else [])


def test_probe_without_an_answer_is_an_error(world: World) -> None:
    class Silent(type(world.kube)):  # type: ignore[misc]
        def run(self, *args: Any, **kwargs: Any) -> Any:
            from components.kube.pod_command import ExecResult

            return ExecResult(127, "", "python: not found")

    kube: KubeClient = Silent(found_pods=world.kube.found_pods)
    with pytest.raises(ClusterRequestFailed, match="exit code 127"):
        probe.connect(kube, "airflow-worker-0", "worker", [DATABASE])
