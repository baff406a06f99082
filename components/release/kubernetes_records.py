"""Helm's release records in a cluster: `helm_record.Records` on the official Kubernetes client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.release.helm_record import Revision, decode, encode


class KubernetesRecords:
    """The records of one release. api: client of the core API group."""

    def __init__(self, api: Any, namespace: str, release: str) -> None:
        self._api, self._namespace, self._release = api, namespace, release

    def list(self) -> list[Revision]:
        found = self._api.list_namespaced_secret(
            self._namespace, label_selector=f"owner=helm,name={self._release}", field_selector="type=helm.sh/release.v1"
        )
        revisions = []
        for secret in found.items:
            content = decode(secret.data["release"])
            revisions.append(
                Revision(
                    secret=secret.metadata.name,
                    number=int(content["version"]),
                    status=str(content["info"]["status"]),
                    values=content.get("config") or {},
                    content=content,
                )
            )
        return revisions

    def delete(self, revision: Revision) -> None:
        self._api.delete_namespaced_secret(revision.secret, self._namespace)

    def write(self, revision: Revision, content: Mapping[str, Any], status: str) -> None:
        # Helm looks for a release's status by the label, then in the content.
        patch = {"metadata": {"labels": {"status": status}}, "data": {"release": encode(content)}}
        self._api.patch_namespaced_secret(revision.secret, self._namespace, patch)
