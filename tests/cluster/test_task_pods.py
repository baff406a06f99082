"""What a DAG may choose for the pod of its task, on a real cluster: by the rules alone, and through Airflow."""

from __future__ import annotations

import copy
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from kubernetes import client as kubernetes

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.verification.verify import airflow_api, verify
from components.kube.kubeconfig import api_client
from components.release.task_pod_admission import policy_spec
from tests.cluster.git_push import pushed_dag
from tests.cluster.harness import CONTEXT, Repository, Stack, destroyed, make_stack

pytestmark = [pytest.mark.cluster]

RULES_NAMESPACE: Final = "airflow-admission"
NAMESPACE: Final = "airflow-task-pods"
SCHEDULER: Final = "airflow-scheduler"
WORKER: Final = "airflow-worker"
LABELS: Final = {"tier": "airflow", "component": "worker", "release": "airflow"}
RUN_SECONDS: Final = 600

# The rules alone


@pytest.fixture(scope="module")
def rules(api: Any) -> Iterator[None]:
    """The admission policy in a namespace of its own, with the service accounts of a release."""
    admission: Any = kubernetes.AdmissionregistrationV1Api(api.api_client)
    labels = {"app": RULES_NAMESPACE}
    spec = policy_spec(
        namespace=RULES_NAMESPACE, release_name="airflow", scheduler=SCHEDULER, service_accounts=(WORKER, "etl")
    )
    metadata = {"name": RULES_NAMESPACE, "labels": labels}
    api.create_namespace({"metadata": metadata})
    try:
        for name in (SCHEDULER, WORKER, "etl", "operator"):
            account = {"metadata": {"name": name}, "automountServiceAccountToken": name == SCHEDULER}
            api.create_namespaced_service_account(RULES_NAMESPACE, account)
        admission.create_validating_admission_policy({"metadata": metadata, "spec": spec})
        binding = {"policyName": RULES_NAMESPACE, "validationActions": ["Deny"]}
        admission.create_validating_admission_policy_binding({"metadata": metadata, "spec": binding})
        bad = pod(labels={**LABELS, "component": "scheduler"})
        _until(lambda: created(SCHEDULER, bad) is not None, "the policy is in force", 30)
        yield
    finally:
        for delete in (
            admission.delete_validating_admission_policy_binding,
            admission.delete_validating_admission_policy,
            api.delete_namespace,
        ):
            try:
                delete(RULES_NAMESPACE)
            except kubernetes.ApiException as error:
                if error.status != 404:
                    raise


def pod(labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod like a task's, with other labels or other fields of its spec."""
    key = {"secretKeyRef": {"name": "airflow-keys-worker-key-1a2b3c4d", "key": "fernet-key"}}
    return {
        "metadata": {"generateName": "task-", "labels": LABELS if labels is None else labels},
        "spec": {
            "serviceAccountName": WORKER,
            "initContainers": [{"name": "git-sync-init", "image": "git-sync"}],
            "containers": [
                {"name": "base", "image": "airflow", "env": [{"name": "AIRFLOW__CORE__FERNET_KEY", "valueFrom": key}]}
            ],
            "volumes": [
                {"name": "key", "secret": {"secretName": "airflow-git-ssh-key-1a2b3c4d"}},
                {"name": "own", "secret": {"secretName": "warehouse"}},
                {"name": "logs", "persistentVolumeClaim": {"claimName": "airflow-task-logs-1a2b3c4d"}},
                {"name": "role", "projected": {"sources": [_token("sts.amazonaws.com")]}},
            ],
            **spec,
        },
    }


def _token(audience: str | None) -> dict[str, Any]:
    return {"serviceAccountToken": {"path": "token", **({"audience": audience} if audience else {})}}


def _volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "x", **source}]}


def _ephemeral(**spec: Any) -> dict[str, Any]:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return _volume(ephemeral={"volumeClaimTemplate": {"spec": claim}})


def _container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "base", "image": "airflow", **fields}]}


def _variable(secret: str) -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": secret, "key": "connection"}}
    return _container(env=[{"name": "X", "value": "1"}, {"name": "Y", "valueFrom": reference}])


def created(account: str, body: dict[str, Any], *, user: str = "") -> str | None:
    """The refusal of a pod that a service account or a user would create, or None where the cluster takes it."""
    client = api_client(None, CONTEXT)
    user = user or f"system:serviceaccount:{RULES_NAMESPACE}:{account}"
    client.set_default_header("Impersonate-User", user)
    client.set_default_header("Impersonate-Group", "system:masters")  # or RBAC would refuse it first
    core: Any = kubernetes.CoreV1Api(client)
    try:
        core.create_namespaced_pod(RULES_NAMESPACE, copy.deepcopy(body), dry_run="All")
    except kubernetes.ApiException as error:
        return str(error.body)
    return None


