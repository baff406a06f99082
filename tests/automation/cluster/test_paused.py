"""What writes to the database by itself is stopped, and started again by whoever comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from automation.cluster.paused import PAUSED, pause, resume
from components.kube.client import KubeApi
from tests.automation.fakes import FakeTime


class Cluster:
    """Workloads, and pods that follow their number at once."""

    def __init__(self, **replicas: int) -> None:
        self.objects: dict[str, dict[str, Any]] = {
            component: {"metadata": {"name": f"airflow-{component}", "annotations": {}}, "spec": {"replicas": count}}
            for component, count in ((name.replace("_", "-"), count) for name, count in replicas.items())
        }
        self.stuck: list[str] = []

    def items(self, version: str, kind: str, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        item: dict[str, Any] = self.objects.get(labels["component"], {})
        if kind == "Pod":
            count = item["spec"]["replicas"] if item else 0
            names = [f"{labels['component']}-{number}" for number in range(count)]
            return [{"metadata": {"name": name}} for name in names + (self.stuck if names or self.stuck else [])]
        return [item] if item and (kind == "StatefulSet") is (labels["component"] == "triggerer") else []

    def merge(self, version: str, kind: str, namespace: str, name: str, changes: Mapping[str, Any]) -> None:
        item: dict[str, Any] = self.objects[name.removeprefix("airflow-")]
        for key, value in changes["metadata"]["annotations"].items():
            if value is None:
                item["metadata"]["annotations"].pop(key)
            else:
                item["metadata"]["annotations"][key] = value
        item["spec"] |= changes.get("spec", {})

    def replicas(self) -> dict[str, int]:
        return {name: item["spec"]["replicas"] for name, item in self.objects.items()}


def paused(cluster: Cluster) -> list[str]:
    told: list[str] = []
    return pause(cast(KubeApi, cluster), "ns", seconds=5, clock=FakeTime().clock, on_line=told.append)


def test_writers_stop_and_the_api_server_and_workers_go_on() -> None:
    cluster = Cluster(scheduler=2, dag_processor=1, triggerer=3, api_server=2, worker=4)
    assert paused(cluster) == []
    stopped = {"scheduler": 0, "dag-processor": 0, "triggerer": 0}
    assert cluster.replicas() == {**stopped, "api-server": 2, "worker": 4}


def test_another_process_starts_them_again_with_as_many_pods_as_before() -> None:
    cluster = Cluster(scheduler=2, dag_processor=1, triggerer=3)
    before = cluster.replicas()
    paused(cluster)
    paused(cluster)  # again, after a kill
    resume(cast(KubeApi, cluster), "ns")
    assert cluster.replicas() == before
    assert not any(item["metadata"]["annotations"] for item in cluster.objects.values())
    resume(cast(KubeApi, cluster), "ns")
    assert cluster.replicas() == before


def test_what_an_update_has_started_since_keeps_its_number() -> None:
    cluster = Cluster(scheduler=2)
    paused(cluster)
    assert cluster.objects["scheduler"]["metadata"]["annotations"] == {PAUSED: "2"}
    cluster.objects["scheduler"]["spec"]["replicas"] = 1
    resume(cast(KubeApi, cluster), "ns")
    assert cluster.replicas() == {"scheduler": 1}


def test_pod_that_does_not_end_is_named() -> None:
    cluster = Cluster(scheduler=1)
    cluster.stuck = ["scheduler-old"]
    assert "scheduler-old" in paused(cluster)
