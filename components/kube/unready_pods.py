"""Says why a pod is not ready: in a word for a table, and in a sentence for a log. Helm says nothing about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Any, Final

from components.kube.container_states import RUN_STEPS, exit_code, lacks, short, states, trouble
from components.kube.log_lines import last_words, tries

_SILENT: Final = "runs, and does not answer its probe"
_PULLS: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_PULL_STEPS: Final = re.compile(
    r'Back-off pulling image "[^"]*"(?:: ErrImagePull)?:? ?|rpc error: code = \w+ desc = '
    r'|failed to pull (?:and unpack )?image "[^"]*": |failed to resolve (?:reference|image) "[^"]*": '
    r'|failed to do request: \w+ "[^"]*": '
)
"""What the kubelet and containerd put before the reason that an image cannot be pulled."""
_NO_PREEMPTION: Final = re.compile(r"\.?,? *(?:no new claims to deallocate, *)?preemption: .*", re.DOTALL)
"""What the scheduler adds to the reason that no node takes a pod: no other pod would have to leave one."""
_MOUNTS: Final = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_NO_SANDBOX: Final = "FailedCreatePodSandBox"
"""Mostly, that the network has no address for the pod."""
_UNHEALTHY: Final = "Unhealthy"
_DEADLINE: Final = "DeadlineExceeded"
"""The only reason of a whole pod for which its containers may have given a better one."""
_GATES: Final = "ReadinessGatesNotReady"
"""The containers are ready, and somebody else, such as a load balancer, has not said so yet."""


@unique
class Cause(StrEnum):
    """The thing that a workload lacks."""

    SCHEDULING = "scheduling"
    """A node with room for the pod."""
    VOLUME = "volume"
    """A volume."""
    PULLING = "pulling"
    """Its image, which is being pulled."""
    IMAGE = "image"
    """Its image, which could not be pulled."""
    CONFIG = "config"
    """What its container is made from, such as a Secret or a key in it."""
    STARTING = "starting"
    """Time: its containers are being made."""
    HELD = "held"
    """Something that its node, the network or a gate gives."""
    INIT = "init"
    """The end of an init container."""
    PROBE = "probe"
    """An answer to its probe."""
    CRASH = "crash"
    """A container that keeps running."""
    DENIED = "denied"
    """A pod: a quota, a limit range, Pod Security or a webhook refuses it."""
    RUNNING = "running"
    """The end of its work: a Job's pod runs."""
    ENDING = "ending"
    """The end of an old pod, which must go first."""


_NO_LACK_OF_NODES: Final = {"SchedulerError": Cause.STARTING, "SchedulingGated": Cause.HELD}
"""Reasons of the scheduler that pass: an error of its own is tried again at once, and a gate is somebody's to open."""


@dataclass(frozen=True, kw_only=True)
class KubeEvent:
    """An event of Kubernetes about one object."""

    uid: str
    """The object's uid."""
    kind: str
    """The object's kind."""
    name: str
    """The object's name."""
    reason: str
    """Its reason: `FailedCreate`."""
    message: str
    """Its message, on one line."""
    last: str
    """When it happened last, in ISO 8601."""
    sign: str
    """Tells it from every other event, and from itself when it happens again."""


@dataclass(frozen=True)
class Unready:
    """Why a pod is not ready, or is not there."""

    reason: str
    """A word or two of Kubernetes: `worker: ImagePullBackOff`."""
    sentence: str
    """The pod's name and everything that keeps it from being ready, with Kubernetes' messages."""
    cause: Cause = Cause.STARTING
    """What it lacks."""
    container: str = ""
    """The container that is to blame; "" if none is."""
    pod: str = ""
    """The pod's name; "" if there is no pod."""
    detail: str = ""
    """The most that is known: a message of Kubernetes, or the last line of the container's log."""
    tries: int = 0
    """How often it has failed: the restarts of a container, the failed fetches of git-sync."""
    sign: str = ""
    """The source of this: the pod's uid, or `KubeEvent.sign`."""

    @property
    def short(self) -> str:
        """The reason with its detail, on one line."""
        if self.cause is Cause.INIT and self.detail:
            return f"{self.container}: {self.detail}"
        return f"{self.reason}: {self.detail}" if self.detail else self.reason

    def with_log(self, text: str) -> Unready:
        """Return it with what the end of the container's log says."""
        said = short(last_words(text)) if text.strip() else ""
        if not said:
            return self
        return replace(
            self, detail=said, sentence=f"{self.sentence}; its log: {said}", tries=max(self.tries, tries(text))
        )


