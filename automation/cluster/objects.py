"""Objects of a stack's namespace as the cluster has them: what of an interrupted update is there, and Helm's records.

Of a Secret nothing is read but its metadata, except where a release is taken over: its records, and its keys.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol

import kubernetes.client
import kubernetes.config
import urllib3
from kubernetes.client.exceptions import ApiException

from automation.cluster import kubeconfig
from automation.cluster.client import REQUEST_SECONDS
from automation.errors import ClusterRequestFailed, ClusterUnreachable
from automation.results import Result
from components.kube.metadata import LABELS
from components.release.helm_record import decode

_JSON: Final = "application/json"
_RESOURCE_POLICY: Final = "helm.sh/resource-policy"
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
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
"""What the program makes itself with its labels and a generated name, in Kubernetes' own API groups."""


@dataclass(frozen=True, kw_only=True)
class Found(Result):
    """An object's metadata. created: ISO 8601. deleting: it is on its way out. labels: its own."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    created: str
    deleting: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """As the Kubernetes provider forms it."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def is_own(self) -> bool:
        """It carries the labels of what the program makes; neither Helm nor a controller sets them."""
        return LABELS.items() <= dict(self.labels).items()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True)
class ReleaseRecord(Result):
    """A revision in Helm's history. status: `deployed`, `pending-install`, `failed`, `superseded`, …"""

    revision: int
    status: str


@dataclass(frozen=True, kw_only=True)
class FailedJob(Result):
    """A Job that gave up. reason: why, in a word of Kubernetes."""

    name: str
    reason: str


class Objects(Protocol):
    """The namespace of a stack. Every method raises ClusterRequestFailed or ClusterUnreachable."""

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Found | None:
        """One object, None where it is not there."""

    def owned(self) -> tuple[Found, ...]:
        """Objects with the program's labels, of `OWNED_KINDS`."""

    def release(self, name: str) -> ReleaseRecord | None:
        """The newest revision of a release."""

    def failed_jobs(self) -> tuple[FailedJob, ...]:
        """Jobs that will not be tried again."""

    def is_bound(self, claim: str) -> bool:
        """A volume was, or is, behind a PersistentVolumeClaim: it may hold data."""

    def delete(self, found: Found) -> None:
        """Deletes an object with what it owns, if it is still the same one. One that is not there is no error."""

    def replica_failure(self, kind: str, name: str) -> str:
        """Why a Deployment or StatefulSet cannot make a pod, in Kubernetes' own words; "" where it says nothing."""


