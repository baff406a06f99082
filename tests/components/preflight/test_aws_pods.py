"""What the pods that try AWS are, and what is done around them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from components.aws.pod_identity import PodIdentity, PodRole
from components.kube.client import KubeApi
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.preflight import aws_pods
from components.preflight.aws_pods import AwsTrial, account_present, aws_about, aws_pod, with_identity
from components.preflight.component_pods import with_own_files
from components.preflight.pod_run import ContainerEnd, PodEnd
from components.task_logs.remote import RemoteLogs
from tests.kube_server import RIGHT, KubeServer, serving

ROLE: Final = PodRole(arn="arn:role", region="eu-west-1", identity=PodIdentity.EKS_POD_IDENTITY)
OWN: Final = RemoteLogs(folder="s3://bucket/logs", region="eu-west-1")
WORKER: Final = AwsTrial(account="worker", values_of="workers.celery", steps=("write", "read"), logs=OWN, role=ROLE)
CONNECTION: Final = {
    "name": "AIRFLOW_CONN_AWS_TASK_LOGS",
    "valueFrom": {"secretKeyRef": {"name": "logs", "key": "connection"}},
}
KEY: Final = {"name": "AIRFLOW__CORE__FERNET_KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "fernet-key"}}}
VALUES: Final = {
    "workers": {
        "celery": {
            "env": [KEY, {"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"}, CONNECTION],
            "serviceAccount": {"annotations": {"a": "b"}},
        }
    }
}
ACCOUNTS: Final = "/api/v1/namespaces/ns/serviceaccounts"
ACCOUNT: Final = {"name": "airflow-worker", "annotations": {"a": "b"}, "release": "airflow", "by_agent": True}
LACKS: Final = json.dumps({"step": "write", "error": "NoCredentialsError: Unable to locate credentials"})


@pytest.fixture
def kube_server(tmp_path: Path) -> Iterator[KubeServer]:
    with serving(tmp_path) as fake:
        yield fake


def pod(team: JobPod | None = None) -> Any:
    team = team or JobPod()
    return aws_pod(WORKER, VALUES, Images(tag="3.2.2"), team, "airflow")


def test_pod_is_a_worker_to_policies_and_to_aws_and_never_ready_for_a_service() -> None:
    made = pod()
    assert (
        made["metadata"]["labels"].items() >= {"tier": "airflow", "component": "worker", "release": "airflow"}.items()
    )
    assert made["spec"]["serviceAccountName"] == "airflow-worker"
    [container] = made["spec"]["containers"]
    assert container["readinessProbe"]["initialDelaySeconds"] > 600


def test_pod_has_the_connection_and_no_key_of_the_stack() -> None:
    [container] = pod(JobPod(env=({"name": "HTTPS_PROXY", "value": "p"},)))["spec"]["containers"]
    assert [entry["name"] for entry in container["env"]] == [
        "AWS_DEFAULT_REGION",
        "AIRFLOW_CONN_AWS_TASK_LOGS",
        "CONNECTION_CHECK_MAX_COUNT",
        "HTTPS_PROXY",
    ]


def test_team_s_certificates_are_mounted() -> None:
    volume, mount = {"name": "ca", "secret": {"secretName": "ca"}}, {"name": "ca", "mountPath": "/ca"}
    given = {"workers": {"celery": {"extraVolumes": [volume], "extraVolumeMounts": [mount]}}}
    made = pod(with_own_files(JobPod(), given, "workers.celery"))
    assert made["spec"]["volumes"] == [volume]
    assert made["spec"]["containers"][0]["volumeMounts"] == [mount]


def about(**changes: Any) -> dict[str, Any]:
    trial = AwsTrial(**{**vars(WORKER), **changes})
    return aws_about(trial, VALUES, "airflow", "production")


def test_key_of_an_identity_is_the_one_that_gives_it() -> None:
    irsa = PodRole(arn="arn:role", region="eu-west-1", identity=PodIdentity.IRSA)
    given = RemoteLogs(folder="s3://bucket/logs", connection=None, connection_secret="logs")
    assert about()["identity_key"] == "airflow:podIdentity"
    assert "production" in about()["identity_fix"]
    assert "OIDC" in about(role=irsa)["identity_fix"]
    assert about(role=None, logs=given)["identity_key"] == "airflow:taskLogsConnectionSecret"
    assert about(role=None)["identity_key"] == "airflow:taskLogs"
    assert about()["service_account"] == ACCOUNT
    assert about(role=irsa)["service_account"]["by_agent"] is False


def test_account_is_made_as_helm_would_before_the_first_release_and_deleted(kube_server: KubeServer) -> None:
    made = {"metadata": {"name": "airflow-worker", "uid": "7"}}
    kube_server.put(ACCOUNTS, made, 201)
    with account_present(KubeApi(RIGHT, kube_server.kubeconfig), "ns", ACCOUNT) as reason:
        assert reason == ""
        [created] = [asked for asked in kube_server.asked if asked.method == "POST"]
        metadata = created.body["metadata"]
        assert metadata["labels"] == {"app.kubernetes.io/managed-by": "Helm"}
        assert metadata["annotations"] == {
            "a": "b",
            "meta.helm.sh/release-name": "airflow",
            "meta.helm.sh/release-namespace": "ns",
        }
    [deleted] = [asked for asked in kube_server.asked if asked.method == "DELETE"]
    assert deleted.body["preconditions"] == {"uid": "7"}


def test_account_of_a_release_stays_and_must_have_its_role(kube_server: KubeServer) -> None:
    api = KubeApi(RIGHT, kube_server.kubeconfig)
    for has, expected in (
        ({"a": "b", "more": "x"}, ""),
        ({}, "the service account airflow-worker gets its role with this update"),
    ):
        there = {"metadata": {"name": "airflow-worker", "annotations": has}}
        kube_server.put(f"{ACCOUNTS}/airflow-worker", there)
        with account_present(api, "ns", ACCOUNT) as reason:
            assert reason == expected
    assert {asked.method for asked in kube_server.asked} == {"GET"}


def ends(*answers: str) -> Callable[[], PodEnd]:
    left = list(answers)
    return lambda: PodEnd(
        containers={"airflow": ContainerEnd(name="airflow", image="i", exit_code=0, message=left.pop(0))}
    )


def test_pod_without_a_role_is_followed_by_another_until_eks_knows_the_association() -> None:
    told: list[str] = []
    end = with_identity(ends(LACKS, LACKS, "{}"), ACCOUNT, told.append, lambda _: None)
    assert end.containers["airflow"].message == "{}"
    assert told == ["waiting until EKS gives pods of airflow-worker their role"] * 2


def test_wait_for_a_role_ends_and_is_none_where_eks_gives_no_role(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 1000.0])
    monkeypatch.setattr(aws_pods, "monotonic", lambda: next(times))
    assert (
        with_identity(ends(LACKS, LACKS), ACCOUNT, lambda _: None, lambda _: None).containers["airflow"].message
        == LACKS
    )
    monkeypatch.undo()
    other = {**ACCOUNT, "by_agent": False}
    assert with_identity(ends(LACKS), other, lambda _: None, None).containers["airflow"].message == LACKS
