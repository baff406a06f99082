"""Requests to a cluster that refuses, answers with something else, or not at all."""

from __future__ import annotations

import json
import socket

import pytest

from components.kube.client import KubeApi
from components.kube.kubeconfig import KubeUnreachable
from components.kube.rest import KubeRequestFailed
from tests.kube_server import WRONG, KubeServer

NAMESPACE = "airflow"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


def test_refused_request_says_what_was_asked_and_nothing_of_the_answer(server: KubeServer, api: KubeApi) -> None:
    server.put(f"{SECRETS}/keys", {"message": "sentinel"}, status=403)
    with pytest.raises(KubeRequestFailed, match=r"cannot GET /api/v1/.*: 403 Forbidden\. Fix: .*auth can-i") as raised:
        api.get("v1", "Secret", NAMESPACE, "keys")
    assert "sentinel" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_answer_that_is_not_json_is_an_empty_one(server: KubeServer, api: KubeApi) -> None:
    server.put(SECRETS, b"<html>a proxy</html>")
    assert api.items("v1", "Secret", NAMESPACE) == []


def test_cluster_that_does_not_answer_is_named(server: KubeServer) -> None:
    with pytest.raises(KubeUnreachable, match=r"the cluster of context wrong does not answer \(.*\)\. Fix: kubectl"):
        KubeApi(WRONG, server.kubeconfig, seconds=2, retries=0).get("v1", "Namespace", "", "kube-system")
    assert server.asked == []


def test_reason_of_no_answer_is_that_of_the_network() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    for server, why in (
        ("https://127.0.0.1:9", "Connection refused"),
        (f"https://127.0.0.1:{silent.getsockname()[1]}", "it took too long"),
        ("http://127.0.0.1:x", "LocationParseError"),
    ):
        content = {
            "clusters": [{"name": "a", "cluster": {"server": server}}],
            "users": [{"name": "a", "user": {}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        }
        with pytest.raises(KubeUnreachable, match=rf"does not answer \({why}\)"):
            KubeApi("a", json.dumps(content), seconds=0.5, retries=0).get("v1", "Namespace", "", "kube-system")
