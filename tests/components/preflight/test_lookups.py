"""What is looked for in a cluster, against a server that answers as Kubernetes does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from components.kube.client import KubeApi
from components.preflight.finding import Verdict
from components.preflight.lookups import cluster_findings, refusal_finding
from tests.kube_server import RIGHT, KubeServer, serving

CLASSES: Final = "/apis/storage.k8s.io/v1"
INGRESSES: Final = "/apis/networking.k8s.io/v1"
PODS: Final = "/api/v1/namespaces/ns/pods"
QUOTAS: Final = "/api/v1/namespaces/ns/resourcequotas"
POD: Final[dict[str, Any]] = {
    "component": "scheduler",
    "pods": 1,
    "pod": {"metadata": {"labels": {"release": "airflow"}}, "spec": {"containers": []}},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KubeServer]:
    with serving(tmp_path) as fake:
        yield fake


def look(server: KubeServer, **needs: Any) -> list[tuple[str, str]]:
    findings = cluster_findings(KubeApi(RIGHT, server.kubeconfig), "ns", needs, "dev", str)
    return [(item.verdict.value, str(item)) for item in findings]


def storage(server: KubeServer, *, default: bool) -> None:
    annotations = {"storageclass.kubernetes.io/is-default-class": str(default).lower()}
    server.put(f"{CLASSES}/storageclasses", {"items": [{"metadata": {"name": "standard", "annotations": annotations}}]})


def need(name: str) -> list[dict[str, str]]:
    return [{"what": "the volume of task logs", "key": "airflow:taskLogsStorageClass", "class": name}]


def test_storage_class_is_there_or_the_default_one(server: KubeServer) -> None:
    storage(server, default=True)
    assert look(server, storage=need("")) == [("passed", "the volume of task logs: standard")]
    assert look(server, storage=need("standard"))[0][0] == "passed"
    [(verdict, text)] = look(server, storage=need("fast"))
    assert verdict == "failed"
    assert "found no fast; there are: standard. Fix: pulumi config set --stack dev" in text
    storage(server, default=False)
    [(verdict, text)] = look(server, storage=need(""))
    assert verdict == "failed"
    assert "expected a default storage class" in text


def test_storage_class_whose_volumes_nothing_makes_is_named(server: KubeServer) -> None:
    def of(provisioner: str) -> tuple[str, str]:
        item = {"metadata": {"name": "c"}, "provisioner": provisioner}
        server.put(f"{CLASSES}/storageclasses", {"items": [item]})
        [found] = look(server, storage=need("c"))
        return found

    server.put(f"{CLASSES}/csidrivers", {}, 403)
    assert of("kubernetes.io/aws-ebs")[0] == "passed", "this user may not look"
    server.put(f"{CLASSES}/csidrivers", {"items": [{"metadata": {"name": "efs.csi.aws.com"}}]})
    for provisioner in ("kubernetes.io/aws-ebs", "ebs.csi.aws.com"):
        verdict, text = of(provisioner)
        assert verdict == "failed"
        assert "class c, found no CSI driver ebs.csi.aws.com in the cluster. Fix: install the add-on aws-ebs-" in text
    assert of("efs.csi.aws.com")[0] == "passed"
    assert of("rancher.io/local-path")[0] == "passed"


def test_storage_class_without_provisioner_needs_a_volume_that_may_be_bound(server: KubeServer) -> None:
    item = {"metadata": {"name": "hand"}, "provisioner": "kubernetes.io/no-provisioner"}
    server.put(f"{CLASSES}/storageclasses", {"items": [item]})
    for phase, name, claim, expected in (
        ("Available", "hand", None, "passed"),
        ("Bound", "hand", "ns", "passed"),
        ("Bound", "hand", "other", "failed"),
        ("Released", "hand", "other", "failed"),
        ("Available", "fast", None, "failed"),
    ):
        claimed = {"claimRef": {"namespace": claim}} if claim else {}
        volume = {"spec": {"storageClassName": name, **claimed}, "status": {"phase": phase}}
        server.put("/api/v1/persistentvolumes", {"items": [volume]})
        [(verdict, text)] = look(server, storage=need("hand"))
        assert verdict == expected, (phase, name, claim)
    assert "no volume of it is free. Fix: make a PersistentVolume of it, or take another class" in text


def test_ingress_class_must_be_there(server: KubeServer) -> None:
    server.put(f"{INGRESSES}/ingressclasses", {"items": [{"metadata": {"name": "nginx"}}]})
    assert look(server, ingress="nginx") == [("passed", "nginx")]
    [(verdict, text)] = look(server, ingress="alb")
    assert verdict == "failed"
    assert text.startswith("airflow:ingressClass: ")
    assert look(server, ingress="") == []


def test_add_on_that_serves_nothing_is_missing(server: KubeServer) -> None:
    keda = {"api": "keda.sh/v1alpha1", "what": "KEDA", "key": "airflow:workerScaling", "fix": "for {stack}"}
    [(verdict, text)] = look(server, apis=[keda])
    assert (verdict, text.endswith("Fix: for dev")) == ("failed", True)
    server.put("/apis/keda.sh/v1alpha1", {}, 503)
    assert look(server, apis=[keda])[0][0] == "failed"
    server.put("/apis/keda.sh/v1alpha1", {"resources": []})
    assert look(server, apis=[keda])[0][0] == "passed"


def test_namespace_that_is_being_deleted_is_told_once(server: KubeServer) -> None:
    message = 'pods "x" is forbidden: unable to create new content in namespace ns because it is being terminated'
    server.put(PODS, {"kind": "Status", "message": message}, 403)
    [(verdict, text)] = look(server, pods=[POD, {**POD, "component": "triggerer"}])
    assert verdict == "failed"
    assert "found that the namespace is being deleted. Fix: wait until kubectl get namespaces" in text


def test_pods_are_only_tried(server: KubeServer) -> None:
    server.put(PODS, {"items": []}, 201)
    server.put(QUOTAS, {"items": []})
    assert look(server, pods=[POD])[0][0] == "passed"
    asked = [request for request in server.asked if request.method == "POST"]
    assert [request.query["dryRun"] for request in asked] == ["All"]


def test_quota_that_the_release_makes_is_judged_in_place_of_the_one_that_is_there(server: KubeServer) -> None:
    name = "airflow-resource-quota"
    server.put(PODS, {"items": []}, 201)
    before = {"metadata": {"name": name}, "spec": {"hard": {"pods": "0"}}, "status": {"used": {"pods": "1"}}}
    for there in ([], [before]):
        server.put(QUOTAS, {"items": there})
        for hard, told in (({"pods": 2}, "all pods fit into"), ({"pods": 0}, "found: pods 1 and")):
            [(_, text)] = look(server, pods=[POD], quota={"name": name, "hard": hard})
            assert told in text
            assert name in text


def test_refused_pod_is_told_with_the_reason(server: KubeServer) -> None:
    message = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
    server.put(PODS, {"message": message}, 403)
    [(verdict, text)] = look(server, pods=[POD])
    assert verdict == "failed"
    assert 'found: violates PodSecurity "restricted:latest"' in text


def test_what_may_not_be_looked_at_ends_no_update(server: KubeServer) -> None:
    server.put(f"{CLASSES}/storageclasses", {"message": "no"}, 403)
    server.put(PODS, {"message": 'pods is forbidden: User "x" cannot create resource "pods"'}, 403)
    server.put(QUOTAS, {"items": []})
    assert [verdict for verdict, _ in look(server, storage=need(""), pods=[POD])] == ["skipped", "passed"]


def test_refusals_name_what_refuses() -> None:
    quota = refusal_finding('pods "x" is forbidden: exceeded quota: small, requested: pods=1', "a pod")
    limits = refusal_finding('pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "a")
    other = refusal_finding('admission webhook "validate.kyverno.svc" denied the request: no', "a pod")
    assert [item.what.split(":")[1] for item in (quota, limits, other)] == ["size", "helmValues", "namespace"]
    assert all(item.verdict is Verdict.FAILED for item in (quota, limits, other))