DATABASE: Final = "airflow-database-metadata-1a2b3c4d"
OF_THE_STACK: Final = "a Secret of the stack that workers do not have"
REFUSED: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "the scheduler's label": (pod({**LABELS, "component": "scheduler"}), "has the labels tier: airflow"),
    "another release": (pod({**LABELS, "release": "x"}), "has the labels tier: airflow"),
    "no labels": (pod({}), "has the labels tier: airflow"),
    "the scheduler's account": (pod(serviceAccountName=SCHEDULER), "may run as the service account airflow-worker"),
    "no account": (pod(serviceAccountName=""), "may run as the service account airflow-worker"),
    "a token": (pod(automountServiceAccountToken=True), "no token for the Kubernetes API"),
    "a projected token": (pod(**_volume(projected={"sources": [_token(None)]})), "no token for the Kubernetes API"),
    "a token for the audience of the API": (
        pod(**_volume(projected={"sources": [_token("https://kubernetes.default.svc.cluster.local")]})),
        "no token for the Kubernetes API",
    ),
    "the Fernet key": (pod(**_variable("airflow-keys-fernet-key-1a2b3c4d")), OF_THE_STACK),
    "a variable": (pod(**_variable(DATABASE)), OF_THE_STACK),
    "all variables": (pod(**_container(envFrom=[{"secretRef": {"name": DATABASE}}])), OF_THE_STACK),
    "an init container": (
        pod(initContainers=[{"name": "i", "image": "x", "envFrom": [{"secretRef": {"name": DATABASE}}]}]),
        OF_THE_STACK,
    ),
    "a volume": (pod(**_volume(secret={"secretName": "airflow-keys-jwt-secret-1a2b3c4d"})), OF_THE_STACK),
    "a projected volume": (pod(**_volume(projected={"sources": [{"secret": {"name": DATABASE}}]})), OF_THE_STACK),
    "Helm's record": (pod(**_volume(secret={"secretName": "sh.helm.release.v1.airflow.v1"})), OF_THE_STACK),
    "the database's volume": (
        pod(**_volume(persistentVolumeClaim={"claimName": "airflow-postgres-data-1a2b3c4d"})),
        "mounts a volume of the database",
    ),
    "the dumps of the database": (
        pod(**_volume(persistentVolumeClaim={"claimName": "airflow-backups-1a2b3c4d"})),
        "mounts a volume of the database, of its dumps",
    ),
    "a copy of the database's volume": (
        pod(**_ephemeral(dataSource={"kind": "PersistentVolumeClaim", "name": "airflow-postgres-data-1a2b3c4d"})),
        "may be new and empty only",
    ),
    "a snapshot of it": (
        pod(**_ephemeral(dataSourceRef={"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"})),
        "may be new and empty only",
    ),
    "a volume that is there": (pod(**_ephemeral(volumeName="pv-1")), "may be new and empty only"),
    "one with some labels": (
        pod(**_ephemeral(selector={"matchLabels": {"of": "others"}})),
        "may be new and empty only",
    ),
    "the node's network": (pod(hostNetwork=True), "no privileges and nothing of its node"),
    "the node's processes": (pod(hostPID=True), "no privileges and nothing of its node"),
    "the node's files": (pod(**_volume(hostPath={"path": "/"})), "no privileges and nothing of its node"),
    "privileges": (pod(**_container(securityContext={"privileged": True})), "no privileges and nothing of its node"),
}


def test_pod_of_a_task_is_admitted_and_one_with_rights_of_others_is_not(rules: None) -> None:
    assert created(SCHEDULER, pod()) is None
    assert created(SCHEDULER, pod({**LABELS, "team": "data"}, serviceAccountName="etl")) is None
    assert created(SCHEDULER, pod(**_ephemeral())) is None
    for what, (body, message) in REFUSED.items():
        refusal = created(SCHEDULER, body)
        assert refusal is not None, what
        assert message in refusal, (what, refusal)
        assert "Fix: change the pod_override" in refusal, what


def test_pod_of_an_operator_needs_no_label_and_may_have_no_other_component_s(rules: None) -> None:
    assert created("operator", pod({})) is None
    assert created("operator", pod(LABELS)) is None
    refusal = created("operator", pod({"component": "api-server"}))
    assert refusal is not None
    assert "The label component of another part of Airflow" in refusal
    assert created("operator", pod({}, serviceAccountName=SCHEDULER)) is not None


