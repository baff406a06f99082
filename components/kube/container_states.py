"""Reads the state of one container of a pod."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_MESSAGE_LENGTH: Final = 300
_CREATING: Final = frozenset({"ContainerCreating", "PodInitializing"})
_BACK_OFF: Final = re.compile(r"back-off \S+ restarting failed container=.*", re.DOTALL)
"""What the kubelet says of a container that crashes again and again, beside its exit code."""
RUN_STEPS: Final = re.compile(
    r"failed to create containerd task: |failed to create shim task: |OCI runtime create failed: "
    r"|runc create failed: |unable to start container process: |error during container init: "
    r'|Failed to create pod sandbox: |rpc error: code = \w+ desc = |failed to setup network for sandbox "[^"]*": '
)
"""What containerd and the kubelet put before the reason that a container or its sandbox cannot be started."""
_NO_NEWS: Final = frozenset({"Error", "Completed"})
"""Reasons of an end that say no more than the exit code."""


def trouble(container: Mapping[str, Any]) -> str:
    """Return what Kubernetes calls the container's trouble; "" where it names none."""
    waiting, ended = states(container)
    if waiting.get("reason") not in (None, *_CREATING):
        return str(waiting["reason"])
    return exit_code(ended) if ended.get("exitCode") else ""


def exit_code(ended: Mapping[str, Any]) -> str:
    """Return how a container ended: `exit code 137 (OOMKilled)`."""
    reason = str(ended.get("reason") or "")
    return f"exit code {ended['exitCode']}" + (f" ({reason})" if reason and reason not in _NO_NEWS else "")


def lacks(container: Mapping[str, Any], running: str) -> str:
    """Return what keeps a container from being ready; "" where nothing does, or it waits for another one.

    Args:
        container: Its status.
        running: What to say of one that runs.
    """
    waiting, ended = states(container)
    if container.get("ready") or waiting.get("reason") == "PodInitializing" or ended.get("exitCode") == 0:
        return ""
    if waiting:
        message = RUN_STEPS.sub("", _BACK_OFF.sub("", str(waiting.get("message") or "")))
        text = f"{waiting.get('reason')}: {short(message)}" if message.strip() else str(waiting.get("reason"))
    else:
        text = "ended" if ended else running
    before = (container.get("lastState") or {}).get("terminated") or ended
    crashed = before.get("exitCode") or (waiting and "exitCode" in before)
    return f"{text}, last {exit_code(before)}" if crashed else text


def states(container: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the container's states `waiting` and `terminated`, empty where it is in neither."""
    state = container.get("state") or {}
    return state.get("waiting") or {}, state.get("terminated") or {}


def short(message: str | None) -> str:
    """Return a message on one line, cut off if it is long."""
    text = " ".join((message or "no message").split())
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}…"
