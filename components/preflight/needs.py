"""The needs of a stack that can be checked without a pod: classes, APIs, room for its pods in the cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from components.chart_values.chart_defaults import merged
from components.chart_values.chart_parts import CELERY_WORKERS, part_value, running_parts
from components.chart_values.executor import Executor
from components.chart_values.metrics import Monitoring
from components.chart_values.scale import WorkerAutoscaling
from components.chart_values.value_paths import at
from components.chart_values.worker_group import WorkerGroup
from components.kube.images import Images
from components.preflight.pods import PLACEMENT, chart_image, pod_spec
from components.task_logs.store import TaskLogs, TaskLogStore

_AIRFLOW: Final = ("apiServer", "scheduler", "dagProcessor", "triggerer", CELERY_WORKERS)
_JUDGED: Final = (*_AIRFLOW, "redis", "statsd", "pgbouncer")
_SETS: Final = "workers.celery.sets"
_LOADS_DAGS: Final = ("dagProcessor", "triggerer", "workers.celery")
_LABELS: Final = {
    "apiServer": "api-server",
    "dagProcessor": "dag-processor",
    "workers.celery": "worker",
}
"""The chart's label `component`, where it is not the key of the component's values."""


def storage_needs(
    values: Mapping[str, Any], task_logs: TaskLogs, executor: Executor, *, container_database: bool
) -> list[dict[str, Any]]:
    """Return the storage class of each volume that will be made: key, class ("" for the default one), purpose."""
    needs = []

    def need(what: str, key: str, name: str | None) -> None:
        needs.append({"what": what, "key": key, "class": name or ""})

    if container_database:
        need("the volume of the database", "airflow:database", None)
    if task_logs.store is TaskLogStore.VOLUME and task_logs.claim is None:
        need("the volume of task logs", "airflow:taskLogsStorageClass", task_logs.storage_class)
    if executor.celery and task_logs.store is TaskLogStore.WORKER:
        path = "workers.celery.persistence.storageClassName"
        need("the workers' volumes", "airflow:taskLogs", at(values, path))
    if executor.celery and at(values, "redis.enabled") and at(values, "redis.persistence.enabled"):
        path = "redis.persistence.storageClassName"
        need("the volume of Redis", f"{path} of airflow:helmValues", at(values, path))
    return needs


def api_needs(
    values: Mapping[str, Any],
    autoscaling: WorkerAutoscaling | None,
    groups: Sequence[WorkerGroup] = (),
    monitoring: Monitoring = Monitoring.OFF,
) -> list[dict[str, str]]:
    """Return the APIs that an add-on of the cluster must serve: group and version, who serves it, who needs it, fix."""
    needs = []
    scaled = [group.name for group in groups if group.autoscaling is not None]
    if autoscaling is None and scaled:
        key, other = "airflow:workerGroups", f"take maxReplicas out of the group {scaled[0]}"
    else:
        key, other = "airflow:workerScaling", "pulumi config set --stack {stack} airflow:workerScaling fixed"
    if autoscaling is not None or scaled:
        for api, what in (("keda.sh/v1alpha1", "KEDA"), ("external.metrics.k8s.io/v1beta1", "KEDA's metrics server")):
            needs.append(
                {
                    "api": api,
                    "what": what,
                    "key": key,
                    "fix": f"install KEDA (keda.sh/docs/latest/deploy), or: {other}",
                }
            )
    if monitoring is Monitoring.OPERATOR:
        needs.append(
            {
                "api": "monitoring.coreos.com/v1",
                "what": "the Prometheus operator",
                "key": "airflow:monitoring",
                "fix": "install it (prometheus-operator.dev), or: pulumi config set --stack {stack} airflow:monitoring "
                "annotations",
            }
        )
    if at(values, "apiServer.hpa.enabled"):
        needs.append(
            {
                "api": "metrics.k8s.io/v1beta1",
                "what": "the metrics server",
                "key": "airflow:helmValues apiServer.hpa",
                "fix": "install it (github.com/kubernetes-sigs/metrics-server), or switch apiServer.hpa off",
            }
        )
    return needs


def release_pods(values: Mapping[str, Any], images: Images, release_name: str) -> list[dict[str, Any]]:
    """Return a pod of each component with its number, as far as quotas, limit ranges and policies judge pods.

    Args:
        values: The values of the release, with the chart's own below them.
        images: The images of the stack.
        release_name: Value of the chart's label `release`.
    """
    running = set(running_parts(values))
    pods = _pods(values, [path for path in _JUDGED if path in running], images, release_name)
    for element in at(values, _SETS) or ():
        # An element of the sets is read as `workers.celery` is; the default workers are among the pods already.
        own = merged(values, {"workers": {"celery": element}})
        own["workers"]["celery"] |= {key: element[key] for key in PLACEMENT if key in element}  # as a whole
        [pod] = _pods(own, ["workers.celery"], images, release_name)
        number = element.get("replicas", pod["pods"])
        pods.append({**pod, "component": f"worker group {element.get('name')}", "pods": number})
    return [pod for pod in pods if pod["pods"]]


def _pods(values: Mapping[str, Any], paths: Iterable[str], images: Images, release_name: str) -> list[dict[str, Any]]:
    return [
        {
            "component": path,
            "pods": int(part_value(values, path, "replicas") or 1),
            "pod": {
                "metadata": {
                    "labels": {
                        **{key: str(label) for key, label in (values.get("labels") or {}).items()},
                        "tier": "airflow",
                        "release": release_name,
                        "component": _LABELS.get(path, path),
                    }
                },
                "spec": {
                    **pod_spec(values, path, images, _security(values, path)),
                    "containers": list(_containers(values, path, images)),
                },
            },
        }
        for path in paths
    ]


def _containers(values: Mapping[str, Any], path: str, images: Images) -> Iterator[dict[str, Any]]:
    def container(name: str, image: str, place: str, key: str = "") -> dict[str, Any]:
        context = part_value(values, place, f"{key}securityContexts.container")
        return {
            "name": name,
            "image": image,
            "imagePullPolicy": images.pull_policy,
            "securityContext": context or at(values, "securityContexts.containers") or {},
            "resources": part_value(values, place, f"{key}resources") or {},
        }

    yield container("main", images.airflow if path in _AIRFLOW else chart_image(values, path), path)
    if part_value(values, path, "logGroomerSidecar.enabled"):
        yield container("log-groomer", images.airflow, path, "logGroomerSidecar.")
    if path == "pgbouncer":
        yield container("metrics-exporter", chart_image(values, "pgbouncerExporter"), path, "metricsExporterSidecar.")
    if path in _LOADS_DAGS and at(values, "dags.gitSync.enabled"):
        yield container("git-sync", chart_image(values, "gitSync"), "dags.gitSync")


def _security(values: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    return part_value(values, path, "securityContexts.pod") or at(values, "securityContexts.pod") or {}
