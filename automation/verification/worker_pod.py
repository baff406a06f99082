"""A worker to probe from: a standing one, or a short-lived pod like a task's where tasks have pods of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from automation.cluster.pods import Pod
from automation.errors import ClusterRequestFailed
from automation.verification.running_airflow import AIRFLOW, COMPONENT, RunningAirflow
from automation.wait import wait_for
from components.chart_values.worker_group import GROUP_LABEL
from components.kube.safe_yaml import load_yaml

TEMPLATE_KEY: Final = "pod_template_file.yaml"
"""Key of the chart's ConfigMap with the pod template of a task."""
_TASK_CONTAINER: Final = "base"
_LIFE_SECONDS: Final = 600  # it ends by itself if this process is killed before deleting it
_READY_SECONDS: Final = 120.0
_INTERVAL_SECONDS: Final = 1.0
_POD_KEYS: Final = (
    "serviceAccountName",
    "imagePullSecrets",
    "securityContext",
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "hostAliases",
    "dnsPolicy",
    "dnsConfig",
)
_CONTAINER_KEYS: Final = ("name", "image", "imagePullPolicy", "securityContext", "env", "envFrom", "resources")


@contextmanager
def worker(airflow: RunningAirflow) -> Iterator[tuple[str, str]]:
    """Yield the pod and the container of a worker. Raises ClusterRequestFailed where none is or becomes ready."""
    # One of the default workers, if there is one: each worker group has a check of its own.
    standing = sorted(airflow.standing_workers(), key=lambda pod: GROUP_LABEL in pod.labels)
    if standing:
        yield standing[0].name, "worker"
        return
    if not airflow.deployment.kubernetes:
        raise ClusterRequestFailed("no worker is ready", "python -m automation status STACK")
    airflow.on_progress("starting a pod like a task's, to probe from")
    name = airflow.kube.create_pod(pod_manifest(_template(airflow)))
    try:
        _wait_until_ready(airflow, name)
        yield name, _TASK_CONTAINER
    finally:
        airflow.kube.delete_pod(name)


def pod_manifest(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod that sleeps, with the labels, image, identity, environment and limits of a task's pod.

    It has no volumes and no init containers: they fetch DAGs, which the probes do not need.
    """
    spec = template["spec"]
    base = next(container for container in spec["containers"] if container["name"] == _TASK_CONTAINER)
    labels = {**((template.get("metadata") or {}).get("labels") or {}), **AIRFLOW, COMPONENT: "worker"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "verification-worker-", "labels": labels},
        "spec": {
            **{key: spec[key] for key in _POD_KEYS if spec.get(key)},
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LIFE_SECONDS,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [
                {
                    **{key: base[key] for key in _CONTAINER_KEYS if base.get(key)},
                    "command": ["sleep", str(_LIFE_SECONDS)],
                }
            ],
        },
    }


def _template(airflow: RunningAirflow) -> Mapping[str, Any]:
    """Return the template from which the scheduler makes the pods of tasks."""
    scheduler = airflow.ready_pod("scheduler")
    for name in scheduler.config_maps if scheduler else ():
        text = airflow.kube.config_map(name).get(TEMPLATE_KEY)
        if text:
            content = load_yaml(text)
            if isinstance(content, dict):
                return content
    raise ClusterRequestFailed(
        f"no ready scheduler mounts a ConfigMap with {TEMPLATE_KEY}", "python -m automation status STACK"
    )


def _wait_until_ready(airflow: RunningAirflow, name: str) -> None:
    def look() -> Pod | None:
        return next((pod for pod in airflow.pods("worker") if pod.name == name), None)

    pod = wait_for(
        look,
        lambda seen: seen is not None and seen.ready,
        seconds=min(_READY_SECONDS, airflow.timeout_seconds),
        interval=_INTERVAL_SECONDS,
        clock=airflow.clock,
    )
    if pod is None or not pod.ready:
        raise ClusterRequestFailed(
            f"the pod {name} did not become ready ({pod.reason if pod else 'it is gone'})",
            "correct that; then python -m automation verify STACK",
        )
