"""The real client against a small server that answers as Kubernetes does."""

from __future__ import annotations

import base64
import json
import os
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.client import V1Deployment, V1StatefulSet

from automation.cluster import client as kube
from automation.cluster.client import KubeClient, cluster_identity
from automation.errors import ClusterRequestFailed, ClusterUnreachable


class FakeCluster:
    """Answers by path; what is not in `objects` is not found."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.port = 0


@pytest.fixture
def server() -> Iterator[FakeCluster]:
    fake = FakeCluster()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            selector = parse_qs(parts.query).get("labelSelector", [""])[0]
            fake.requests.append((self.command, parts.path, selector))
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            found = fake.objects.get(parts.path)
            status = {"kind": "Status", "status": "Failure", "message": "sentinel-in-body", "code": 404}
            text = json.dumps(status if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - names that http.server asks for

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        fake.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        listening.shutdown()
        thread.join()


@pytest.fixture
def kubeconfig(server: FakeCluster, tmp_path: Path) -> str:
    """Two contexts; the current one is the wrong one."""
    servers = {"right": f"http://127.0.0.1:{server.port}", "wrong": "http://127.0.0.1:1"}
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "wrong",
                "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
                "users": [{"name": "user", "user": {"token": "sentinel-token"}}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": "user"}} for name in servers],
            }
        )
    )
    return str(path)


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
            "containers": [{"name": "worker"}, {"name": "git-sync"}],
            "volumes": [{"name": "config", "configMap": {"name": "airflow-config"}}, {"name": "x", "emptyDir": {}}],
        },
        "status": status,
    }


def waiting(name: str, reason: str) -> dict[str, Any]:
    return {
        "name": name,
        "ready": False,
        "restartCount": 0,
        "image": "x",
        "imageID": "",
        "state": {"waiting": {"reason": reason}},
    }


def client(kubeconfig: str) -> KubeClient:
    return KubeClient("right", "airflow", kubeconfig_path=kubeconfig)


PODS = "/api/v1/namespaces/airflow/pods"


def test_pods_are_those_of_the_context_namespace_and_labels_that_live(server: FakeCluster, kubeconfig: str) -> None:
    server.objects[PODS] = {
        "items": [
            pod_json("a"),
            pod_json("done", status={"phase": "Succeeded"}),
            pod_json("going", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        ]
    }
    (pod,) = client(kubeconfig).pods({"tier": "airflow", "component": "worker"})
    assert (pod.name, pod.ready, pod.reason, pod.ip) == ("a", True, "", "10.0.0.1")
    assert pod.containers == ("worker", "git-sync")
    assert pod.config_maps == ("airflow-config",)
    assert server.requests == [("GET", PODS, "tier=airflow,component=worker")]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"containerStatuses": [waiting("worker", "ImagePullBackOff")]}, "worker: ImagePullBackOff"),
        (
            {
                "initContainerStatuses": [waiting("git-sync-init", "CrashLoopBackOff")],
                "containerStatuses": [waiting("worker", "PodInitializing")],
            },
            "git-sync-init: CrashLoopBackOff",
        ),
        (
            {
                "containerStatuses": [
                    {**waiting("worker", ""), "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
                ]
            },
            "worker: exit code 137",
        ),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
            },
            "Unschedulable",
        ),
        ({"containerStatuses": [{**waiting("worker", ""), "state": {"running": {}}}]}, "worker: not ready"),
        ({"phase": "Pending"}, "Pending"),
    ],
)
def test_pod_that_is_not_ready_says_why(
    server: FakeCluster, kubeconfig: str, status: dict[str, Any], reason: str
) -> None:
    server.objects[PODS] = {"items": [pod_json("a", status={"conditions": [], **status})]}
    (pod,) = client(kubeconfig).pods({})
    assert (pod.ready, pod.reason) == (False, reason)


def deployment(**status: Any) -> Any:
    return V1Deployment.from_dict(
        {
            "metadata": {"name": "airflow-scheduler", "generation": 3, "labels": {"component": "scheduler"}},
            "spec": {"replicas": 2, "selector": {}, "template": {"spec": {"containers": []}}},
            "status": status,
        }
    )


@pytest.mark.parametrize(
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
    found = kube._workload("Deployment", deployment(**status))
    assert (found.desired, found.ready, found.current) == (2, ready, current)


@pytest.mark.parametrize(("update", "updated", "current"), [("r1", None, True), ("r2", None, False), ("r2", 1, True)])
def test_rollout_of_a_stateful_set_is_seen(update: str, updated: int | None, current: bool) -> None:
    """After a roll its controller leaves the number of updated pods out."""
    found = kube._workload(
        "StatefulSet",
        V1StatefulSet.from_dict(
            {
                "metadata": {"name": "airflow-redis", "generation": 1},
                "spec": {
                    "selector": {},
                    "serviceName": "x",
                    "template": {"spec": {"containers": []}},
                    "podManagementPolicy": "OrderedReady",
                },
                "status": {
                    "observedGeneration": 1,
                    "replicas": 1,
                    "readyReplicas": 1,
                    "currentRevision": "r1",
                    "updateRevision": update,
                    "updatedReplicas": updated,
                },
            }
        ),
    )
    assert (found.desired, found.current) == (1, current)
    assert (found.revision, found.ordered) == (update, True)


def test_secret_is_decoded(server: FakeCluster, kubeconfig: str) -> None:
    server.objects["/api/v1/namespaces/airflow/secrets/x"] = {
        "data": {"password": base64.b64encode("pä".encode()).decode()}
    }
    assert client(kubeconfig).secret("x") == {"password": "pä"}


def test_refusal_says_what_and_holds_nothing_of_the_answer(server: FakeCluster, kubeconfig: str) -> None:
    with pytest.raises(ClusterRequestFailed) as raised:
        client(kubeconfig).secret("x")
    assert raised.value.what == "cannot read Secret x: 404 Not Found"
    assert "sentinel" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_deleting_what_is_not_there_is_no_error(server: FakeCluster, kubeconfig: str) -> None:
    client(kubeconfig).delete_pod("gone")
    assert server.requests == [("DELETE", f"{PODS}/gone", "")]


def test_exec_that_is_refused_is_an_error_without_headers(server: FakeCluster, kubeconfig: str) -> None:
    with pytest.raises(ClusterRequestFailed, match="cannot run a command in a: Handshake status 404") as raised:
        client(kubeconfig).run("a", "worker", ["true"], seconds=5)
    assert "sentinel" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ('{"status": "Success"}', 0),
        (
            '{"status": "Failure", "reason": "NonZeroExitCode",'
            ' "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}',
            3,
        ),
        ('{"status": "Failure", "reason": "InternalError", "message": "no such file"}', None),
        ("", None),
    ],
)
def test_exit_code_of_a_command_and_none_where_it_did_not_run(status: str, code: int | None) -> None:
    assert kube._exit_code(status) == code


def test_context_that_is_not_there_is_named(kubeconfig: str) -> None:
    for call in (lambda: KubeClient("nope", "x", kubeconfig_path=kubeconfig), lambda: identity("nope", kubeconfig)):
        with pytest.raises(ClusterUnreachable, match="no usable context nope"):
            call()


NO_KUBECONFIGS: dict[str, tuple[bytes, str]] = {
    "malformed": (b"users: [{token: sentinel-token\n\t}", "found no YAML"),
    "text": (b"sentinel-token", "found a str"),
    "list": (b"- sentinel-token", "found a list"),
    "binary": (b"\xff\xfe\x00sentinel-token", "found no text"),
    "control characters": (b"sentinel-token: \x00\x01", "found no YAML"),
    "contexts of another type": (b"contexts: {right: sentinel-token}\n", "no usable context right"),
    "number": (b"contexts: 5\nclusters: [1]\nusers: [sentinel-token]\n", "cannot be used"),
    "certificate that is none": (
        b"clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: abcde}}]\n"
        b"contexts: [{name: right, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: sentinel-token}}]",
        "cannot be used",
    ),
    "address of another type": (
        b"clusters: [{name: c, cluster: {server: 5}}]\ncontexts: [{name: right, context: {cluster: c, user: u}}]\n"
        b"users: [{name: u, user: {token: sentinel-token}}]",
        "cannot be used",
    ),
    "empty": (b"", "no usable context right"),
    "without contexts": (b"{}", "no usable context right"),
    "context without cluster": (
        b"contexts: [{name: right, context: {user: u}}]\nusers: [{name: u, user: {token: sentinel-token}}]",
        "no usable context right",
    ),
}


@pytest.mark.parametrize("kind", NO_KUBECONFIGS)
def test_kubeconfig_that_is_none_is_named_and_not_quoted(kind: str, tmp_path: Path) -> None:
    content, expected = NO_KUBECONFIGS[kind]
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    for call in (lambda: KubeClient("right", "x", kubeconfig_path=str(path)), lambda: identity("right", str(path))):
        with pytest.raises(ClusterUnreachable) as raised:
            call()
        text = "".join(traceback.format_exception(raised.value))
        assert expected in str(raised.value)
        assert str(path) in str(raised.value)
        assert "sentinel" not in text


def test_folder_as_kubeconfig_is_named(tmp_path: Path) -> None:
    for call in (
        lambda: KubeClient("right", "x", kubeconfig_path=str(tmp_path)),
        lambda: identity("right", str(tmp_path)),
    ):
        with pytest.raises(ClusterUnreachable, match="found a folder"):
            call()


def test_unreadable_one_of_several_kubeconfigs_is_the_one_that_is_named(kubeconfig: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("[")
    with pytest.raises(ClusterUnreachable, match=f"kubeconfig {broken}: "):
        KubeClient("right", "x", kubeconfig_path=os.pathsep.join((kubeconfig, str(broken), str(tmp_path / "missing"))))


def identity(context: str, path: str) -> str:
    return cluster_identity(context, kubeconfig_path=path, seconds=2)


def test_identity_is_that_of_kube_system_and_the_context_is_the_one_named(server: FakeCluster, kubeconfig: str) -> None:
    server.objects["/api/v1/namespaces/kube-system"] = {"metadata": {"name": "kube-system", "uid": "uid-1"}}
    assert identity("right", kubeconfig) == "uid-1"
    with pytest.raises(ClusterUnreachable, match="context wrong does not answer"):
        identity("wrong", kubeconfig)


def test_cluster_that_refuses_is_unreachable(server: FakeCluster, kubeconfig: str) -> None:
    with pytest.raises(ClusterUnreachable, match="context right: 404"):
        identity("right", kubeconfig)
