"""Helm's release records in a cluster: `helm_record.Records` on the client of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.kube.client import KubeApi
from components.release.helm_record import Revision, decode, encode


class KubernetesRecords:
    """The records of one release, which Helm keeps in Secrets."""

    def __init__(self, api: KubeApi, namespace: str, release: str) -> None:
        self._api, self._namespace, self._release = api, namespace, release

    def list(self) -> list[Revision]:
        labels = {"owner": "helm", "name": self._release}
        secrets = self._api.items("v1", "Secret", self._namespace, labels=labels, fields="type=helm.sh/release.v1")
        revisions = []
        for secret in secrets:
            content = decode(secret["data"]["release"])
            revisions.append(
                Revision(
                    secret=secret["metadata"]["name"],
                    number=int(content["version"]),
                    status=str(content["info"]["status"]),
                    values=content.get("config") or {},
                    content=content,
                )
            )
        return revisions

    def delete(self, revision: Revision) -> None:
        self._api.delete("v1", "Secret", self._namespace, revision.secret)

    def write(self, revision: Revision, content: Mapping[str, Any], status: str) -> None:
        # Helm looks for a release's status by the label, then in the content.
        changes = {"metadata": {"labels": {"status": status}}, "data": {"release": encode(content)}}
        self._api.merge("v1", "Secret", self._namespace, revision.secret, changes)
