"""What a stack needs of its cluster, from the values of its release."""

from __future__ import annotations

from typing import Any

from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.executor import Executor
from components.chart_values.metrics import Monitoring
from components.chart_values.scale import Scale, WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.chart_values.values import airflow_values
from components.chart_values.worker_group import WorkerGroup
from components.kube.images import Images
from components.preflight.needs import api_needs, release_pods, storage_needs
from components.task_logs.store import AccessMode, TaskLogs, TaskLogStore
from tests import samples

IMAGES = Images(tag="3.2.2")
LOGS = TaskLogs(store=TaskLogStore.VOLUME, storage_gib=1, access_mode=AccessMode.READ_WRITE_MANY)


def values(**changes: Any) -> dict[str, Any]:
    return merged(chart_values(), airflow_values(samples.release_inputs(**changes)))


def classes(logs: TaskLogs, executor: Executor, *, container: bool) -> dict[str, str]:
    needs = storage_needs(values(), logs, executor, container_database=container)
    return {need["what"]: need["class"] for need in needs}


def test_each_volume_needs_a_class() -> None:
    assert classes(LOGS, Executor.CELERY, container=True) == {
        "the volume of the database": "",
        "the volume of task logs": "",
        "the volume of Redis": "",
    }
    named = TaskLogs(store=TaskLogStore.VOLUME, storage_gib=1, access_mode=LOGS.access_mode, storage_class="efs")
    assert classes(named, Executor.KUBERNETES, container=False) == {"the volume of task logs": "efs"}
    claimed = TaskLogs(store=TaskLogStore.VOLUME, storage_gib=1, access_mode=LOGS.access_mode, claim="theirs")
    assert classes(claimed, Executor.KUBERNETES, container=False) == {}


def test_add_ons_are_needed_by_what_uses_them() -> None:
    assert api_needs(values(), None) == []
    keda = api_needs(values(), WorkerAutoscaling(max_workers=3))
    assert [need["api"] for need in keda] == ["keda.sh/v1alpha1", "external.metrics.k8s.io/v1beta1"]
    group = WorkerGroup(name="gpu", queues=("gpu",), autoscaling=WorkerAutoscaling(max_workers=3))
    for need in api_needs(values(), None, [group]):
        assert need["key"] == "airflow:workerGroups"
        assert "take maxReplicas out of the group gpu" in need["fix"]
    [operator] = api_needs(values(), None, monitoring=Monitoring.OPERATOR)
    assert (operator["api"], operator["key"]) == ("monitoring.coreos.com/v1", "airflow:monitoring")
    assert api_needs(values(), None, monitoring=Monitoring.ANNOTATIONS) == []
    scaled = merged(values(), {"apiServer": {"hpa": {"enabled": True}}})
    assert [need["api"] for need in api_needs(scaled, None)] == ["metrics.k8s.io/v1beta1"]


def test_each_worker_group_has_its_pods_and_resources() -> None:
    resources = {"limits": {"nvidia.com/gpu": "1"}}
    groups = (
        WorkerGroup(name="gpu", queues=("gpu",), replicas=3, values={"resources": resources}),
        WorkerGroup(name="none", queues=("none",), replicas=0, autoscaling=WorkerAutoscaling(max_workers=3)),
    )
    needs = release_pods(values(worker_groups=groups, scale=Scale(worker=4)), IMAGES, "airflow")
    found = {need["component"]: need for need in needs}
    assert found["worker group gpu"]["pods"] == 3
    assert found["worker group gpu"]["pod"]["spec"]["containers"][0]["resources"] == resources
    assert found["workers.celery"]["pods"] == 4
    assert "worker group none" not in found, "it begins without a pod"


def test_every_component_that_runs_has_its_pods_and_resources() -> None:
    found = {
        need["component"]: need
        for need in release_pods(values(size=SizePreset.SMALL, scale=Scale(worker=4)), IMAGES, "airflow")
    }
    assert set(found) == {
        *("apiServer", "scheduler", "dagProcessor", "triggerer", "workers.celery"),
        *("redis", "statsd"),
    }
    assert found["workers.celery"]["pods"] == 4
    worker = found["workers.celery"]["pod"]
    assert worker["metadata"]["labels"]["component"] == "worker"
    assert [item["name"] for item in worker["spec"]["containers"]] == ["main", "log-groomer", "git-sync"]
    for need in found.values():
        for container in need["pod"]["spec"]["containers"]:
            assert container["resources"]["requests"]["memory"], (need["component"], container["name"])
    kubernetes = release_pods(values(executor=Executor.KUBERNETES), IMAGES, "airflow")
    assert not {"workers.celery", "redis"} & {need["component"] for need in kubernetes}
