"""Pods and workloads of a namespace, against a server that answers as Kubernetes does."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automation.cluster.client import KubeClient, cluster_identity
from automation.cluster.pods import workload_of
from automation.errors import ClusterRequestFailed, ClusterUnreachable
from tests.cases import each
from tests.kube_server import RIGHT, WRONG, KubeServer, serving

PODS = "/api/v1/namespaces/airflow/pods"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KubeServer]:
    with serving(tmp_path) as fake:
        yield fake


@pytest.fixture
def client(server: KubeServer) -> KubeClient:
    return KubeClient(RIGHT, "airflow", kubeconfig_path=server.kubeconfig)


def pod_json(name: str, **more: Any) -> dict[str, Any]:
    status = {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "conditions": [{"type": "Ready", "status": "True"}],
        **more.pop("status", {}),
    }
    return {
        "metadata": {"name": name, "labels": {"component": "worker"}, **more.pop("metadata", {})},
        "spec": {
            "containers": [
                {"name": "worker", "volumeMounts": [{"name": "dags", "mountPath": "/opt/airflow/dags"}]},
                {"name": "git-sync", "volumeMounts": [{"name": "dags", "mountPath": "/git"}]},
            ],
            "volumes": [{"name": "config", "configMap": {"name": "airflow-config"}}, {"name": "x", "emptyDir": {}}],
        },
        "status": status,
    }


def test_pods_are_those_of_the_context_namespace_and_labels_that_live(server: KubeServer, client: KubeClient) -> None:
    items = [
        pod_json("a"),
        pod_json("done", status={"phase": "Succeeded"}),
        pod_json("failed", status={"phase": "Failed"}),
        pod_json("going", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
    ]
    server.put(PODS, {"items": items})
    (pod,) = client.pods({"tier": "airflow", "component": "worker"})
    assert (pod.name, pod.ready, pod.reason, pod.ip) == ("a", True, "", "10.0.0.1")
    assert pod.containers == ("worker", "git-sync")
    assert pod.config_maps == ("airflow-config",)
    assert pod.mounts == {("worker", "dags"): "/opt/airflow/dags", ("git-sync", "dags"): "/git"}
    (request,) = server.asked
    assert (request.method, request.path, request.query) == (
        *("GET", PODS),
        {"labelSelector": "tier=airflow,component=worker"},
    )


def test_uses_of_secrets_are_those_of_the_containers_in_pods_that_may_still_run(
    server: KubeServer, client: KubeClient
) -> None:
    """A pod that is being deleted counts, one that has ended does not; nor does another container or variable."""
    key = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys-1", "key": "key"}}}
    items = [
        pod_json("a"),
        pod_json("done", status={"phase": "Succeeded"}),
        pod_json("going", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z", "labels": {"component": "triggerer"}}),
    ]
    for item in items:
        item["spec"]["containers"] = [
            {"name": "worker", "env": [{"name": "KEY2", "value": "x"}, key]},
            {"name": "git-sync", "env": [key]},
            {"name": "plain"},
        ]
    server.put(PODS, {"items": items})
    found = [(use.pod, use.component, use.secret, use.ending) for use in client.secret_uses("KEY", ("worker", "plain"))]
    assert found == [("a", "worker", "keys-1", False), ("going", "triggerer", "keys-1", True)]
    assert client.secret_uses("KEY2", ("worker",)) == ()


def test_secrets_that_are_a_volume_are_those_of_pods_that_may_still_run(server: KubeServer, client: KubeClient) -> None:
    items = [pod_json("a"), pod_json("done", status={"phase": "Failed"}), pod_json("none")]
    for item in items[:2]:
        item["spec"]["volumes"] += [{"name": "ssh", "secret": {"secretName": "key-1"}}, {"name": "ssh", "emptyDir": {}}]
    server.put(PODS, {"items": items})
    assert [(use.pod, use.secret) for use in client.secret_volumes("ssh")] == [("a", "key-1")]


def test_pull_secrets_and_config_maps_are_those_of_pods_that_may_still_run(
    server: KubeServer, client: KubeClient
) -> None:
    items = [pod_json("a"), pod_json("done", status={"phase": "Failed"}), pod_json("none")]
    for item in items[:2]:
        item["spec"]["volumes"] += [{"name": "ca", "configMap": {"name": "ca-1"}}, {"name": "ca", "emptyDir": {}}]
        item["spec"]["imagePullSecrets"] = [{"name": "of-the-team"}, {"name": "pull-1"}]
    server.put(PODS, {"items": items})
    assert [(use.pod, use.secret) for use in client.config_map_volumes("ca")] == [("a", "ca-1")]
    assert [(use.pod, use.secret) for use in client.pull_secrets("pull-")] == [("a", "pull-1")]


def test_pod_that_is_not_ready_says_why(server: KubeServer, client: KubeClient) -> None:
    waiting = {"name": "worker", "ready": False, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    server.put(PODS, {"items": [pod_json("a", status={"conditions": [], "containerStatuses": [waiting]})]})
    (pod,) = client.pods({})
    assert (pod.ready, pod.reason) == (False, "worker: ImagePullBackOff")


def deployment(**status: Any) -> dict[str, Any]:
    metadata = {"name": "airflow-scheduler", "generation": 3, "labels": {"component": "scheduler"}}
    return {"metadata": metadata, "spec": {"replicas": 2}, "status": status}


@each(
    ("status", "ready", "current"),
    [
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, 2, True),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, 2, False),
        ({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2}, 2, False),
        ({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 3}, 3, False),
        ({"observedGeneration": 3}, 0, False),
    ],
    ids=["done", "not seen yet", "some old", "old ones still there", "none"],
)
def test_rollout_of_a_deployment_is_seen(status: dict[str, Any], ready: int, current: bool) -> None:
    workload = workload_of("Deployment", deployment(**status))
    assert (workload.desired, workload.ready, workload.current) == (2, ready, current)
    assert (workload.revision, workload.ordered) == ("", False)


def test_deployment_without_a_number_of_pods_wants_one() -> None:
    assert workload_of("Deployment", {**deployment(), "spec": {}}).desired == 1
    assert workload_of("Deployment", {**deployment(), "spec": {"replicas": 0}}).desired == 0


@pytest.mark.parametrize(("update", "updated", "current"), [("r1", None, True), ("r2", None, False), ("r2", 1, True)])
def test_rollout_of_a_stateful_set_is_seen(update: str, updated: int | None, current: bool) -> None:
    """After a roll its controller leaves the number of updated pods out."""
    status = {
        "observedGeneration": 1,
        "replicas": 1,
        "readyReplicas": 1,
        "currentRevision": "r1",
        "updateRevision": update,
        "updatedReplicas": updated,
    }
    workload = workload_of(
        "StatefulSet",
        {
            "metadata": {"name": "airflow-redis", "generation": 1},
            "spec": {"podManagementPolicy": "OrderedReady"},
            "status": status,
        },
    )
    assert (workload.desired, workload.current) == (1, current)
    assert (workload.revision, workload.ordered) == (update, True)


def test_workloads_are_deployments_and_stateful_sets(server: KubeServer, client: KubeClient) -> None:
    server.put("/apis/apps/v1/namespaces/airflow/deployments", {"items": [deployment()]})
    server.put("/apis/apps/v1/namespaces/airflow/statefulsets", {"items": [deployment()]})
    assert [workload.kind for workload in client.workloads({"tier": "airflow"})] == ["Deployment", "StatefulSet"]
    assert {request.query["labelSelector"] for request in server.asked} == {"tier=airflow"}


def test_secret_and_config_map_are_read(server: KubeServer, client: KubeClient) -> None:
    server.put("/api/v1/namespaces/airflow/secrets/x", {"data": {"password": base64.b64encode("pä".encode()).decode()}})
    server.put("/api/v1/namespaces/airflow/configmaps/x", {"data": {"key": "value"}})
    assert client.secret("x") == {"password": "pä"}
    assert client.config_map("x") == {"key": "value"}


def test_missing_object_is_named_and_the_error_holds_nothing_of_the_answer(client: KubeClient) -> None:
    with pytest.raises(ClusterRequestFailed) as raised:
        client.secret("x")
    assert raised.value.what == "cannot read Secret x: there is none in namespace airflow"
    assert "sentinel" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_pod_is_created_and_deleted_at_once(server: KubeServer, client: KubeClient) -> None:
    server.put(PODS, {"metadata": {"name": "probe-x1"}}, status=201)
    assert client.create_pod({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-"}}) == "probe-x1"
    client.delete_pod("gone")
    assert server.asked[-1].path == f"{PODS}/gone"
    assert server.asked[-1].body["gracePeriodSeconds"] == 0


def test_refusal_is_an_error_of_automation(server: KubeServer, client: KubeClient) -> None:
    server.put(PODS, {"message": "sentinel"}, status=403)
    with pytest.raises(ClusterRequestFailed, match=r"cannot GET .*: 403 Forbidden") as raised:
        client.pods({})
    assert "sentinel" not in "".join(traceback.format_exception(raised.value))
    with pytest.raises(ClusterRequestFailed, match="cannot run a command in a: Handshake status 404"):
        client.run("a", "worker", ["true"], seconds=5)
    with pytest.raises(ClusterRequestFailed, match="cannot reach port 8080 of a: Handshake status 404"):
        client.connect("a", 8080, seconds=5)


def test_context_that_does_not_exist_is_named(server: KubeServer) -> None:
    with pytest.raises(ClusterUnreachable, match="no usable context nope"):
        KubeClient("nope", "x", kubeconfig_path=server.kubeconfig)
    with pytest.raises(ClusterUnreachable, match="no usable context nope"):
        identity("nope", server.kubeconfig)


def test_broken_kubeconfig_is_named_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_text("users: [{token: sentinel-token\n\t}")
    for call in (lambda: KubeClient(RIGHT, "x", kubeconfig_path=str(path)), lambda: identity(RIGHT, str(path))):
        with pytest.raises(ClusterUnreachable, match=f"kubeconfig {path}: .*found no YAML") as raised:
            call()
        assert "sentinel" not in "".join(traceback.format_exception(raised.value))


def identity(context: str, path: str) -> str:
    return cluster_identity(context, kubeconfig_path=path, seconds=2)


def test_identity_is_that_of_kube_system_at_the_named_context(server: KubeServer) -> None:
    server.put("/api/v1/namespaces/kube-system", {"metadata": {"name": "kube-system", "uid": "uid-1"}})
    assert identity(RIGHT, server.kubeconfig) == "uid-1"
    with pytest.raises(ClusterUnreachable, match="context wrong does not answer"):
        identity(WRONG, server.kubeconfig)


def test_silent_local_cluster_is_told_with_what_starts_it(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    content = {
        "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "a", "user": {}}],
        "contexts": [{"name": "minikube", "context": {"cluster": "a", "user": "a"}}],
    }
    path.write_text(json.dumps(content))
    for context, fix in (("minikube", "minikube start, and run this again"), ("kind-airflow", "make dev makes it")):
        with pytest.raises(ClusterUnreachable, match=f"Fix: {fix}"):
            identity(context, str(path))
    with pytest.raises(ClusterUnreachable, match="Fix: kubectl --context minikube get nodes"):
        identity("minikube", path.read_text())
    path.write_text("clusters: [")
    with pytest.raises(ClusterUnreachable, match="found no YAML"):
        identity("kind-airflow", str(path))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_cluster_that_refuses_is_unreachable(status: int, server: KubeServer) -> None:
    server.put("/api/v1/namespaces/kube-system", {"message": "sentinel"}, status=status)
    with pytest.raises(ClusterUnreachable, match=f"context right: {status} "):
        identity(RIGHT, server.kubeconfig)
