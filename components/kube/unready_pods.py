"""Why a pod is not ready: in a word for a table, and in a sentence for a log. Helm's time-out says neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_MESSAGE_LENGTH: Final = 300
_SILENT: Final = "runs, and does not answer its probe"


@dataclass(frozen=True)
class Unready:
    """Why a pod is not ready."""

    reason: str
    """A word or two of Kubernetes: `worker: ImagePullBackOff`."""
    sentence: str
    """The pod's name and everything that keeps it from being ready, with Kubernetes' messages."""


def why_unready(pod: Mapping[str, Any]) -> Unready | None:
    """Return why a pod is not ready; None for one that is ready, has ended well, or is being deleted.

    Args:
        pod: The pod as the Kubernetes API gives it.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    ready = conditions.get("Ready", {}).get("status") == "True"
    if ready or status.get("phase") == "Succeeded" or metadata.get("deletionTimestamp"):
        return None
    name, phase = metadata["name"], status.get("phase") or "unknown"
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return Unready(
            str(scheduled.get("reason") or "Unschedulable"),
            f"pod {name} is not scheduled: {_short(scheduled.get('message'))}",
        )
    init, containers = status.get("initContainerStatuses") or (), status.get("containerStatuses") or ()
    reasons = [f"{item['name']}: {word}" for item in (*init, *containers) if (word := _word(item))]
    unready = [item["name"] for item in containers if not item.get("ready")]
    texts = [f"{item['name']} {text}" for item in init if (text := _text(item, "still runs"))]
    texts += [f"{item['name']} {text}" for item in containers if (text := _text(item, _SILENT))]
    return Unready(
        reasons[0] if reasons else f"{', '.join(unready)}: not ready" if unready else phase,
        f"pod {name} is not ready: {'; '.join(texts) or phase}",
    )


def _word(container: Mapping[str, Any]) -> str:
    """Return what Kubernetes calls the container's trouble; "" where it names none."""
    waiting, ended = _state(container)
    if waiting.get("reason") not in (None, "PodInitializing"):
        return str(waiting["reason"])
    return f"exit code {ended['exitCode']}" if ended.get("exitCode") else ""


def _text(container: Mapping[str, Any], running: str) -> str:
    """Return what keeps a container from being ready; "" where nothing does, or it waits for another one.

    Args:
        container: Its status.
        running: What to say of one that runs.
    """
    waiting, ended = _state(container)
    if container.get("ready") or waiting.get("reason") == "PodInitializing":
        return ""
    if waiting:
        text = f"{waiting.get('reason')}: {_short(waiting.get('message'))}"
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


def _short(message: str | None) -> str:
    text = " ".join((message or "no message").split())
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}…"
