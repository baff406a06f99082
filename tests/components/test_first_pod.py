"""The pod for which a new volume is made: what it mounts, and that nothing depends on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from components import first_pod
from components.first_pod import FirstPod
from components.kube import client
from components.kube.job_pod import JobPod
from components.kube.rest import KubeRequestFailed
from components.preflight.pod_run import PodEnd, WaitLimits
from tests import samples

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

POD = FirstPod(
    kubeconfig=None,
    kube_context="c",
    image="airflow:1",
    pod=JobPod(placement={"nodeSelector": {"a": "b"}}, security={"runAsUser": None}),
)


@pytest.fixture
def created(record: Record, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., PodEnd]], None]:
    """Calls the hook as the engine does once the claim is there, and waits for its thread."""
    monkeypatch.setattr(first_pod, "KubeApi", lambda *_: client)
    outputs = {"metadata": {"namespace": "ns", "name": "logs-1"}}
    arguments = SimpleNamespace(new_outputs=outputs)

    def run(pod: Callable[..., PodEnd]) -> None:
        hook: Any = record(lambda: POD.hook("logs", pod)).hooks["logs-first-pod"]
        before = set(threading.enumerate())
        asyncio.get_event_loop().run_until_complete(hook(arguments))
        for thread in set(threading.enumerate()) - before:
            if thread.name == first_pod.THREAD:
                thread.join(5)

    return run


def test_pod_mounts_the_new_claim_where_the_release_may_run(created: Callable[[Any], None]) -> None:
    seen: list[tuple[str, Mapping[str, Any]]] = []

    def run(api: object, namespace: str, pod: Mapping[str, Any], limits: WaitLimits) -> PodEnd:
        seen.append((namespace, pod["spec"]))
        return PodEnd()

    created(run)
    [(namespace, spec)] = seen
    assert namespace == "ns"
    assert spec["volumes"] == [{"name": "volume", "persistentVolumeClaim": {"claimName": "logs-1"}}]
    assert spec["containers"][0]["volumeMounts"][0]["name"] == "volume"
    assert spec["nodeSelector"] == {"a": "b"}
    assert "runAsUser" not in spec["securityContext"]


def test_cluster_that_refuses_it_ends_no_update(created: Callable[[Any], None]) -> None:
    asked: list[str] = []

    def run(*_: object) -> PodEnd:
        asked.append("once")
        raise KubeRequestFailed("POST jobs", "403 Forbidden", "")

    created(run)
    assert asked == ["once"]


def test_only_a_volume_that_is_made_for_one_node_has_it(registered: Record) -> None:
    many = {"taskLogsAccessMode": "ReadWriteMany", "taskLogsStorageClass": "efs"}
    for changes, has in (({}, True), (many, False), ({"running": "stopped"}, False)):
        recorder = registered(samples.dev().with_(changes))
        logs = recorder.one("kubernetes:core/v1:PersistentVolumeClaim", "airflow-task-logs")
        assert list(logs.request.hooks.after_create) == (["airflow-task-logs-first-pod"] if has else []), changes