def test_pods_of_controllers_and_people_are_not_judged(rules: None) -> None:
    scheduler = pod({**LABELS, "component": "scheduler"}, serviceAccountName=SCHEDULER, **_variable(DATABASE))
    for user in ("system:serviceaccount:kube-system:replicaset-controller", "system:node:one", "kubernetes-admin"):
        assert created("", scheduler, user=user) is None, user


# Through Airflow

DAGS: Final = '''\
"""Tasks that choose the pod they run in."""

from datetime import datetime

from airflow.sdk import dag, task
from kubernetes.client import models as k8s


def override(labels=None, volumes=None, **spec):
    containers = [k8s.V1Container(name="base")]
    spec = k8s.V1PodSpec(containers=containers, volumes=volumes, **spec)
    return {"pod_override": k8s.V1Pod(metadata=k8s.V1ObjectMeta(labels=labels), spec=spec)}


SECRET = k8s.V1SecretVolumeSource(secret_name="airflow-database-metadata-1a2b3c4d")
CHOICES = {
    "normal": {"labels": {"team": "data"}},
    "labels": {"labels": {"component": "scheduler"}},
    "account": {"service_account_name": "airflow-scheduler"},
    "secret": {"volumes": [k8s.V1Volume(name="database", secret=SECRET)]},
}

for name, choice in CHOICES.items():

    @dag(dag_id=f"pod_with_{name}", schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
    def chosen():
        @task(retries=0, executor_config=override(**choice))
        def work():
            print("it ran")

        work()

    chosen()
'''
TRIED: Final = {
    "pod_with_labels": "The pod of a task has the labels tier: airflow, component: worker, release: airflow",
    "pod_with_account": "The pod may run as the service account airflow-worker only",
    "pod_with_secret": "The pod refers to a Secret of the stack that workers do not have",
}


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = make_stack(tmp_path_factory.mktemp("stack"), NAMESPACE, repository)
    stack.set(executor="KubernetesExecutor")
    with pushed_dag(tmp_path_factory.mktemp("dags"), "pods_of_tasks.py", DAGS):
        yield from destroyed(stack)


@pytest.mark.engine
def test_dag_cannot_take_the_scheduler_s_labels_account_or_a_secret_of_the_database(stack: Stack) -> None:
    stack.up()
    airflow = airflow_api(Deployment.of(stack.outputs()), KubeClient(CONTEXT, NAMESPACE))
    wanted = {"pod_with_normal", *TRIED}
    _until(lambda: wanted <= {dag.dag_id for dag in airflow.dags()}, "the DAGs are parsed", RUN_SECONDS)
    run_id = f"test__{time.time_ns()}"
    for dag_id in sorted(wanted):
        airflow.set_paused(dag_id, paused=False)
        airflow.trigger(dag_id, run_id, "a test")
    ends = {dag_id: _end(airflow, dag_id, run_id) for dag_id in sorted(wanted)}
    assert ends == {"pod_with_normal": "success", **dict.fromkeys(TRIED, "failed")}
    log = _scheduler_log()
    for dag_id, message in TRIED.items():
        assert message in log, dag_id


@pytest.mark.engine
def test_stack_with_task_pods_is_verified_by_a_probe_like_a_task_s(stack: Stack) -> None:
    result = verify(stack.outputs(), kube_context=CONTEXT)
    assert result.ok, [(check.name, check.detail) for check in result.checks if str(check.status) == "failed"]


@pytest.mark.engine
def test_nothing_of_the_cluster_is_left(stack: Stack, api: Any) -> None:
    """The policy is no part of the namespace, and goes with the stack all the same."""
    admission: Any = kubernetes.AdmissionregistrationV1Api(api.api_client)
    mine = f"app.kubernetes.io/instance={NAMESPACE}"

    def of_the_stack() -> list[str]:
        return [item.metadata.name for item in admission.list_validating_admission_policy(label_selector=mine).items]

    assert len(of_the_stack()) == 1
    stack.command("destroy", "--yes", "--skip-preview")
    assert of_the_stack() == []


def _end(airflow: AirflowApi, dag_id: str, run_id: str) -> str | None:
    _until(lambda: airflow.run_state(dag_id, run_id) in ("success", "failed"), f"{dag_id} ends", RUN_SECONDS)
    return airflow.run_state(dag_id, run_id)


def _scheduler_log() -> str:
    command = ["kubectl", "--context", CONTEXT, "-n", NAMESPACE, "logs", "deploy/airflow-scheduler", "-c", "scheduler"]
    return subprocess.run([*command, "--tail=-1"], capture_output=True, text=True, check=True).stdout


def _until(condition: Callable[[], object], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(1)