def why_unready(pod: Mapping[str, Any], events: Iterable[KubeEvent] = ()) -> Unready | None:
    """Return why a pod is not ready; None for one that is ready, has ended well, or is being deleted.

    Args:
        pod: The pod as the Kubernetes API gives it.
        events: The events about the pod.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    ready = conditions.get("Ready", {}).get("status") == "True"
    if ready or status.get("phase") == "Succeeded" or metadata.get("deletionTimestamp"):
        return None
    name, phase, own = metadata["name"], status.get("phase") or "unknown", str(metadata.get("uid") or "")
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        detail = short(_NO_PREEMPTION.sub("", str(scheduled.get("message") or "no message")))
        reason = str(scheduled.get("reason") or "Unschedulable")
        return Unready(
            reason,
            f"pod {name} is not scheduled: {detail}",
            cause=_NO_LACK_OF_NODES.get(reason, Cause.SCHEDULING),
            pod=name,
            detail=detail,
            sign=own,
        )
    gates = conditions.get("Ready", {}) if conditions.get("Ready", {}).get("reason") == _GATES else {}
    whole = str(status.get("reason") or gates.get("reason") or "")
    init, containers = status.get("initContainerStatuses") or (), status.get("containerStatuses") or ()
    reasons = [f"{item['name']}: {word}" for item in (*init, *containers) if (word := trouble(item))]
    begun = [item for item in init if "running" in (item.get("state") or {}) and not item.get("ready")]
    reasons += [f"{item['name']}: runs" for item in begun]
    unready = [item["name"] for item in containers if not item.get("ready")]
    texts = [f"{item['name']} {text}" for item in init if (text := lacks(item, "still runs"))]
    texts += [f"{item['name']} {text}" for item in containers if (text := lacks(item, _SILENT))]
    found = Unready(
        reasons[0] if reasons else f"{', '.join(unready)}: not ready" if unready else phase,
        f"pod {name} is not ready: {'; '.join(texts) or phase}",
        pod=name,
        sign=own,
    )
    if whole and not (whole == _DEADLINE and reasons):
        said = short(status.get("message") or gates.get("message"))
        why = f"pod {name} is not ready: {whole}: {said}"
        return replace(found, reason=whole, cause=Cause.HELD, detail=said, sentence=why)
    blamed = next((item for item in (*init, *containers) if trouble(item)), begun[0] if begun else None)
    return _blamed(found, blamed, is_init=blamed in init) if blamed else _starting(found, containers, tuple(events))


def why_ending(pods: Iterable[Mapping[str, Any]]) -> Unready | None:
    """Return which of these pods is being deleted, and how long it may take; None if none is."""
    for pod in pods:
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            seconds = metadata.get("deletionGracePeriodSeconds")
            ends = f"ends, within {seconds} s" if seconds else "ends"
            return Unready(
                f"an old pod {ends}",
                f"pod {metadata['name']} {ends}",
                cause=Cause.ENDING,
                pod=str(metadata["name"]),
                sign=str(metadata.get("uid") or ""),
            )
    return None


def _blamed(found: Unready, container: Mapping[str, Any], *, is_init: bool) -> Unready:
    """Return the reason with what its container says."""
    waiting, ended = states(container)
    last = ended or (container.get("lastState") or {}).get("terminated") or {}
    word, restarts = str(waiting.get("reason") or ""), int(container.get("restartCount") or 0)
    if word in _PULLS:
        cause = Cause.IMAGE
    elif waiting and word != "CrashLoopBackOff":
        cause = Cause.CONFIG
    elif waiting or ended:
        cause = Cause.CRASH
    else:
        cause = Cause.INIT if is_init else Cause.STARTING
    message = (last.get("message") if cause is Cause.CRASH else waiting.get("message")) or ""
    if cause is Cause.IMAGE:
        message = _PULL_STEPS.sub("", message)
        image = str(container.get("image") or "")
        message = message if not message or image in message else f"{image}: {message}"
    if cause is Cause.CONFIG:
        message = RUN_STEPS.sub("", message)
    crash = cause is Cause.CRASH and last.get("exitCode") is not None and not ended
    return replace(
        found,
        reason=f"{found.reason}, {exit_code(last)}" if crash else found.reason,
        cause=cause,
        container=str(container["name"]),
        detail=short(last_words(message)) if message else "",
        # A container that crashed is counted when it has been started again, or will be no more.
        tries=restarts + (1 if ended or word == "CrashLoopBackOff" else 0),
    )


def _starting(found: Unready, containers: Iterable[Mapping[str, Any]], events: tuple[KubeEvent, ...]) -> Unready:
    """Return the reason of a pod in which no container is to blame: it waits for volumes, an image or a probe."""
    for item in containers:
        waiting, _ = states(item)
        if not waiting and not item.get("ready"):
            probes = [event for event in events if event.reason == _UNHEALTHY]
            probe = max(probes, key=lambda event: event.last, default=None)
            last = (item.get("lastState") or {}).get("terminated") or {}
            return replace(
                found,
                cause=Cause.PROBE,
                reason=f"{found.reason}, last {exit_code(last)}" if last.get("exitCode") else found.reason,
                sentence=f"{found.sentence}; {short(probe.message)}" if probe else found.sentence,
                container=str(item["name"]),
                tries=int(item.get("restartCount") or 0),
            )
    if found.reason.endswith(": not ready"):
        found = replace(found, reason="starts")
    newest = max(events, key=lambda event: event.last, default=None)
    if newest is None:
        return found
    detail = short(newest.message)
    if newest.reason in _MOUNTS:
        return replace(
            found, cause=Cause.VOLUME, reason=newest.reason, detail=detail, sentence=f"{found.sentence}; {detail}"
        )
    if newest.reason == _NO_SANDBOX:
        detail = RUN_STEPS.sub("", detail)
        why = f"{found.sentence}; {detail}"
        return replace(found, reason=newest.reason, cause=Cause.HELD, detail=detail, sentence=why)
    if newest.reason == "Pulling":
        return replace(found, cause=Cause.PULLING, reason="pulls its image", detail=detail)
    return found
