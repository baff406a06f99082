"""A team's own values for the pods of Jobs: placement, resources, labels, variables and volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

RESOURCES: Final[Mapping[str, Any]] = {
    "requests": {"cpu": "100m", "memory": "512Mi"},
    "limits": {"memory": "2Gi"},
}
"""Enough for Airflow's command line."""


@dataclass(frozen=True, kw_only=True)
class JobPod:
    """Additions to the pod of a Job. The program's own labels, variables and volumes win."""

    placement: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the pod's spec that decide on its node, such as `tolerations` and `priorityClassName`."""
    resources: Mapping[str, Any] = field(default_factory=lambda: RESOURCES)
    """Resources of the container."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Further labels of the pod."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Annotations of the pod."""
    env: Sequence[Mapping[str, Any]] = ()
    """Variables of the container."""
    volumes: Sequence[Mapping[str, Any]] = ()
    """Volumes of the pod."""
    volume_mounts: Sequence[Mapping[str, Any]] = ()
    """Mounts of these volumes in the container."""
    security: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the pod's security context; null takes the program's away."""
