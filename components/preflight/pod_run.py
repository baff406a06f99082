"""Run a pod once, as a Job, and return what became of each container as soon as it is known.

A Job, because some clusters refuse pods without a controller, and some network plugins do not isolate them. Its answers
come from the pod's status (`terminationMessagePolicy`), so that nothing needs to read logs. The Job is deleted at the
end; should this process be killed, Kubernetes deletes it by its time to live.
"""

from __future__ import annotations

import contextlib
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from components.kube.client import KubeApi
from components.kube.kubeconfig import KubeUnreachable
from components.kube.rest import KubeRequestFailed
from components.preflight.image_reasons import is_permanent

LABEL: Final = "airflow-preflight"
ITS_END: Final = "its end"
"""The text for a pod whose containers run and have not ended."""
_JOB_NAME: Final = "batch.kubernetes.io/job-name"
_TIME_TO_LIVE_SECONDS: Final = 60
_BEGUN: Final = "PodReadyToStartContainers"
"""Condition of a pod (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, "Pod network readiness")."""
_BEGIN_SECONDS: Final = 20.0
"""How long a node may take to make the pod's network and volumes. It takes long where much starts at once."""
_POLL_SECONDS: Final = 0.2
_SHOWN: Final = 300
_OTHERS_SECONDS: Final = 1.0
"""After a failure, the others of the pod get this long: all that is wrong is then told at once."""
_PULLS: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_RUNNING: Final[dict[str, tuple[KubeApi, str]]] = {}
"""The Jobs that this process has made and not deleted, with their namespaces, by name."""
_STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class WaitLimits:
    """How long to wait for a pod. What is not known by then counts as not seen."""

    node_seconds: float = 10.0
    """How long to wait for a node with room."""
    image_seconds: float = 10.0
    """How long to wait for images, once the node has begun."""
    run_seconds: float = 15.0
    """How long the containers may run, once all images are there."""


@dataclass(frozen=True, kw_only=True)
class ContainerEnd:
    """The end of one container."""

    name: str
    """Its name."""
    image: str
    """The reference of its image, as the pod names it."""
    pulled: bool = False
    """Whether its image was on the node at the end."""
    exit_code: int | None = None
    """Its exit code; None if it did not end."""
    reason: str = ""
    """Kubernetes' word for what it waits for, or how it ended."""
    message: str = ""
    """What Kubernetes says about that, or what the container wrote."""

    @property
    def not_pulled(self) -> bool:
        """Whether its image could not be pulled."""
        return self.reason in _PULLS


@dataclass(frozen=True, kw_only=True)
class PodEnd:
    """The end of a pod."""

    containers: Mapping[str, ContainerEnd] = field(default_factory=dict)
    """How each container ended, by its name, in the pod's order, init containers first."""
    refused: str = ""
    """Why Kubernetes admits no such pod; "" if it does."""
    waits: str = ""
    """The reason why it had not ended when its time was over; "" if it ended."""
    logs: Mapping[str, str] = field(default_factory=dict)
    """The logs of the containers that started, by name, if they were asked for."""

    @property
    def problem(self) -> str:
        """Why it did not do what it should; "" if it did."""
        if self.refused:
            return self.refused
        for container in self.containers.values():
            if container.not_pulled:
                return f"{container.image}: {container.reason} {container.message}"
            if container.exit_code:
                last = container.message.strip().splitlines()[-1:] or [container.reason]
                return f"{container.name} ended with {container.exit_code}: {_short(last[0])}"
        return f"it waits for {self.waits}" if self.waits else ""


def run_pod(
    api: KubeApi,
    namespace: str,
    pod: Mapping[str, Any],
    limits: WaitLimits,
    *,
    label: str = LABEL,
    sleep: Callable[[float], object] | None = None,
    log_lines: int = 0,
) -> PodEnd:
    """Run a pod and return its end. Raises KubeRequestFailed, KubeUnreachable.

    Args:
        api: The cluster.
        namespace: Where to run it.
        pod: `metadata` with labels, and `spec`.
        limits: How long to wait.
        label: Label of Job and pod, and the beginning of their names.
        sleep: Waits so many seconds; it may raise, and the Job is then deleted. None takes the system's.
        log_lines: How many of its last lines to read from the log of each container.
    """
    spec = {**pod["spec"], "restartPolicy": "Never"}
    labels = {**pod["metadata"].get("labels", {}), label: "true"}
    metadata = {**pod["metadata"], "labels": labels}
    trial = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "generateName": f"{label}-"}, "spec": spec}
    refused = api.creation_refusal(trial, namespace)
    if refused:
        return PodEnd(refused=refused)
    longest = limits.node_seconds + _BEGIN_SECONDS + limits.image_seconds + limits.run_seconds
    job = api.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"generateName": f"{label}-", "labels": {label: "true"}},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": int(longest) + _TIME_TO_LIVE_SECONDS,
                "ttlSecondsAfterFinished": _TIME_TO_LIVE_SECONDS,
                "template": {"metadata": metadata, "spec": spec},
            },
        },
        namespace,
    )
    name = str(job["metadata"]["name"])
    _RUNNING[name] = (api, namespace)
    try:
        end = _watch(api, namespace, name, spec, limits, sleep or time.sleep)
        return replace(end, logs=_logs(api, namespace, name, end, log_lines)) if log_lines else end
    finally:
        _RUNNING.pop(name, None)
        _delete(api, namespace, name)


