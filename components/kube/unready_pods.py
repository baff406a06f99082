"""Why pods are not ready, in sentences: what Helm's time-out does not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_MESSAGE_LENGTH: Final = 300


def unready_pods(pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each pod (as the Kubernetes API gives it) that neither is ready nor has ended well."""
    return [sentence for pod in pods if (sentence := _reason(pod)) is not None]


def _reason(pod: Mapping[str, Any]) -> str | None:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    ready = conditions.get("Ready", {}).get("status") == "True"
    if ready or status.get("phase") == "Succeeded" or "deletionTimestamp" in pod["metadata"]:
        return None
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"pod {name} is not scheduled: {_short(scheduled.get('message'))}"
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    parts = [part for container in containers if (part := _container(container)) is not None]
    return f"pod {name} is not ready: {'; '.join(parts) or status.get('phase', 'unknown')}"


def _container(container: Mapping[str, Any]) -> str | None:
    """What keeps one container from being ready; None where nothing does, or it waits for another one."""
    state = container.get("state") or {}
    waiting, ended = state.get("waiting"), state.get("terminated")
    if container.get("ready") or (waiting and waiting.get("reason") == "PodInitializing"):
        return None
    before = (container.get("lastState") or {}).get("terminated") or ended
    if waiting:
        text = f"{waiting.get('reason')}: {_short(waiting.get('message'))}"
    elif ended:
        text = f"ended: {ended.get('reason')}"
    else:
        text = "runs, and does not answer its probe"
    if before and before.get("exitCode"):
        text += f", last exit code {before['exitCode']}"
    return f"{container['name']} {text}"


def _short(message: str | None) -> str:
    text = " ".join((message or "no message").split())
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}…"
