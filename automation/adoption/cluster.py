"""The namespace of a release that is to be taken over: `prepare.Cluster` of a real cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automation.cluster_objects import ClusterObjects
from automation.kube import KubeClient


class AdoptionCluster:
    """One namespace of one cluster."""

    def __init__(self, context: str, namespace: str, *, kubeconfig_path: str | None = None) -> None:
        """Raises ClusterUnreachable where the kubeconfig has no such context."""
        self._objects = ClusterObjects(context, namespace, kubeconfig_path=kubeconfig_path)
        self._kube = KubeClient(context, namespace, kubeconfig_path=kubeconfig_path)

    def records(self, name: str) -> tuple[Mapping[str, Any], ...]:
        return self._objects.records(name)

    def secret(self, name: str) -> Mapping[str, str]:
        return self._kube.secret(name)

    def is_kept(self, manifest: Mapping[str, Any]) -> bool:
        return self._objects.is_kept(manifest)

    def refusal(self, manifest: Mapping[str, Any]) -> str:
        return self._objects.refusal(manifest)
