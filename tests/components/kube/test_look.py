"""One look at a namespace, against a server that answers as Kubernetes does."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from components.kube.client import KubeApi
from components.kube.look import Look, look
from tests.kube_server import RIGHT, serving

CORE: Final = "/api/v1/namespaces/airflow"
APPS: Final = "/apis/apps/v1/namespaces/airflow"
METADATA: Final = {"name": "p", "uid": "u", "ownerReferences": [{"kind": "StatefulSet", "name": "worker"}]}
INIT: Final = [{"name": "git-sync-init", "ready": False, "state": {"running": {}}}]
WORKER: Final = {"metadata": {"name": "worker"}, "spec": {"replicas": 1}, "status": {}}


def clean(text: str) -> str:
    return text.replace("sentinel", "[secret]")


def test_look_reads_pods_workloads_events_and_the_log_of_what_is_to_blame(tmp_path: Path) -> None:
    event = {
        "metadata": {"uid": "e", "resourceVersion": "1"},
        "involvedObject": {"kind": "Pod", "name": "p", "uid": "u"},
        "reason": "TriggeredScaleUp",
    }
    with serving(tmp_path) as server:
        going = {"metadata": {"name": "old", "uid": "o", "deletionTimestamp": "now"}, "status": {}}
        pod = {"metadata": METADATA, "spec": {"containers": []}, "status": {"initContainerStatuses": INIT}}
        server.put(f"{CORE}/pods", {"items": [pod, going]})
        server.put(f"{CORE}/events", {"items": [event]})
        server.put(f"{CORE}/pods/p/log", b"fatal: sentinel is wrong\n")
        server.put(f"{APPS}/statefulsets", {"items": [WORKER]})
        found = look(KubeApi(RIGHT, server.kubeconfig), "airflow", clean)
        asked = next(request for request in server.asked if request.path.endswith("/log"))
    assert [state.says for state in found.workloads] == ["worker 0/1 ready: git-sync-init: fatal: [secret] is wrong"]
    assert found.ending == ("old",)
    assert found.signs == {"u", "o", "e:1"}
    assert found.node_comes
    assert asked.query == {"container": "git-sync-init", "tailLines": "12"}


def test_message_is_masked_before_it_is_cut_off(tmp_path: Path) -> None:
    waiting = {"reason": "ErrImagePull", "message": "x" * 295 + "sentinel"}
    status = {"containerStatuses": [{"name": "main", "ready": False, "state": {"waiting": waiting}}]}
    with serving(tmp_path) as server:
        server.put(f"{CORE}/pods", {"items": [{"metadata": METADATA, "spec": {}, "status": status}]})
        server.put(f"{APPS}/statefulsets", {"items": [WORKER]})
        (state,) = look(KubeApi(RIGHT, server.kubeconfig), "airflow", clean).workloads
    assert state.unready is not None
    assert "sent" not in state.unready.sentence


def test_log_that_may_not_be_read_and_a_namespace_that_is_not_there_are_no_errors(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        api = KubeApi(RIGHT, server.kubeconfig)
        assert look(api, "airflow") == Look()
        pod = {"metadata": METADATA, "spec": {}, "status": {"initContainerStatuses": INIT}}
        server.put(f"{CORE}/pods", {"items": [pod]})
        server.put(f"{APPS}/statefulsets", {"items": [WORKER]})
        assert [state.says for state in look(api, "airflow").workloads] == ["worker 0/1 ready: git-sync-init: runs"]