class ClusterObjects:
    """`Objects` of a real cluster. Thread-safe."""

    def __init__(self, context: str, namespace: str, *, kubeconfig_path: str | None = None) -> None:
        """Raises ClusterUnreachable where the kubeconfig has no such context."""
        self._context, self._namespace = context, namespace
        path = kubeconfig.kubeconfig_path(kubeconfig_path)
        try:
            self._configuration: Any = kubeconfig.api_client(context, path).configuration
        except kubernetes.config.ConfigException as error:
            raise ClusterUnreachable(
                f"{path} has no usable context {context}", "name the file with KUBECONFIG, or make the cluster"
            ) from error

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Found | None:
        answer = self._request("GET", object_path(api_version, kind, namespace, name), accept=_METADATA)
        return None if answer is None else _found(api_version, kind, answer["metadata"])

    def owned(self) -> tuple[Found, ...]:
        found: list[Found] = []
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in sorted(LABELS.items()))}
        for api_version, kind in OWNED_KINDS:
            path = object_path(api_version, kind, self._namespace)
            answer = self._request("GET", path, accept=_METADATA_LIST, query=query)
            items = (answer or {}).get("items") or ()
            found += [_found(api_version, kind, item["metadata"]) for item in items]
        return tuple(found)

    def release(self, name: str) -> ReleaseRecord | None:
        path = object_path("v1", "Secret", self._namespace)
        query = {"labelSelector": f"owner=helm,name={name}"}
        answer = self._request("GET", path, accept=_METADATA_LIST, query=query)
        # Helm keeps version and status as labels too, and looks for them there.
        labels = [item["metadata"].get("labels") or {} for item in (answer or {}).get("items") or ()]
        records = [
            ReleaseRecord(revision=int(found["version"]), status=str(found["status"]))
            for found in labels
            if {"version", "status"} <= found.keys()
        ]
        return max(records, key=lambda record: record.revision, default=None)

    def records(self, name: str) -> tuple[dict[str, Any], ...]:
        """The content of every revision of a release. It may hold secrets."""
        path = object_path("v1", "Secret", self._namespace)
        query = {"labelSelector": f"owner=helm,name={name}", "fieldSelector": "type=helm.sh/release.v1"}
        answer = self._request("GET", path, query=query)
        return tuple(decode(item["data"]["release"]) for item in (answer or {}).get("items") or ())

    def secret(self, name: str) -> Mapping[str, str]:
        """A Secret's data, decoded; {} where there is none."""
        answer = self._request("GET", object_path("v1", "Secret", self._namespace, name)) or {}
        return {
            key: base64.b64decode(value).decode(errors="replace") for key, value in (answer.get("data") or {}).items()
        }

    def is_kept(self, manifest: Mapping[str, Any]) -> bool:
        """An object in the cluster says that Helm must not delete it."""
        metadata = manifest["metadata"]
        namespace = str(metadata.get("namespace") or self._namespace)
        path = object_path(str(manifest["apiVersion"]), str(manifest["kind"]), namespace, str(metadata["name"]))
        answer = self._request("GET", path, accept=_METADATA) or {}
        return ((answer.get("metadata") or {}).get("annotations") or {}).get(_RESOURCE_POLICY) == "keep"

    def refusal(self, manifest: Mapping[str, Any]) -> str:
        """Why Kubernetes would not let an object become as a manifest says, in its own words; "" where it would.

        A dry run: nothing is changed. The object is put in place of the old one, not merged into it: what Helm merges
        is three versions, and a merge of two would leave what Helm takes away. manifest: of an object in the namespace,
        with nothing secret in it.
        """
        metadata = manifest["metadata"]
        path = object_path(str(manifest["apiVersion"]), str(manifest["kind"]), self._namespace, str(metadata["name"]))
        query = {"dryRun": "All", "fieldValidation": "Ignore"}
        body = {**manifest, "metadata": {**metadata, "namespace": self._namespace}}
        status, answer = self._answer("PUT", path, query=query, body=body)
        if status in (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT):
            return str(answer.get("message") or HTTPStatus(status).phrase)
        self._raise_for(status, "PUT", path)
        return ""

    def failed_jobs(self) -> tuple[FailedJob, ...]:
        answer = self._request("GET", object_path("batch/v1", "Job", self._namespace)) or {}
        failed = []
        for item in answer.get("items") or ():
            for condition in (item.get("status") or {}).get("conditions") or ():
                if condition.get("type") == "Failed" and condition.get("status") == "True":
                    failed.append(FailedJob(name=item["metadata"]["name"], reason=str(condition.get("reason") or "")))
        return tuple(sorted(failed, key=lambda job: job.name))

    def replica_failure(self, kind: str, name: str) -> str:
        answer = self._request("GET", object_path("apps/v1", kind, self._namespace, name)) or {}
        for condition in (answer.get("status") or {}).get("conditions") or ():
            if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
                return " ".join(str(condition.get("message") or condition.get("reason") or "").split())
        return ""

    def is_bound(self, claim: str) -> bool:
        answer = self._request("GET", object_path("v1", "PersistentVolumeClaim", self._namespace, claim))
        return bool(answer and ((answer.get("spec") or {}).get("volumeName") or answer["status"]["phase"] != "Pending"))

    def delete(self, found: Found) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": found.uid},
        }
        path = object_path(found.api_version, found.kind, found.namespace, found.name)
        self._request("DELETE", path, body=body)

    def _request(
        self,
        method: str,
        path: str,
        *,
        accept: str = _JSON,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """The JSON of an answer; None where there is no such object. Errors carry no header and no body."""
        status, answer = self._answer(method, path, accept=accept, query=query, body=body)
        if status == HTTPStatus.NOT_FOUND:
            return None
        self._raise_for(status, method, path)
        return answer

    def _answer(
        self,
        method: str,
        path: str,
        *,
        accept: str = _JSON,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer, whatever it is."""
        client: Any = kubernetes.client.ApiClient(configuration=self._configuration)
        request = client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": accept, "Content-Type": _JSON},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = client.call_api(*request, _request_timeout=REQUEST_SECONDS)
            text = answer.read()
        except ApiException as error:
            raise self._failed(method, path, f"{error.status} {error.reason}") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterUnreachable(
                f"the cluster of context {self._context} does not answer ({type(error).__name__})",
                f"kubectl --context {self._context} get nodes",
            ) from None
        try:
            found = json.loads(text)
        except ValueError:
            found = None  # what stands between may answer with a page of its own
        return int(answer.status), found if isinstance(found, dict) else {}

    def _raise_for(self, status: int, method: str, path: str) -> None:
        if status >= HTTPStatus.BAD_REQUEST:
            phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else ""
            raise self._failed(method, path, f"{status} {phrase}".strip())

    def _failed(self, method: str, path: str, reason: str) -> ClusterRequestFailed:
        remedy = f"kubectl --context {self._context} --namespace {self._namespace} auth can-i --list"
        return ClusterRequestFailed(f"cannot {method} {path}: {reason}", remedy)


def object_path(api_version: str, kind: str, namespace: str, name: str = "") -> str:
    """The address of an object, or of all of its kind. The plural is guessed as Kubernetes does for built-in kinds."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    lower = kind.lower()
    plural = f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}es" if lower.endswith("s") else f"{lower}s"
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{place}/{plural}" + (f"/{name}" if name else "")


def _found(api_version: str, kind: str, metadata: Mapping[str, Any]) -> Found:
    return Found(
        api_version=api_version,
        kind=kind,
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata["name"]),
        uid=str(metadata["uid"]),
        created=str(metadata["creationTimestamp"]),
        deleting=metadata.get("deletionTimestamp") is not None,
        labels=dict(metadata.get("labels") or {}),
    )
