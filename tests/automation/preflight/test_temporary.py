"""What is made for the checks alone, and taken away again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import pulumi
import pytest

from automation.plan.recorder import Recorder
from automation.preflight.temporary import documents, present
from components.kube.client import KubeApi
from components.kube.immutable_secret import immutable_secret
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.kube.rest import KubeRequestFailed
from components.preflight.checks import DOCUMENT

SECRET: Final = "sentinel-deploy-key"


class Cluster:
    """Keeps what is made in it."""

    def __init__(self, *namespaces: str) -> None:
        self.objects: dict[tuple[str, str], Mapping[str, Any]] = {("Namespace", name): {} for name in namespaces}
        self.created: list[Mapping[str, Any]] = []
        self.refused = ""
        self.now = 1_767_225_600.0  # 2026-01-01T00:00:00Z
        self.older: dict[tuple[str, str], str] = {}

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        return self.objects.get((kind, name))

    def items(
        self, api_version: str, kind: str, namespace: str, *, labels: Mapping[str, str], metadata_only: bool
    ) -> list[Mapping[str, Any]]:
        assert (labels, metadata_only) == ({"airflow-preflight": "true"}, True)
        if self.refused == f"list {kind}":
            raise KubeRequestFailed("GET", "403 Forbidden", "ask for the right")
        found = [(name, time) for (of, name), time in self.older.items() if of == kind]
        return [{"metadata": {"name": name, "creationTimestamp": time}} for name, time in found]

    def create(self, manifest: Mapping[str, Any], namespace: str) -> None:
        if manifest["kind"] == self.refused:
            raise KubeRequestFailed("POST", "403 Forbidden", "ask for the right")
        self.objects[manifest["kind"], manifest["metadata"]["name"]] = manifest
        self.created.append(manifest)

    def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        self.objects.pop((kind, name), None)
        self.older.pop((kind, name), None)
        if kind == "Namespace":
            self.objects.clear()


def program() -> None:
    metadata = object_metadata("ns")
    namespace = KubeObject("v1", "Namespace", "n", {"metadata": {"name": "ns", "labels": {"enforce": "restricted"}}})
    spec = {"podSelector": {}, "policyTypes": ["Egress"]}
    KubeObject("networking.k8s.io/v1", "NetworkPolicy", "deny", {"metadata": metadata, "spec": spec})
    opts = pulumi.ResourceOptions(depends_on=[namespace])
    used = immutable_secret("git", "ns", {"gitSshKey": pulumi.Output.secret(SECRET)}, opts)
    immutable_secret("other", "ns", {"x": pulumi.Output.secret("y")}, opts)
    document = pulumi.Output.json_dumps({"kind": "git", "secret": used})
    KubeObject("v1", "ConfigMap", "check", {"metadata": metadata, "data": {DOCUMENT: document}})
    KubeObject("v1", "ConfigMap", "unrelated", {"metadata": metadata, "data": {"a": "b"}})


@pytest.fixture
def recorded(record: Callable[..., Recorder]) -> Recorder:
    return record(program)


def test_documents_are_found_and_hold_no_secret(recorded: Recorder) -> None:
    [text] = documents(recorded)
    assert json.loads(text)["kind"] == "git"
    assert SECRET not in text


def test_namespace_that_is_missing_has_a_stand_in_with_labels_and_policies(recorded: Recorder) -> None:
    cluster = Cluster()
    with present(cast(KubeApi, cluster), "ns", recorded, documents(recorded)) as namespace:
        assert re.fullmatch("ns-preflight-[0-9a-f]{6}", namespace), "an update may make the real one meanwhile"
        assert [manifest["kind"] for manifest in cluster.created] == ["Namespace", "NetworkPolicy", "Secret"]
        assert cluster.created[0]["metadata"]["name"] == namespace
        assert cluster.created[0]["metadata"]["labels"]["enforce"] == "restricted"
    assert cluster.objects == {}


def test_stand_in_of_a_long_name_is_a_name(recorded: Recorder) -> None:
    with present(cast(KubeApi, Cluster()), "n" * 63, recorded, documents(recorded)) as namespace:
        assert len(namespace) == 63


def test_namespace_that_exists_gets_only_what_a_document_names_and_keeps_everything_else(recorded: Recorder) -> None:
    cluster = Cluster("ns")
    texts = documents(recorded)
    with present(cast(KubeApi, cluster), "ns", recorded, texts) as namespace:
        assert namespace == "ns"
        [secret] = cluster.created
        assert secret["stringData"] == {"gitSshKey": SECRET}
        assert secret["metadata"]["name"] in texts[0]
    assert set(cluster.objects) == {("Namespace", "ns")}


def test_namespace_that_is_being_deleted_is_told_before_anything_is_made(recorded: Recorder) -> None:
    """The cluster itself would only say 403."""
    cluster = Cluster("ns")
    cluster.objects["Namespace", "ns"] = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    with (
        pytest.raises(KubeRequestFailed, match=r"ns: it is being deleted\. Fix: wait until kubectl get"),
        present(cast(KubeApi, cluster), "ns", recorded, documents(recorded)),
    ):
        pass
    assert cluster.created == []


def test_without_checks_nothing_is_made(recorded: Recorder) -> None:
    cluster = Cluster()
    with present(cast(KubeApi, cluster), "ns", recorded, []):
        assert cluster.created == []


def test_objects_go_when_a_check_fails_or_one_cannot_be_made(recorded: Recorder) -> None:
    for namespaces in ((), ("ns",)):
        cluster = Cluster(*namespaces)
        with pytest.raises(RuntimeError), present(cast(KubeApi, cluster), "ns", recorded, documents(recorded)):
            raise RuntimeError
        assert {name for _, name in cluster.objects} == {*namespaces}
        cluster = Cluster(*namespaces)
        cluster.refused = "Secret"
        with (
            pytest.raises(KubeRequestFailed),
            present(cast(KubeApi, cluster), "ns", recorded, documents(recorded)),
        ):
            pass
        assert {name for _, name in cluster.objects} == {*namespaces}


def test_what_a_killed_preflight_left_is_deleted_by_the_next(recorded: Recorder) -> None:
    old, young = "2025-12-31T23:30:00Z", "2025-12-31T23:59:30Z"
    for refused, left in (("", set()), ("list Namespace", {"ns-preflight-0a0a0a"})):
        cluster = Cluster("ns")
        cluster.refused = refused
        kept = {
            ("Namespace", "ns-preflight-0b0b0b"): young,
            ("Namespace", "other-preflight-0a0a0a"): old,
            ("Namespace", "ns-preflight-of-a-team"): old,
            ("Secret", "git-1"): young,
        }
        cluster.older = {("Namespace", "ns-preflight-0a0a0a"): old, ("Secret", "git-2"): old, **kept}
        with present(cast(KubeApi, cluster), "ns", recorded, documents(recorded)):
            pass
        assert {name for kind, name in cluster.older if (kind, name) not in kept} == left
