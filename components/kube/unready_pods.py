"""Says why a pod is not ready: in a word for a table, and in a sentence for a log. Helm says nothing about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Any, Final

from components.kube.log_lines import last_words, tries

_MESSAGE_LENGTH: Final = 300
_SILENT: Final = "runs, and does not answer its probe"
_PULLS: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_CREATING: Final = frozenset({"ContainerCreating", "PodInitializing"})
_PULL_STEPS: Final = re.compile(
    r'Back-off pulling image "[^"]*"(?:: ErrImagePull)?:? ?|rpc error: code = \w+ desc = '
    r'|failed to pull (?:and unpack )?image "[^"]*": |failed to resolve (?:reference|image) "[^"]*": '
    r'|failed to do request: \w+ "[^"]*": '
)
"""What the kubelet and containerd put before the reason that an image cannot be pulled."""
_NO_PREEMPTION: Final = re.compile(r"\.?,? *(?:no new claims to deallocate, *)?preemption: .*", re.DOTALL)
"""What the scheduler adds to the reason that no node takes a pod: no other pod would have to leave one."""
_MOUNTS: Final = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})


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
            # An error of the scheduler itself, such as a volume that somebody else changed, is tried again at once.
            cause=Cause.STARTING if reason == "SchedulerError" else Cause.SCHEDULING,
            pod=name,
            detail=detail,
            sign=own,
        )
    init, containers = status.get("initContainerStatuses") or (), status.get("containerStatuses") or ()
    reasons = [f"{item['name']}: {word}" for item in (*init, *containers) if (word := _word(item))]
    begun = [item for item in init if "running" in (item.get("state") or {}) and not item.get("ready")]
    reasons += [f"{item['name']}: runs" for item in begun]
    unready = [item["name"] for item in containers if not item.get("ready")]
    texts = [f"{item['name']} {text}" for item in init if (text := _text(item, "still runs"))]
    texts += [f"{item['name']} {text}" for item in containers if (text := _text(item, _SILENT))]
    found = Unready(
        reasons[0] if reasons else f"{', '.join(unready)}: not ready" if unready else phase,
        f"pod {name} is not ready: {'; '.join(texts) or phase}",
        pod=name,
        sign=own,
    )
    blamed = next((item for item in (*init, *containers) if _word(item)), begun[0] if begun else None)
    return _blamed(found, blamed, is_init=blamed in init) if blamed else _starting(found, containers, tuple(events))


def _blamed(found: Unready, container: Mapping[str, Any], *, is_init: bool) -> Unready:
    """Return the reason with what its container says."""
    waiting, ended = _state(container)
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
    crash = cause is Cause.CRASH and last.get("exitCode") and not ended
    return replace(
        found,
        reason=f"{found.reason}, exit code {last['exitCode']}" if crash else found.reason,
        cause=cause,
        container=str(container["name"]),
        detail=short(last_words(message)) if message else "",
        # A container that crashed is counted when it has been started again, or will be no more.
        tries=restarts + (1 if ended or word == "CrashLoopBackOff" else 0),
    )


def _starting(found: Unready, containers: Iterable[Mapping[str, Any]], events: tuple[KubeEvent, ...]) -> Unready:
    """Return the reason of a pod in which no container is to blame: it waits for volumes, an image or a probe."""
    for item in containers:
        waiting, _ = _state(item)
        if not waiting and not item.get("ready"):
            return replace(
                found, cause=Cause.PROBE, container=str(item["name"]), tries=int(item.get("restartCount") or 0)
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
    if newest.reason == "Pulling":
        return replace(found, cause=Cause.PULLING, reason="pulls its image", detail=detail)
    return found


def _word(container: Mapping[str, Any]) -> str:
    """Return what Kubernetes calls the container's trouble; "" where it names none."""
    waiting, ended = _state(container)
    if waiting.get("reason") not in (None, *_CREATING):
        return str(waiting["reason"])
    return f"exit code {ended['exitCode']}" if ended.get("exitCode") else ""


def _text(container: Mapping[str, Any], running: str) -> str:
    """Return what keeps a container from being ready; "" where nothing does, or it waits for another one.

    Args:
        container: Its status.
        running: What to say of one that runs.
    """
    waiting, ended = _state(container)
    if container.get("ready") or waiting.get("reason") == "PodInitializing" or ended.get("exitCode") == 0:
        return ""
    if waiting:
        text = f"{waiting.get('reason')}: {short(waiting.get('message'))}"
    elif ended:
        text = f"ended: {ended.get('reason')}"
    else:
        text = running
    before = (container.get("lastState") or {}).get("terminated") or ended
    return text + (f", last exit code {before['exitCode']}" if before.get("exitCode") else "")


def _state(container: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the container's states `waiting` and `terminated`, empty where it is in neither."""
    state = container.get("state") or {}
    return state.get("waiting") or {}, state.get("terminated") or {}


def short(message: str | None) -> str:
    """Return a message on one line, cut off if it is long."""
    text = " ".join((message or "no message").split())
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}…"
