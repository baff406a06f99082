"""Security contexts that pass the Pod Security Standard `restricted` (kubernetes.io/docs/concepts/security)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

AIRFLOW_UID: Final = 50000
"""User of the official Airflow image."""
GIT_SYNC_UID: Final = 65533
REDIS_UID: Final = 999
NOBODY_UID: Final = 65534
POSTGRES_UID: Final = 999
IDS: Final = ("runAsUser", "runAsGroup", "fsGroup")
"""Fields that name a user or a group."""

CONTAINER: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}

READ_ONLY: Final[dict[str, Any]] = {"securityContexts": {"container": {"readOnlyRootFilesystem": True}}}
"""Values of a component whose container writes only to its volumes. Airflow's own containers write wherever a provider,
a plugin or a task does."""


def pod_security_context(uid: int, *, gid: int | None = None, fs_group: int | None = None) -> dict[str, Any]:
    """Return a pod's `securityContext`: its user, and optionally its primary group and the group of its volumes."""
    context: dict[str, Any] = {"runAsNonRoot": True, "runAsUser": uid, "seccompProfile": {"type": "RuntimeDefault"}}
    if gid is not None:
        context["runAsGroup"] = gid
    if fs_group is not None:
        context["fsGroup"] = fs_group
    return context


def followed(context: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod's context with what a team says of all pods on top. Null takes a field away.

    OpenShift gives each namespace users and groups of its own, and refuses a pod that names others.
    """
    return {field: value for field, value in {**context, **said}.items() if value is not None}


def without_ids(context: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return a context without the users and groups that a team takes away from all pods, and with its own others."""
    return followed(context, {field: None for field in IDS if field in said and said[field] is None})
