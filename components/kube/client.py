"""One client of a cluster's REST API, for the hooks of the release and for `automation`.

Not `kubernetes.dynamic`: before its first object it asks for the version, the API groups and the kinds of each of them
(one request for each group, some 25 on EKS), and keeps the answers in a file under /tmp. Here the kinds that the
program uses stand in a table; another kind costs one request for its API version.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

from components.kube.kinds import PLURALS
from components.kube.pod_command import CommandError, ExecResult, run_in_pod
from components.kube.rest import JSON, KubeRest

_MERGE_PATCH: Final = "application/merge-patch+json"
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_NO_RIGHT: Final = "cannot create resource"
"""What the API server says of a user's missing right; an admission plugin says something else."""


class KubeApi(KubeRest):
    """A cluster's REST API, at an explicit context. Thread-safe.

    Objects come and go as plain JSON. Every method raises KubeRequestFailed or KubeUnreachable.
    """

    @cached_property
    def _discovered(self) -> dict[str, dict[str, tuple[str, bool]]]:
        """The kinds of each API version that was asked for, with their plurals, and whether they have a namespace."""
        return {}

    def get(
        self, api_version: str, kind: str, namespace: str, name: str, *, metadata_only: bool = False
    ) -> dict[str, Any] | None:
        """Return an object, or None where there is none. With `metadata_only` the server sends no more than that."""
        path = self._path(api_version, kind, namespace, name)
        return self._request("GET", path, accept=_METADATA if metadata_only else JSON) if path else None

    def items(
        self,
        api_version: str,
        kind: str,
        namespace: str,
        *,
        labels: Mapping[str, str] | None = None,
        fields: str = "",
        metadata_only: bool = False,
    ) -> list[dict[str, Any]]:
        """Return the objects of a kind that have all these labels and match the field selector."""
        path = self._path(api_version, kind, namespace)
        selectors = {"labelSelector": ",".join(f"{key}={value}" for key, value in (labels or {}).items())}
        query = {key: value for key, value in {**selectors, "fieldSelector": fields}.items() if value}
        accept = _METADATA_LIST if metadata_only else JSON
        answer = self._request("GET", path, accept=accept, query=query) if path else None
        return list((answer or {}).get("items") or ())

    def serves(self, api_version: str) -> bool:
        """Return whether the cluster serves an API, such as `keda.sh/v1alpha1`, now."""
        status, _ = self._answer("GET", f"/apis/{api_version}")
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE):
            return False
        self._raise_for(status, f"GET /apis/{api_version}")
        return True

    def version(self) -> str:
        """Return the cluster's version, such as v1.35.0."""
        return str((self._request("GET", "/version") or {}).get("gitVersion") or "")

    def create(self, manifest: Mapping[str, Any], namespace: str) -> dict[str, Any]:
        """Create an object in a namespace, and return it as the cluster made it."""
        path = self._known_path(str(manifest["apiVersion"]), str(manifest["kind"]), namespace)
        answer = self._request("POST", path, body=manifest)
        if answer is None:
            raise self._failed(f"POST {path}", "404 Not Found")
        return answer

    def merge(self, api_version: str, kind: str, namespace: str, name: str, changes: Mapping[str, Any]) -> None:
        """Merge changes into an object (JSON Merge Patch, RFC 7386)."""
        path = self._known_path(api_version, kind, namespace, name)
        if self._request("PATCH", path, content_type=_MERGE_PATCH, body=changes) is None:
            raise self._failed(f"PATCH {path}", "404 Not Found")

    def refusal(self, manifest: Mapping[str, Any], namespace: str) -> str:
        """Return why Kubernetes would not let a manifest replace the object of its name; "" where it would.

        This is a dry run: nothing changes. It replaces instead of merging, because Helm merges three versions, and a
        merge of two would keep what Helm takes away. The manifest must hold no secret.
        """
        metadata = manifest["metadata"]
        path = self._known_path(str(manifest["apiVersion"]), str(manifest["kind"]), namespace, str(metadata["name"]))
        body = {**manifest, "metadata": {**metadata, "namespace": namespace}}
        status, answer = self._answer("PUT", path, query={"dryRun": "All", "fieldValidation": "Ignore"}, body=body)
        if status in (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT):
            return str(answer.get("message") or HTTPStatus(status).phrase)
        self._raise_for(status, f"PUT {path}")
        return ""

    def creation_refusal(self, manifest: Mapping[str, Any], namespace: str) -> str:
        """Return why Kubernetes would not admit a new object, such as a quota or a policy; "" where it would.

        This is a dry run: nothing is made. It also returns "" where this user may not make objects of the kind at all:
        others may. The manifest must hold no secret.
        """
        path = self._known_path(str(manifest["apiVersion"]), str(manifest["kind"]), namespace)
        status, answer = self._answer("POST", path, query={"dryRun": "All", "fieldValidation": "Ignore"}, body=manifest)
        message = str(answer.get("message") or "")
        if status == HTTPStatus.FORBIDDEN and _NO_RIGHT in message:
            return ""
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY):
            return message or HTTPStatus(status).phrase
        self._raise_for(status, f"POST {path}")
        return ""

    def delete(
        self,
        api_version: str,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
    ) -> None:
        """Delete an object and, in the background, what it owns. An object that does not exist is no error.

        Args:
            api_version: As in the object's manifest, like kind, namespace and name.
            uid: Delete the object only while it is this one.
            grace_seconds: Time for a pod's processes to end; None takes the pod's own.
        """
        path = self._path(api_version, kind, namespace, name)
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        if path:
            self._request("DELETE", path, body=body)

    def log(self, namespace: str, pod: str, container: str, *, lines: int) -> str:
        """Return the last lines of a container's log: of its present run, else of the last one that ended."""
        path = f"{self._known_path('v1', 'Pod', namespace, pod)}/log"
        status, text = self._text("GET", path, accept="*/*", query={"container": container, "tailLines": str(lines)})
        self._raise_for(status, f"GET {path}")
        return text

    def run(
        self, namespace: str, pod: str, container: str, command: Sequence[str], *, seconds: float, line: str = ""
    ) -> ExecResult:
        """Run a command in a container, and wait at most this long for its end.

        `line` is written to its input, which stays open: others may see the command, and the cluster's audit log does.
        """
        action = f"run a command in {pod}"
        with self._translated(action):
            try:
                # A client of its own: `stream` replaces the client's transport for as long as the call lasts.
                return run_in_pod(self._new_client(), namespace, pod, container, command, seconds=seconds, line=line)
            except CommandError as error:
                raise self._failed(action, str(error)) from None

    def connect(self, namespace: str, pod: str, port: int, *, seconds: float) -> http.client.HTTPConnection:
        """Return an HTTP connection to a port of a pod. Closing it closes the tunnel too."""
        from kubernetes import client, stream

        with self._translated(f"reach port {port} of {pod}"):
            forward: Any = stream.portforward(
                client.CoreV1Api(self._new_client()).connect_get_namespaced_pod_portforward,
                pod,
                namespace,
                ports=str(port),
            )
        connection = http.client.HTTPConnection(pod, port, timeout=seconds)
        connection.sock = forward.socket(port)
        connection.sock.settimeout(seconds)
        return connection

    def _path(self, api_version: str, kind: str, namespace: str, name: str = "") -> str:
        """Return the address of an object, or of all of its kind; "" where the cluster does not know the kind."""
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        plural, namespaced = PLURALS.get(api_version, {}).get(kind, ""), bool(namespace)
        if not plural:
            if api_version not in self._discovered:
                resources = (self._request("GET", root) or {}).get("resources") or ()
                self._discovered[api_version] = {
                    item["kind"]: (item["name"], bool(item["namespaced"]))
                    for item in resources
                    if "/" not in item["name"]  # not a sub-resource, as deployments/scale
                }
            plural, namespaced = self._discovered[api_version].get(kind, ("", False))
        place = f"/namespaces/{namespace}" if namespace and namespaced else ""
        return f"{root}{place}/{plural}" + (f"/{name}" if name else "") if plural else ""

    def _known_path(self, api_version: str, kind: str, namespace: str, name: str = "") -> str:
        path = self._path(api_version, kind, namespace, name)
        if not path:
            raise self._failed(f"address {kind} {name}".rstrip(), f"the cluster has no such kind in {api_version}")
        return path
