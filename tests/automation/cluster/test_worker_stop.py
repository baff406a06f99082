"""Workers end before their broker does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import pytest

from automation.cluster.worker_stop import resume_scaling, start_workers, stop_workers
from automation.errors import Interrupted
from components.chart_values.running import PAUSED
from components.kube.client import KubeApi
from tests.automation.fakes import FakeTime

LABELS = {"release": "airflow", "component": "worker"}


class Cluster:
    """A deployment with one worker workload, KEDA if `scaled`, and a pod that ends when `ends` says so."""

    def __init__(self, *, replicas: int = 2, scaled: bool = False) -> None:
        self.time = FakeTime()
        self.replicas, self.scaled, self.pods = replicas, scaled, ["airflow-worker-1"] if replicas else []
        self.changes: list[tuple[str, str, Any]] = []
        self.killed: list[str] = []
        self.ends: Callable[[float], bool] = lambda now: now >= 3
        self.time.on_sleep = self.tick

    def tick(self, now: float) -> None:
        if self.ends(now) and self.replicas == 0:
            self.pods = []

    def items(self, api_version: str, kind: str, namespace: str, *, labels: Any = None) -> list[dict[str, Any]]:
        if kind == "ScaledObject":
            names = ["airflow-worker", "of-somebody-else"] if self.scaled else []
            return [{"metadata": {"name": f"s-{name}"}, "spec": {"scaleTargetRef": {"name": name}}} for name in names]
        assert labels == LABELS
        if kind == "Pod":
            task = {"metadata": {"name": "a-task-pod"}}
            return [task, *({"metadata": {"name": name, "ownerReferences": [{}]}} for name in self.pods)]
        worker = {"metadata": {"name": "airflow-worker"}, "spec": {"replicas": self.replicas}}
        return [worker] if kind == "Deployment" else []

    def merge(self, api_version: str, kind: str, namespace: str, name: str, changes: Any) -> None:
        self.changes.append((kind, name, changes))
        if kind == "Deployment":
            self.replicas = changes["spec"]["replicas"]

    def get(self, api_version: str, kind: str, namespace: str, name: str, **_: Any) -> dict[str, Any] | None:
        return {} if kind == "ScaledObject" or self.replicas is not None else None

    def delete(self, api_version: str, kind: str, namespace: str, name: str, *, grace_seconds: int) -> None:
        assert grace_seconds == 0
        self.killed.append(name)

    @property
    def api(self) -> KubeApi:
        return cast("KubeApi", self)

    def stop(self, seconds: float = math.inf) -> Any:
        return stop_workers(self.api, "ns", seconds=seconds, on_line=lambda line: None, clock=self.time.clock)


def test_workers_are_scaled_to_zero_and_waited_for() -> None:
    cluster = Cluster()
    stopped = cluster.stop()
    assert cluster.replicas == 0
    assert cluster.pods == []
    assert cluster.killed == []
    assert stopped.replicas == {("Deployment", "airflow-worker"): 2}
    start_workers(cluster.api, "ns", stopped)
    assert cluster.replicas == 2


def test_keda_does_not_start_them_again_until_they_are_started_again() -> None:
    cluster = Cluster(scaled=True)
    stopped = cluster.stop()
    assert [(kind, name) for kind, name, _ in cluster.changes] == [
        ("ScaledObject", "s-airflow-worker"),
        ("Deployment", "airflow-worker"),
    ]
    assert cluster.changes[0][2] == {"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": "0"}}}
    start_workers(cluster.api, "ns", stopped)
    assert cluster.changes[-1][2] == {"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": None}}}


def test_worker_that_does_not_end_in_time_is_killed() -> None:
    cluster = Cluster()
    cluster.ends = lambda now: False
    cluster.stop(20)
    assert cluster.killed == ["airflow-worker-1"]
    assert 19 <= cluster.time.seconds <= 21


def test_deployment_without_standing_workers_is_left_alone() -> None:
    cluster = Cluster(replicas=0, scaled=True)
    assert cluster.stop().replicas == {}
    assert cluster.changes == []


def test_workers_start_again_where_the_wait_is_cancelled() -> None:
    cluster = Cluster()

    def cancelled(now: float) -> None:
        raise Interrupted("cancelled", "again")

    cluster.time.on_sleep = cancelled
    with pytest.raises(Interrupted):
        cluster.stop()
    assert cluster.replicas == 2


def test_scaling_that_is_paused_at_no_worker_resumes_and_another_pause_stays() -> None:
    cluster = Cluster()
    objects = [
        {"metadata": {"name": name, "annotations": annotations}}
        for name, annotations in (("paused", {PAUSED: "0"}), ("by-a-person", {PAUSED: "3"}), ("not", None))
    ]
    cluster.items = lambda *args, **more: objects  # type: ignore[method-assign]
    resume_scaling(cluster.api, "ns")
    assert cluster.changes == [("ScaledObject", "paused", {"metadata": {"annotations": {PAUSED: None}}})]
