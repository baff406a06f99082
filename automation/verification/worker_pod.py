"""A worker to look out of: a standing one, or, where tasks have pods of their own, a pod like theirs for a moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import yaml

from automation.cluster.client import Pod
from automation.errors import ClusterRequestFailed
from automation.verification.scene import AIRFLOW, COMPONENT, Scene
from automation.wait import wait_for

TEMPLATE_KEY: Final = "pod_template_file.yaml"
"""Key of the chart's ConfigMap."""
_TASK_CONTAINER: Final = "base"
_LIFE_SECONDS: Final = 600  # ends by itself where nobody is left to delete it
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
def worker(scene: Scene) -> Iterator[tuple[str, str]]:
    """Pod and container of a worker. Raises ClusterRequestFailed where none is there or becomes ready."""
    standing = scene.standing_workers()
    if standing:
        yield standing[0].name, "worker"
        return
    if not scene.deployment.kubernetes:
        raise ClusterRequestFailed("no worker is ready", "kubectl get pods -l component=worker")
    scene.on_progress("starting a pod like a task's, to look out of")
    name = scene.kube.create_pod(pod_manifest(_template(scene)))
    try:
        _wait_until_ready(scene, name)
        yield name, _TASK_CONTAINER
    finally:
        scene.kube.delete_pod(name)


def pod_manifest(template: Mapping[str, Any]) -> dict[str, Any]:
    """A pod that sleeps, with the labels, image, identity, environment and limits of a task's pod.

    Without its volumes and init containers: those fetch DAGs, which nothing here needs.
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


def _template(scene: Scene) -> Mapping[str, Any]:
    """What the scheduler makes task pods from."""
    scheduler = scene.ready_pod("scheduler")
    for name in scheduler.config_maps if scheduler else ():
        text = scene.kube.config_map(name).get(TEMPLATE_KEY)
        if text:
            content = yaml.safe_load(text)
            if isinstance(content, dict):
                return content
    raise ClusterRequestFailed(f"no ready scheduler mounts a ConfigMap with {TEMPLATE_KEY}", "kubectl get pods")


def _wait_until_ready(scene: Scene, name: str) -> None:
    def look() -> Pod | None:
        return next((pod for pod in scene.pods("worker") if pod.name == name), None)

    pod = wait_for(
        look,
        lambda seen: seen is not None and seen.ready,
        seconds=min(_READY_SECONDS, scene.timeout_seconds),
        interval=_INTERVAL_SECONDS,
        clock=scene.clock,
    )
    if pod is None or not pod.ready:
        raise ClusterRequestFailed(
            f"the pod {name} did not become ready ({pod.reason if pod else 'it is gone'})",
            f"kubectl describe pod {name}",
        )
