"""Workers end before their broker does, and a destroy ends every pod before what that pod uses."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest

from automation.cluster.worker_stop import (
    STOPPED,
    resume_scaling,
    start_after_killed_destroy,
    start_workers,
    stop_workers,
)
from automation.errors import Interrupted
from components.chart_values.running import PAUSED
from components.kube.client import KubeApi
from tests.automation.fakes import FakeTime

WORKERS = ("airflow-worker",)


def labelled(component: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"release": "airflow", "component": component}, **metadata}}


class Cluster:
    """A deployment with some workloads of two pods, KEDA if `scaled`, and pods that end when `ends` says so."""

    def __init__(self, *names: str, replicas: int = 2, scaled: bool = False) -> None:
        self.time, self.scaled = FakeTime(), scaled
        self.workloads: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, float] = {}
        """When each pod was told to end."""
        for name in names or WORKERS:
            self.workloads[name] = {**labelled(name.removeprefix("airflow-"), name), "spec": {"replicas": replicas}}
            self.pods |= {f"{name}-1": math.inf} if replicas else {}
        self.changes: list[tuple[str, str, Any]] = []
        self.killed: list[str] = []
        self.seconds: dict[str, float] = {}
        """How long the pods of a workload take to end, where that is not 3 s."""
        self.time.on_sleep = self.tick

    def tick(self, now: float) -> None:
        for pod, since in list(self.pods.items()):
            if now - since >= self.seconds.get(pod.removesuffix("-1"), 3):
                del self.pods[pod]

    def items(self, api_version: str, kind: str, namespace: str, *, labels: Any = None) -> list[dict[str, Any]]:
        if kind == "ScaledObject":
            names = ["airflow-worker", "of-somebody-else"] if self.scaled else []
            marks = {name: changes["metadata"]["annotations"] for _, name, changes in self.changes}
            return [
                {
                    "metadata": {"name": f"s-{name}", "annotations": marks.get(f"s-{name}")},
                    "spec": {"scaleTargetRef": {"name": name}},
                }
                for name in names
            ]
        assert labels == {"release": "airflow"}
        if kind == "Pod":
            evicted = labelled("worker", "evicted", ownerReferences=[{}]) | {"status": {"phase": "Failed"}}
            running = [
                labelled(pod.removeprefix("airflow-").removesuffix("-1"), pod, ownerReferences=[{}])
                for pod in self.pods
            ]
            return [labelled("worker", "a-task-pod"), evicted, *running]
        stateful = ("airflow-redis",)
        return [item for name, item in self.workloads.items() if (name in stateful) == (kind == "StatefulSet")]

    def merge(self, api_version: str, kind: str, namespace: str, name: str, changes: Any) -> None:
        self.changes.append((kind, name, changes))
        if kind == "ScaledObject":
            return
        item = self.workloads[name]
        item["metadata"].setdefault("annotations", {}).update(changes["metadata"]["annotations"])
        item["metadata"]["annotations"] = {k: v for k, v in item["metadata"]["annotations"].items() if v is not None}
        item["spec"]["replicas"] = changes["spec"]["replicas"]
        if not changes["spec"]["replicas"] and f"{name}-1" in self.pods:
            self.pods[f"{name}-1"] = self.time.seconds

    def get(self, api_version: str, kind: str, namespace: str, name: str, **_: Any) -> dict[str, Any] | None:
        return {} if kind == "ScaledObject" else self.workloads.get(name)

    def delete(self, api_version: str, kind: str, namespace: str, name: str, *, grace_seconds: int) -> None:
        assert grace_seconds == 0
        self.killed.append(name)
        del self.pods[name]

    @property
    def replicas(self) -> dict[str, int]:
        return {name: item["spec"]["replicas"] for name, item in self.workloads.items()}

    @property
    def api(self) -> KubeApi:
        return cast("KubeApi", self)

    def stop(self, seconds: float = math.inf, *, whole: bool = False) -> Any:
        return stop_workers(
            self.api, "ns", seconds=seconds, on_line=lambda line: None, clock=self.time.clock, whole=whole
        )


RELEASE = ("airflow-pgbouncer", "airflow-redis", "airflow-api-server", "airflow-triggerer", "airflow-worker")


def test_workers_are_scaled_to_zero_and_waited_for() -> None:
    cluster = Cluster(*RELEASE)
    stopped = cluster.stop()
    assert cluster.replicas == {**dict.fromkeys(RELEASE, 2), "airflow-worker": 0}
    assert "airflow-worker-1" not in cluster.pods
    assert cluster.killed == []
    assert stopped.replicas == {("Deployment", "airflow-worker"): 2}
    start_workers(cluster.api, "ns", stopped)
    assert cluster.replicas == dict.fromkeys(RELEASE, 2)


def test_before_a_destroy_each_pod_ends_while_what_it_uses_still_runs() -> None:
    cluster = Cluster(*RELEASE)
    cluster.seconds = {"airflow-worker": 100}
    present = {}

    def tick(now: float) -> None:
        before = set(cluster.pods)
        Cluster.tick(cluster, now)
        present.update({pod: sorted(cluster.pods) for pod in before - set(cluster.pods)})

    cluster.time.on_sleep = tick
    stopped = cluster.stop(whole=True)
    assert cluster.replicas == dict.fromkeys(RELEASE, 0)
    assert cluster.pods == {}
    assert cluster.killed == []
    assert present["airflow-triggerer-1"] == [
        "airflow-api-server-1",
        "airflow-pgbouncer-1",
        "airflow-redis-1",
        "airflow-worker-1",
    ]
    assert present["airflow-worker-1"] == ["airflow-api-server-1", "airflow-pgbouncer-1", "airflow-redis-1"]
    assert present["airflow-api-server-1"] == ["airflow-pgbouncer-1"]
    start_workers(cluster.api, "ns", stopped)
    assert cluster.replicas == dict.fromkeys(RELEASE, 2)
    assert not any(item["metadata"]["annotations"] for item in cluster.workloads.values())


def test_pod_without_tasks_does_not_hold_up_a_destroy() -> None:
    cluster = Cluster(*RELEASE)
    cluster.seconds = {"airflow-triggerer": 60, "airflow-pgbouncer": 60}
    cluster.stop(whole=True)
    assert cluster.killed == ["airflow-triggerer-1", "airflow-pgbouncer-1"]
    assert cluster.time.seconds < 40


def test_update_after_a_killed_destroy_starts_what_it_had_stopped_and_nothing_else() -> None:
    cluster = Cluster(*RELEASE, scaled=True)
    cluster.workloads["airflow-triggerer"]["spec"]["replicas"] = 0
    cluster.stop(whole=True)
    start_after_killed_destroy(cluster.api, "ns")
    assert cluster.replicas == {**dict.fromkeys(RELEASE, 2), "airflow-triggerer": 0}
    assert cluster.changes[-1] == (
        "ScaledObject",
        "s-airflow-worker",
        {"metadata": {"annotations": {PAUSED: None, STOPPED: None}}},
    )
    cluster.changes.clear()
    start_after_killed_destroy(cluster.api, "ns")
    assert cluster.changes == []


def test_keda_does_not_start_them_again_until_they_are_started_again() -> None:
    cluster = Cluster(scaled=True)
    stopped = cluster.stop()
    assert [(kind, name) for kind, name, _ in cluster.changes] == [
        ("ScaledObject", "s-airflow-worker"),
        ("Deployment", "airflow-worker"),
    ]
    assert cluster.changes[0][2] == {"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": "0"}}}
    start_workers(cluster.api, "ns", stopped)
    assert cluster.changes[-1][2]["metadata"]["annotations"]["autoscaling.keda.sh/paused-replicas"] is None


def test_worker_that_does_not_end_in_time_is_killed() -> None:
    cluster = Cluster()
    cluster.seconds = {"airflow-worker": math.inf}
    cluster.stop(20)
    assert cluster.killed == ["airflow-worker-1"]
    assert 19 <= cluster.time.seconds <= 21


@pytest.mark.parametrize("whole", [False, True])
def test_deployment_whose_pods_are_gone_already_is_left_alone(whole: bool) -> None:
    cluster = Cluster(*RELEASE, replicas=0, scaled=True)
    assert cluster.stop(whole=whole).replicas == {}
    assert cluster.changes == []
    assert cluster.time.seconds == 0


@pytest.mark.parametrize("whole", [False, True])
def test_all_start_again_where_the_wait_is_cancelled(whole: bool) -> None:
    cluster = Cluster(*RELEASE)

    def cancelled(now: float) -> None:
        raise Interrupted("cancelled", "again")

    cluster.time.on_sleep = cancelled
    with pytest.raises(Interrupted):
        cluster.stop(whole=whole)
    assert cluster.replicas == dict.fromkeys(RELEASE, 2)


def test_scaling_that_is_paused_at_no_worker_resumes_and_another_pause_stays() -> None:
    cluster = Cluster()
    objects = [
        {"metadata": {"name": name, "annotations": annotations}}
        for name, annotations in (("paused", {PAUSED: "0"}), ("by-a-person", {PAUSED: "3"}), ("not", None))
    ]
    cluster.items = lambda *args, **more: objects  # type: ignore[method-assign]
    resume_scaling(cluster.api, "ns")
    assert cluster.changes == [("ScaledObject", "paused", {"metadata": {"annotations": {PAUSED: None}}})]