def delete_running() -> None:
    """Delete the Jobs of all pods that run now, before the process ends without a word."""
    for name, (api, namespace) in list(_RUNNING.items()):
        _delete(api, namespace, name)


def _delete(api: KubeApi, namespace: str, job: str) -> None:
    # It ends by itself too.
    with contextlib.suppress(KubeRequestFailed, KubeUnreachable):
        api.delete("batch/v1", "Job", namespace, job, grace_seconds=0)


def _watch(
    api: KubeApi,
    namespace: str,
    job: str,
    spec: Mapping[str, Any],
    limits: WaitLimits,
    sleep: Callable[[float], object],
) -> PodEnd:
    started = time.monotonic()
    placed: float | None = None
    begun: float | None = None
    pulled: float | None = None
    failed: float | None = None
    while True:
        now = time.monotonic()
        pods = api.items("v1", "Pod", namespace, labels={_JOB_NAME: job})
        pod: Mapping[str, Any] = pods[0] if pods else {}
        status = pod.get("status") or {}
        ends = _ends(spec, status)
        if status.get("phase") in ("Succeeded", "Failed") or _is_told(spec, ends):
            return PodEnd(containers=ends)
        placed = placed or (now if (pod.get("spec") or {}).get("nodeName") else None)
        begun = begun or (now if placed and _has_begun(status) else None)
        there = {end.image for end in ends.values() if end.pulled}
        undecided = any(end.image not in there and not end.not_pulled for end in ends.values())
        pulled = pulled or (now if begun and not undecided else None)
        failed = failed or (now if any(map(_is_final, ends.values())) else None)
        if failed is not None and (not undecided or now - failed >= _OTHERS_SECONDS):
            return PodEnd(containers=ends)
        if placed is None and now - started >= limits.node_seconds:
            return PodEnd(containers=ends, waits=f"a node with room for it ({_unscheduled(status)})")
        if placed is not None and begun is None and now - placed >= _BEGIN_SECONDS:
            return PodEnd(containers=ends, waits="its node to begin with it")
        if begun is not None and pulled is None and now - begun >= limits.image_seconds:
            return PodEnd(containers=ends, waits="its images")
        if pulled is not None and now - pulled >= limits.run_seconds:
            return PodEnd(containers=ends, waits=ITS_END)
        sleep(_POLL_SECONDS)


def _has_begun(status: Mapping[str, Any]) -> bool:
    """Return whether the node pulls images or has them: the pod's network and volumes are there.

    Kubernetes before 1.29 does not say it; it then counts that the node knows the pod.
    """
    for condition in status.get("conditions") or ():
        if condition.get("type") == _BEGUN:
            return bool(condition.get("status") == "True")
    return bool(status.get("containerStatuses") or status.get("initContainerStatuses"))


def _logs(api: KubeApi, namespace: str, job: str, end: PodEnd, lines: int) -> dict[str, str]:
    pods = api.items("v1", "Pod", namespace, labels={_JOB_NAME: job})
    started = [item.name for item in end.containers.values() if item.exit_code is not None]
    return {name: api.log(namespace, pods[0]["metadata"]["name"], name, lines=lines) for name in started if pods}


def _is_told(spec: Mapping[str, Any], ends: Mapping[str, ContainerEnd]) -> bool:
    """Whether every container has ended, or will never start. The phase of the pod says so a second later."""
    first = [ends[item["name"]].exit_code for item in spec.get("initContainers") or ()]
    return any(first) or all(end.exit_code is not None for end in ends.values())


def _is_final(end: ContainerEnd) -> bool:
    """Whether a container will not start, however long one waits."""
    if end.not_pulled:
        # A pull that fails for the second time has had its chance.
        return end.reason == "ImagePullBackOff" or is_permanent(f"{end.reason} {end.message}")
    return end.reason.startswith("Create")


def _ends(spec: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, ContainerEnd]:
    known = {
        item["name"]: item for key in ("initContainerStatuses", "containerStatuses") for item in status.get(key) or ()
    }
    wanted: Sequence[Mapping[str, Any]] = (*(spec.get("initContainers") or ()), *spec["containers"])
    return {str(item["name"]): _end(item, known.get(item["name"]) or {}) for item in wanted}


def _end(container: Mapping[str, Any], status: Mapping[str, Any]) -> ContainerEnd:
    state = status.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    reason = str(waiting.get("reason") or ended.get("reason") or "")
    return ContainerEnd(
        name=str(container["name"]),
        image=str(container["image"]),
        # A container that could not be started has an image all the same.
        pulled=bool(state) and reason not in (*_PULLS, *_STARTING),
        exit_code=ended.get("exitCode"),
        reason="" if reason in _STARTING else reason,
        message=str(waiting.get("message") or ended.get("message") or ""),
    )


def _unscheduled(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled":
            return _short(str(condition.get("message") or "")) or "pending"
    return "pending"


def _short(text: str) -> str:
    """Return the beginning of a text, cut between words: half a secret would not be recognised and masked."""
    return textwrap.shorten(text, _SHOWN, placeholder=" …")
