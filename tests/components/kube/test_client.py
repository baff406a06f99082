"""The client of the cluster, against a server that answers as Kubernetes does."""

from __future__ import annotations

import pytest

from components.kube.client import KubeApi
from components.kube.pod_command import exit_code
from components.kube.rest import KubeRequestFailed
from tests.cases import each
from tests.kube_server import TOKEN, KubeServer

NAMESPACE = "airflow"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
KEDA = {
    "resources": [
        {"name": "scaledobjects", "kind": "ScaledObject", "namespaced": True},
        {"name": "scaledobjects/status", "kind": "ScaledObject", "namespaced": True},
        {"name": "clustertriggerauthentications", "kind": "ClusterTriggerAuthentication", "namespaced": False},
    ]
}


def test_object_is_read_with_the_users_token(server: KubeServer, api: KubeApi) -> None:
    server.put(f"{SECRETS}/keys", {"metadata": {"name": "keys"}})
    assert api.get("v1", "Secret", NAMESPACE, "keys") == {"metadata": {"name": "keys"}}
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert api.get("v1", "Secret", NAMESPACE, "gone") is None


def test_metadata_alone_is_asked_for_where_that_is_enough(server: KubeServer, api: KubeApi) -> None:
    api.get("v1", "Secret", NAMESPACE, "keys", metadata_only=True)
    api.items("v1", "Secret", NAMESPACE, metadata_only=True)
    assert "as=PartialObjectMetadata;" in server.asked[0].headers["accept"]
    assert "as=PartialObjectMetadataList;" in server.asked[1].headers["accept"]


def test_objects_are_selected_by_labels_and_fields(server: KubeServer, api: KubeApi) -> None:
    server.put(SECRETS, {"items": [{"metadata": {"name": "a"}}]})
    labels = {"owner": "helm", "name": "airflow"}
    assert api.items("v1", "Secret", NAMESPACE, labels=labels, fields="type=x") == [{"metadata": {"name": "a"}}]
    assert server.asked[0].query == {"labelSelector": "owner=helm,name=airflow", "fieldSelector": "type=x"}
    api.items("v1", "Secret", NAMESPACE)
    assert server.asked[1].query == {}
    assert api.items("v1", "Pod", NAMESPACE) == [], "no namespace, no objects"


def test_addresses_are_those_of_kubernetes(server: KubeServer, api: KubeApi) -> None:
    for api_version, kind, namespace in (
        ("v1", "Namespace", ""),
        ("networking.k8s.io/v1", "NetworkPolicy", "a"),
        ("apps/v1", "StatefulSet", "a"),
    ):
        api.get(api_version, kind, namespace, "x")
    assert server.paths == [
        "/api/v1/namespaces/x",
        "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/x",
        "/apis/apps/v1/namespaces/a/statefulsets/x",
    ]


def test_address_of_any_other_kind_is_asked_for_once(server: KubeServer, api: KubeApi) -> None:
    server.put("/apis/keda.sh/v1alpha1", KEDA)
    for kind in ("ScaledObject", "ClusterTriggerAuthentication", "ScaledObject", "Unknown"):
        assert api.get("keda.sh/v1alpha1", kind, "a", "x") is None
    assert server.paths == [
        "/apis/keda.sh/v1alpha1",
        "/apis/keda.sh/v1alpha1/namespaces/a/scaledobjects/x",
        "/apis/keda.sh/v1alpha1/clustertriggerauthentications/x",
        "/apis/keda.sh/v1alpha1/namespaces/a/scaledobjects/x",
    ]
    assert api.items("nowhere/v1", "Unknown", "a") == []
    with pytest.raises(KubeRequestFailed, match="the cluster has no such kind in nowhere/v1"):
        api.create({"apiVersion": "nowhere/v1", "kind": "Unknown", "metadata": {"name": "x"}}, "a")


def test_created_object_is_returned_as_the_cluster_made_it(server: KubeServer, api: KubeApi) -> None:
    server.put(f"/api/v1/namespaces/{NAMESPACE}/pods", {"metadata": {"name": "probe-x1"}}, status=201)
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "probe-"}}
    assert api.create(manifest, NAMESPACE) == {"metadata": {"name": "probe-x1"}}
    assert (server.asked[0].method, server.asked[0].body) == ("POST", manifest)


def test_changes_are_merged(server: KubeServer, api: KubeApi) -> None:
    server.put(f"{SECRETS}/keys", {})
    changes = {"metadata": {"labels": {"status": "deployed"}}, "data": {"release": "eA=="}}
    api.merge("v1", "Secret", NAMESPACE, "keys", changes)
    (request,) = server.asked
    assert (request.method, request.body) == ("PATCH", changes)
    assert request.headers["content-type"] == "application/merge-patch+json"
    with pytest.raises(KubeRequestFailed, match="404 Not Found"):
        api.merge("v1", "Secret", NAMESPACE, "gone", changes)


def test_object_is_deleted_only_while_it_is_the_same_one(server: KubeServer, api: KubeApi) -> None:
    server.put(f"{SECRETS}/keys", {"kind": "Status"})
    api.delete("v1", "Secret", NAMESPACE, "keys", uid="u-1")
    (request,) = server.asked
    assert request.method == "DELETE"
    assert request.body["preconditions"] == {"uid": "u-1"}
    assert request.body["propagationPolicy"] == "Background"
    assert "gracePeriodSeconds" not in request.body


def test_deleting_what_does_not_exist_is_no_error(server: KubeServer, api: KubeApi) -> None:
    api.delete("v1", "Pod", NAMESPACE, "gone", grace_seconds=0)
    assert server.asked[0].body["gracePeriodSeconds"] == 0
    assert "preconditions" not in server.asked[0].body


def test_refusal_of_kubernetes_is_asked_for_by_a_dry_run(server: KubeServer, api: KubeApi) -> None:
    manifest = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "redis"}, "spec": {"a": 1}}
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/redis"
    for status in (409, 422):
        server.put(path, {"message": "spec: Forbidden: updates to statefulset spec"}, status=status)
        assert api.refusal(manifest, NAMESPACE) == "spec: Forbidden: updates to statefulset spec"
    server.put(path, manifest)
    assert api.refusal(manifest, NAMESPACE) == ""
    assert {(request.method, request.query["dryRun"]) for request in server.asked} == {("PUT", "All")}
    server.put(path, {"message": "sentinel"}, status=403)
    with pytest.raises(KubeRequestFailed, match="cannot PUT"):
        api.refusal(manifest, NAMESPACE)


def test_command_that_is_refused_is_an_error_without_headers(api: KubeApi) -> None:
    with pytest.raises(KubeRequestFailed, match="cannot run a command in a: Handshake status 404") as raised:
        api.run(NAMESPACE, "a", "worker", ["true"], seconds=5)
    assert "sentinel" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_port_that_is_refused_is_an_error_without_headers(api: KubeApi) -> None:
    with pytest.raises(KubeRequestFailed, match="cannot reach port 8080 of a: Handshake status 404") as raised:
        api.connect(NAMESPACE, "a", 8080, seconds=5)
    assert "sentinel" not in str(raised.value)
    assert "\n" not in str(raised.value)


@each(
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
def test_exit_code_is_none_where_the_command_did_not_run(status: str, code: int | None) -> None:
    assert exit_code(status) == code
