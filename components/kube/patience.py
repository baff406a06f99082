"""The rule that ends a wait before its time-out: it ends if a pod cannot become ready (ADR 25).

Each reason must hold for some seconds without a pause, because it may pass by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from components.kube.kinds import JOB
from components.kube.look import Look
from components.kube.refusals import git_refused, image_refused
from components.kube.unready_pods import Cause, Unready
from components.kube.workload_states import WorkloadState

CERTAIN_SECONDS: Final = 10.0
"""How long a wait goes on when only somebody's change can help. An object that is made at the same moment may come
within this time."""
FETCH_SECONDS: Final = 20.0
"""How long it goes on after a Git host has refused one fetch of one pod. A second refusal in a row ends it at once."""
QUOTA_SECONDS: Final = 30.0
"""How long it goes on when a quota is used up: a pod that ends, or a Job, gives back what it used."""
NO_NODE_SECONDS: Final = 60.0
"""How long it goes on when no node takes a pod, and nothing says that room is made for it."""
PULL_SECONDS: Final = 180.0
"""How long it goes on when an image cannot be pulled for a reason that may pass, such as a silent registry."""
OLD_SECONDS: Final = 300.0
"""How long it goes on at least when the reason is older than the update. Kubernetes pauses as long between attempts."""
CRASHES: Final = 5
"""Crashes of one container that end the wait."""
_FETCHES: Final = 2

_NO_SECRET: Final = re.compile(
    r'(?:secret|configmap) "[^"]*" not found|references non-existent (?:secret|config) key', re.I
)
_NO_CLASS: Final = re.compile(r'storageclass[^"]*"[^"]*" not found', re.IGNORECASE)
_PASSING_TAINT: Final = re.compile(r"node\.kubernetes\.io/|unbound immediate PersistentVolumeClaims")
_UNANSWERED: Final = re.compile(
    r"failed calling webhook|connection refused|context deadline exceeded|serviceaccount .* not found"
)


def patience(unready: Unready, look: Look) -> float | None:
    """Return for how many seconds a reason may last; None for one that may pass by itself."""
    text = f"{unready.reason} {unready.sentence} {unready.detail}"
    match unready.cause:
        case Cause.IMAGE:
            return CERTAIN_SECONDS if image_refused(text) else PULL_SECONDS
        case Cause.CONFIG:
            return CERTAIN_SECONDS if "CreateContainerConfigError" in unready.reason else PULL_SECONDS
        case Cause.VOLUME:
            return CERTAIN_SECONDS if _NO_SECRET.search(text) or _NO_CLASS.search(text) else None
        case Cause.INIT:
            if not git_refused(unready.detail):
                return None
            if unready.tries >= _FETCHES:
                return 0.0
            same = [item for item in look.workloads if item.unready and item.unready.detail == unready.detail]
            return CERTAIN_SECONDS if len(same) >= _FETCHES else FETCH_SECONDS
        case Cause.CRASH:
            return 0.0 if unready.tries >= CRASHES else None
        case Cause.SCHEDULING:
            passing = look.ending or look.node_comes or _PASSING_TAINT.search(text)
            return None if passing else NO_NODE_SECONDS
        case Cause.DENIED:
            if _UNANSWERED.search(text):
                return None
            if "exceeded quota" not in text:
                return CERTAIN_SECONDS
            job_runs = any(item.kind == JOB and not item.well and not item.failed for item in look.workloads)
            own = unready.sentence.startswith(f"no pod can be made for {JOB} ")
            return None if look.ending or (job_runs and not own) else QUOTA_SECONDS
    return None


class Patience:
    """Decides when a wait is hopeless. It gets every look, and remembers since when each reason holds."""

    def __init__(self, before: Look) -> None:
        """Begin to wait.

        Args:
            before: The look before anything was changed. What it saw belongs to an earlier update, and may be on its
                way out.
        """
        self._old = before.signs
        self._since: dict[tuple[str, ...], float] = {}

    def hopeless(self, look: Look, waited_for: Iterable[WorkloadState], now: float) -> tuple[WorkloadState, ...]:
        """Return the workloads that cannot become ready.

        Args:
            look: What was seen now.
            waited_for: Those of its workloads that the update waits for.
            now: The time, in seconds of any clock.
        """
        since, lost = dict[tuple[str, ...], float](), list[WorkloadState]()
        for state in waited_for:
            found = state.unready
            if state.well or found is None or (limit := patience(found, look)) is None:
                continue
            key = (state.kind, state.name, found.cause, found.container)
            since[key] = self._since.get(key, now)
            old = not found.sign or found.sign in self._old
            if now - since[key] >= (max(limit, OLD_SECONDS) if old else limit):
                lost.append(state)
        self._since = since
        return tuple(lost)
