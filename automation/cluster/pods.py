"""Pods and workloads as checks and rotations look at them, made from the JSON of the Kubernetes API. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from components.kube.kinds import STATEFUL_SET
from components.kube.rollout import Rollout
from components.kube.unready_pods import why_unready
from components.kube.workload_states import owner

REVISION: Final = "controller-revision-hash"
"""Label of a StatefulSet's pods: the revision of the template that a pod was made from."""
_ENDED: Final = ("Succeeded", "Failed")


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod that has not ended and is not being deleted."""

    name: str
    """Name of the pod."""
    labels: Mapping[str, str]
    """All labels of the pod."""
    containers: tuple[str, ...]
    """Names of its containers, without the init containers."""
    ready: bool
    """Whether Kubernetes counts it as ready."""
    reason: str = ""
    """Why it is not ready, in a word or two of Kubernetes; "" for a ready pod."""
    ip: str = ""
    """Its address; "" before it has one."""
    config_maps: tuple[str, ...] = ()
    """Names of the ConfigMaps that it mounts."""
    workload: str = ""
    """Name of the workload or Job that it belongs to; "" for a pod that runs a single task."""
    images: Mapping[str, str] = field(default_factory=dict)
    """The image that each container really runs, or ran, with its digest, by the container's name."""
    mounts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Where each container has each volume, by their names."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A Deployment or StatefulSet."""

    kind: str
    """`Deployment` or `StatefulSet`."""
    name: str
    """Name of the workload."""
    labels: Mapping[str, str]
    """All labels of the workload."""
    desired: int
    """Number of pods that it should have."""
    ready: int
    """Number of its pods that are ready."""
    current: bool
    """Whether its controller has seen the newest template, and every pod is made from it."""
    revision: str = ""
    """A StatefulSet's newest revision, as the label `REVISION` of its pods names it; else ""."""
    ordered: bool = False
    """Whether it is a StatefulSet that waits for a pod to become ready before it replaces it, even by a better one."""


@dataclass(frozen=True, kw_only=True)
class SecretUse:
    """A variable of a pod's container, or a volume, that a Secret gives."""

    pod: str
    """Name of the pod."""
    component: str
    """Its label `component`."""
    secret: str
    """Name of the Secret, or of the ConfigMap."""
    ending: bool
    """Whether the pod is being deleted; its processes may still run."""


def pod_of(pod: Mapping[str, Any]) -> Pod:
    """Return a pod of the Kubernetes API as a `Pod`."""
    spec, status, unready = pod["spec"], pod.get("status") or {}, why_unready(pod)
    mounted = [(volume.get("configMap") or {}).get("name") for volume in spec.get("volumes") or ()]
    return Pod(
        name=pod["metadata"]["name"],
        labels=dict(pod["metadata"].get("labels") or {}),
        containers=tuple(container["name"] for container in spec["containers"]),
        ready=unready is None,
        reason="" if unready is None else unready.reason,
        ip=status.get("podIP") or "",
        config_maps=tuple(name for name in mounted if name),
        workload=owner(pod)[1],
        images={item["name"]: item["imageID"] for item in status.get("containerStatuses") or () if item.get("imageID")},
        mounts={
            (container["name"], mount["name"]): mount["mountPath"]
            for container in spec["containers"]
            for mount in container.get("volumeMounts") or ()
        },
    )


def secret_uses(pods: Sequence[Mapping[str, Any]], variable: str, containers: Sequence[str]) -> Iterator[SecretUse]:
    """Yield which Secrets give a variable to containers of these names, of pods of the Kubernetes API."""
    for pod in filter(may_run, pods):
        for container in pod["spec"]["containers"]:
            for entry in container.get("env") or () if container["name"] in containers else ():
                reference = (entry.get("valueFrom") or {}).get("secretKeyRef")
                if entry["name"] == variable and reference:
                    yield _use(pod, reference["name"])


def volume_uses(
    pods: Sequence[Mapping[str, Any]], volume: str, source: tuple[str, str] = ("secret", "secretName")
) -> Iterator[SecretUse]:
    """Yield which Secrets, or ConfigMaps, are in volumes of this name. source: where a volume has the name of one."""
    kind, key = source
    for pod in filter(may_run, pods):
        for item in pod["spec"].get("volumes") or ():
            if item["name"] == volume and item.get(kind):
                yield _use(pod, item[kind][key])


def pull_uses(pods: Sequence[Mapping[str, Any]], beginning: str) -> Iterator[SecretUse]:
    """Yield by which Secrets, whose names so begin, pods of the Kubernetes API pull their images."""
    for pod in filter(may_run, pods):
        for item in pod["spec"].get("imagePullSecrets") or ():
            if item["name"].startswith(beginning):
                yield _use(pod, item["name"])


def may_run(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod of the Kubernetes API has not ended."""
    return (pod.get("status") or {}).get("phase") not in _ENDED


def _use(pod: Mapping[str, Any], secret: str) -> SecretUse:
    metadata = pod["metadata"]
    return SecretUse(
        pod=metadata["name"],
        component=(metadata.get("labels") or {}).get("component", ""),
        secret=secret,
        ending=bool(metadata.get("deletionTimestamp")),
    )


def workload_of(kind: str, item: Mapping[str, Any]) -> Workload:
    """Return a Deployment or StatefulSet of the Kubernetes API as a `Workload`."""
    metadata, spec, found, stateful = item["metadata"], item["spec"], Rollout.of(kind, item), kind == STATEFUL_SET
    return Workload(
        kind=kind,
        name=metadata["name"],
        labels=dict(metadata.get("labels") or {}),
        desired=found.wanted,
        ready=found.ready,
        current=found.current,
        revision=((item.get("status") or {}).get("updateRevision") or "") if stateful else "",
        ordered=stateful and spec.get("podManagementPolicy") == "OrderedReady",
    )
