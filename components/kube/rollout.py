"""How far Kubernetes is with the pods of a Deployment or StatefulSet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.kube.kinds import STATEFUL_SET


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """How far a Deployment or StatefulSet is."""

    wanted: int
    """Number of pods that it should have."""
    replicas: int
    """Number of pods that it has."""
    ready: int
    """Number of these that are ready."""
    updated: int
    """Number of these that are made from the newest template."""
    seen: bool
    """Whether its controller has seen the newest template."""

    @property
    def current(self) -> bool:
        """Its controller has seen the newest template, and every pod is made from it."""
        return self.seen and self.updated >= self.wanted and self.replicas == self.wanted

    @staticmethod
    def of(kind: str, item: Mapping[str, Any]) -> Rollout:
        """Read it from an object of the Kubernetes API."""
        spec, status = item["spec"], item.get("status") or {}
        replicas, updated = int(status.get("replicas") or 0), int(status.get("updatedReplicas") or 0)
        if kind == STATEFUL_SET and status.get("currentRevision") == status.get("updateRevision"):
            updated = replicas  # after a roll the controller may leave updatedReplicas out
        return Rollout(
            wanted=1 if spec.get("replicas") is None else int(spec["replicas"]),
            replicas=replicas,
            ready=int(status.get("readyReplicas") or 0),
            updated=updated,
            seen=int(status.get("observedGeneration") or 0) >= int(item["metadata"].get("generation") or 0),
        )
