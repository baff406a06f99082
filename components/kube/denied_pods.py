"""Why Kubernetes may make no pod for a workload: a quota, an admission, a missing account. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from components.kube.container_states import short
from components.kube.kinds import DEPLOYMENT
from components.kube.unready_pods import Cause, KubeEvent, Unready

_NO_POD: Final = re.compile(r'^.*?(?:Error creating: |failed error: )(?:pods "[^"]*" is )?|^pods "[^"]*" is ')
"""The beginning of a refusal of a pod. It names the pod, which is another one each time."""


def denied(kind: str, name: str, events: Sequence[KubeEvent]) -> Unready | None:
    """Return why no pod may be made for a workload, by its newest event; None if a pod was made after it."""
    maker = "ReplicaSet" if kind == DEPLOYMENT else kind
    own = [
        event
        for event in events
        if event.kind == maker and (event.name.rpartition("-")[0] if kind == DEPLOYMENT else event.name) == name
    ]
    newest = max(own, key=lambda event: event.last, default=None)
    if newest is None or newest.reason != "FailedCreate":
        return None
    return _no_pod(kind, name, newest.reason, newest.message, newest.sign)


def refused(item: Mapping[str, Any]) -> Unready | None:
    """Return why no pod may be made for a Deployment, by its condition: its event may be forgotten by now."""
    for condition in (item.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            reason = str(condition.get("reason") or "FailedCreate")
            # Without a sign: the condition does not say when the last attempt was.
            return _no_pod(DEPLOYMENT, str(item["metadata"]["name"]), reason, str(condition.get("message") or ""), "")
    return None


def _no_pod(kind: str, name: str, reason: str, message: str, sign: str) -> Unready:
    detail = short(_NO_POD.sub("", message))
    return Unready(
        reason, f"no pod can be made for {kind} {name}: {detail}", cause=Cause.DENIED, detail=detail, sign=sign
    )
