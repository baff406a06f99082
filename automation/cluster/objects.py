"""The stored objects of one namespace: what an interrupted update left, and Helm's records.

Only metadata is read of a Secret, except where a release is adopted: there its records and its keys are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from automation.cluster.client import cluster_errors, decoded, kubeconfig_file
from automation.results import Result
from components.kube.client import KubeApi
from components.kube.metadata import LABELS, cluster_labels
from components.release.helm_record import decode

_RESOURCE_POLICY: Final = "helm.sh/resource-policy"
OWNED_KINDS: Final = (
    ("v1", "ConfigMap"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
)
"""API version and kind of everything that the program makes itself, with its labels and a generated name."""
CLUSTER_KINDS: Final = (
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
)
"""The same of what belongs to the whole cluster; a label names the namespace of the stack."""


@dataclass(frozen=True, kw_only=True)
class Found(Result):
    """An object's metadata."""

    api_version: str
    """Its `apiVersion`."""
    kind: str
    """Its `kind`."""
    namespace: str
    """Its namespace; "" for an object of the whole cluster."""
    name: str
    """Its name."""
    uid: str
    """Its id in the cluster; a later object of the same name has another one."""
    created: str
    """When it was created, in ISO 8601."""
    deleting: bool = False
    """Whether it is being deleted."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """All its labels."""
    controlled: bool = False
    """Whether a controller made it, and deletes it: a CronJob its Jobs, for example."""

    @property
    def id(self) -> str:
        """The id that the Kubernetes provider gives it."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def is_own(self) -> bool:
        """Whether the program made it. Helm sets no such labels, but a Job has those of its pods."""
        return not self.controlled and LABELS.items() <= dict(self.labels).items()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True)
class ReleaseRecord(Result):
    """A revision in Helm's history."""

    revision: int
    """Its number, from 1."""
    status: str
    """`deployed`, `pending-install`, `failed`, `superseded`, …"""


class ClusterObjects:
    """One namespace of one cluster. Thread-safe. Every method raises ClusterRequestFailed or ClusterUnreachable."""

    @cluster_errors()
    def __init__(self, context: str, namespace: str, *, kubeconfig_path: str | None = None) -> None:
        """Read the kubeconfig. Raises ClusterUnreachable where it has no such context or cannot be used."""
        self._namespace = namespace
        self._api = KubeApi(context, kubeconfig_file(kubeconfig_path))

    @cluster_errors()
    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Found | None:
        """Return the metadata of an object; None where there is none."""
        content = self._api.get(api_version, kind, namespace, name, metadata_only=True)
        return None if content is None else _metadata(api_version, kind, content)

    @cluster_errors()
    def owned(self) -> tuple[Found, ...]:
        """Return the objects of `OWNED_KINDS` and `CLUSTER_KINDS` with the program's labels."""
        places = ((OWNED_KINDS, self._namespace, LABELS), (CLUSTER_KINDS, "", cluster_labels(self._namespace)))
        return tuple(
            _metadata(api_version, kind, item)
            for kinds, namespace, labels in places
            for api_version, kind in kinds
            for item in self._api.items(api_version, kind, namespace, labels=labels, metadata_only=True)
        )

    @cluster_errors()
    def release(self, name: str) -> ReleaseRecord | None:
        """Return the newest revision of a release."""
        secrets = self._api.items("v1", "Secret", self._namespace, labels=_of_helm(name), metadata_only=True)
        # Helm keeps version and status as labels too, and looks for them there.
        labels = [secret["metadata"].get("labels") or {} for secret in secrets]
        records = [
            ReleaseRecord(revision=int(item["version"]), status=str(item["status"]))
            for item in labels
            if {"version", "status"} <= item.keys()
        ]
        return max(records, key=lambda record: record.revision, default=None)

    @cluster_errors()
    def records(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Return the content of every revision of a release. It may hold secrets."""
        secrets = self._api.items(
            "v1", "Secret", self._namespace, labels=_of_helm(name), fields="type=helm.sh/release.v1"
        )
        return tuple(decode(secret["data"]["release"]) for secret in secrets)

    @cluster_errors()
    def secret(self, name: str) -> Mapping[str, str]:
        """Return a Secret's data, decoded; {} where there is no such Secret."""
        return decoded(self._api.get("v1", "Secret", self._namespace, name) or {})

    @cluster_errors()
    def is_kept(self, manifest: Mapping[str, Any]) -> bool:
        """Return whether the object in the cluster says that Helm must not delete it."""
        metadata = manifest["metadata"]
        content = self._api.get(
            str(manifest["apiVersion"]),
            str(manifest["kind"]),
            str(metadata.get("namespace") or self._namespace),
            str(metadata["name"]),
            metadata_only=True,
        )
        annotations = ((content or {}).get("metadata") or {}).get("annotations") or {}
        return annotations.get(_RESOURCE_POLICY) == "keep"

    @cluster_errors()
    def refusal(self, manifest: Mapping[str, Any]) -> str:
        """Return why Kubernetes would not let a manifest replace the object of its name; "" where it would.

        This is a dry run. The manifest must be of an object in the namespace, and hold no secret.
        """
        return self._api.refusal(manifest, self._namespace)

    @cluster_errors()
    def is_bound(self, claim: str) -> bool:
        """Return whether a PersistentVolumeClaim has or had a volume, and so may hold data."""
        content = self._api.get("v1", "PersistentVolumeClaim", self._namespace, claim)
        if content is None:
            return False
        return bool((content.get("spec") or {}).get("volumeName")) or content["status"]["phase"] != "Pending"

    @cluster_errors()
    def delete(self, found: Found) -> None:
        """Delete an object and what it owns, if it is still the same one. One that does not exist is no error."""
        self._api.delete(found.api_version, found.kind, found.namespace, found.name, uid=found.uid)


def _of_helm(release: str) -> dict[str, str]:
    """Return the labels of the Secrets in which Helm keeps its records of a release."""
    return {"owner": "helm", "name": release}


def _metadata(api_version: str, kind: str, content: Mapping[str, Any]) -> Found:
    metadata = content["metadata"]
    return Found(
        api_version=api_version,
        kind=kind,
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata["name"]),
        uid=str(metadata["uid"]),
        created=str(metadata["creationTimestamp"]),
        deleting=metadata.get("deletionTimestamp") is not None,
        labels=dict(metadata.get("labels") or {}),
        controlled=any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()),
    )
