"""Stored objects of a namespace, against a server that answers as Kubernetes does."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from automation.cluster.objects import CLUSTER_KINDS, OWNED_KINDS, ClusterObjects, Found
from automation.errors import ClusterRequestFailed, ClusterUnreachable
from automation.plan.recorder import Recorder
from components.kube.metadata import LABELS, cluster_labels
from components.release.helm_record import encode
from settings import loading
from tests import samples
from tests.kube_server import RIGHT, WRONG, KubeServer, serving

NAMESPACE = "airflow"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KubeServer]:
    with serving(tmp_path) as fake:
        yield fake


@pytest.fixture
def objects(server: KubeServer) -> ClusterObjects:
    return ClusterObjects(RIGHT, NAMESPACE, kubeconfig_path=server.kubeconfig)


def metadata(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"uid-{name}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": dict(LABELS),
        **more,
    }


def test_object_is_found_by_its_metadata_alone(server: KubeServer, objects: ClusterObjects) -> None:
    """Of a Secret the server is not even asked for more."""
    server.put(f"/api/v1/namespaces/{NAMESPACE}/secrets/keys", {"metadata": metadata("keys", deletionTimestamp="now")})
    found = objects.find("v1", "Secret", NAMESPACE, "keys")
    assert found is not None
    assert (found.id, found.uid, found.deleting, found.is_own) == (f"{NAMESPACE}/keys", "uid-keys", True, True)
    assert "PartialObjectMetadata" in server.asked[0].headers["accept"]


def test_job_of_a_schedule_is_not_the_programs_though_it_has_the_labels_of_its_pods(
    server: KubeServer, objects: ClusterObjects
) -> None:
    owner = {"kind": "CronJob", "name": "backups", "controller": True}
    server.put(
        f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/backups-1", {"metadata": metadata("x", ownerReferences=[owner])}
    )
    found = objects.find("batch/v1", "Job", NAMESPACE, "backups-1")
    assert found is not None
    assert not found.is_own


def test_object_that_is_not_there_is_none(server: KubeServer, objects: ClusterObjects) -> None:
    assert objects.find("v1", "Secret", NAMESPACE, "keys") is None
    assert objects.release("airflow") is None
    assert objects.owned() == ()


def test_owned_objects_are_asked_for_by_the_programs_labels(server: KubeServer, objects: ClusterObjects) -> None:
    assert objects.owned() == ()
    for path in server.paths:
        server.put(path, {"items": [{"metadata": metadata("x")}]})
    assert [(found.api_version, found.kind) for found in objects.owned()] == [*OWNED_KINDS, *CLUSTER_KINDS]

    def selector(labels: Mapping[str, str]) -> str:
        return ",".join(f"{key}={value}" for key, value in labels.items())

    asked = {(f"/{NAMESPACE}/" in request.path, request.query["labelSelector"]) for request in server.asked}
    # What belongs to the whole cluster may be another stack's.
    assert asked == {(True, selector(LABELS)), (False, selector(cluster_labels(NAMESPACE)))}


def test_newest_record_of_a_release_is_the_one_with_the_highest_number(
    server: KubeServer, objects: ClusterObjects
) -> None:
    labels = [{"version": "9", "status": "superseded"}, {"version": "10", "status": "pending-upgrade"}, {"owner": "x"}]
    items = [{"metadata": metadata(str(number), labels=item)} for number, item in enumerate(labels)]
    server.put(f"/api/v1/namespaces/{NAMESPACE}/secrets", {"items": items})
    record = objects.release("airflow")
    assert record is not None
    assert (record.revision, record.status) == (10, "pending-upgrade")


@pytest.mark.parametrize(
    ("claim", "bound"),
    [
        ({"spec": {}, "status": {"phase": "Pending"}}, False),
        ({"spec": {"volumeName": "pv"}, "status": {"phase": "Pending"}}, True),
        ({"spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}}, True),
        ({"spec": {}, "status": {"phase": "Lost"}}, True),
    ],
)
def test_claim_may_hold_data_unless_it_never_had_a_volume(
    server: KubeServer, objects: ClusterObjects, claim: dict[str, Any], bound: bool
) -> None:
    server.put(f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/data", {"metadata": metadata("data"), **claim})
    assert objects.is_bound("data") is bound


def test_object_is_deleted_only_while_it_is_the_same_one(server: KubeServer, objects: ClusterObjects) -> None:
    server.put(f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/server", {"kind": "Status"})
    doomed = Found(
        api_version="apps/v1", kind="StatefulSet", namespace=NAMESPACE, name="server", uid="u-1", created="x"
    )
    objects.delete(doomed)
    (request,) = server.asked
    assert request.method == "DELETE"
    assert request.body["preconditions"] == {"uid": "u-1"}
    assert request.body["propagationPolicy"] == "Background"


MANIFEST = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "airflow-redis"}, "spec": {"a": 1}}
PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/airflow-redis"


def test_refusal_of_kubernetes_is_asked_for_by_a_dry_run(server: KubeServer, objects: ClusterObjects) -> None:
    server.put(PATH, {"message": "spec: Forbidden: updates to statefulset spec"}, status=422)
    assert objects.refusal(MANIFEST) == "spec: Forbidden: updates to statefulset spec"
    server.put(PATH, MANIFEST)
    assert objects.refusal(MANIFEST) == ""
    assert {(request.method, request.query["dryRun"]) for request in server.asked} == {("PUT", "All")}
    server.put(PATH, {"message": "sentinel"}, status=403)
    with pytest.raises(ClusterRequestFailed, match="cannot PUT"):
        objects.refusal(MANIFEST)


@pytest.mark.parametrize(
    ("annotations", "kept"),
    [
        ({}, False),
        (None, False),
        ({"helm.sh/resource-policy": "keep"}, True),
        ({"helm.sh/resource-policy": "x"}, False),
    ],
)
def test_object_that_helm_must_keep(
    server: KubeServer, objects: ClusterObjects, annotations: dict[str, str] | None, kept: bool
) -> None:
    server.put(PATH, {"metadata": metadata("airflow-redis", annotations=annotations)})
    assert objects.is_kept(MANIFEST) is kept
    assert objects.is_kept({**MANIFEST, "metadata": {"name": "gone"}}) is False


def test_secret_is_decoded_and_one_that_is_not_there_is_empty(server: KubeServer, objects: ClusterObjects) -> None:
    data = {"fernet-key": base64.b64encode(b"sentinel").decode()}
    server.put(f"/api/v1/namespaces/{NAMESPACE}/secrets/team", {"metadata": metadata("team"), "data": data})
    assert objects.secret("team") == {"fernet-key": "sentinel"}
    assert objects.secret("gone") == {}


def test_records_of_a_release_are_decoded(server: KubeServer, objects: ClusterObjects) -> None:
    content = {"version": 2, "manifest": "x"}
    items = [{"metadata": metadata("r"), "data": {"release": encode(content)}}]
    server.put(f"/api/v1/namespaces/{NAMESPACE}/secrets", {"items": items})
    assert objects.records("airflow") == (content,)
    query = {"labelSelector": "owner=helm,name=airflow", "fieldSelector": "type=helm.sh/release.v1"}
    assert server.asked[0].query == query


def test_refusal_says_what_was_asked_and_no_more(server: KubeServer, objects: ClusterObjects) -> None:
    server.put(f"/api/v1/namespaces/{NAMESPACE}/secrets/keys", {"message": "sentinel"}, status=403)
    with pytest.raises(ClusterRequestFailed, match=r"cannot GET /api/v1/.*: 403 Forbidden.*auth can-i") as raised:
        objects.find("v1", "Secret", NAMESPACE, "keys")
    assert "sentinel" not in str(raised.value)


def test_cluster_that_does_not_answer_or_has_no_context_is_unreachable(
    server: KubeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClusterUnreachable, match="no usable context nowhere"):
        ClusterObjects("nowhere", NAMESPACE, kubeconfig_path=server.kubeconfig)
    monkeypatch.setattr("urllib3.util.retry.Retry.DEFAULT", 0)
    client = ClusterObjects(WRONG, NAMESPACE, kubeconfig_path=server.kubeconfig)
    with pytest.raises(ClusterUnreachable, match="does not answer"):
        client.find("v1", "Secret", NAMESPACE, "keys")


def test_every_kind_that_the_program_makes_is_looked_for(
    record: Callable[..., Recorder],
    stack_config: Callable[[Mapping[str, str], Iterable[str]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a leftover of another kind would never be found."""
    monkeypatch.setattr(loading, "chart_archive", lambda *_: samples.CHART)
    config = samples.external().with_({"executor": "CeleryExecutor,KubernetesExecutor"})
    made = set()
    for found in (samples.dev(), config):
        stack_config(found.values, found.secret_keys)
        made |= {item.type for item in record(found.program(), stack=found.stack).every() if item.is_kubernetes}
    known = {
        f"kubernetes:{'' if '/' in version else 'core/'}{version}:{kind}"
        for version, kind in (*OWNED_KINDS, *CLUSTER_KINDS)
    }
    assert made - known == {"kubernetes:core/v1:Namespace", "kubernetes:helm.sh/v3:Release"}
