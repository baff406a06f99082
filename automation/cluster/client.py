"""The pods and workloads of one namespace, as verification and `status` look at them."""

from __future__ import annotations

import base64
import http.client
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from automation.cluster import local_clusters
from automation.cluster.pods import (
    Pod,
    SecretUse,
    Workload,
    may_run,
    pod_of,
    pull_uses,
    secret_uses,
    volume_uses,
    workload_of,
)
from automation.errors import ClusterRequestFailed, ClusterUnreachable
from components.kube import kubeconfig
from components.kube.client import KubeApi
from components.kube.kubeconfig import KubeUnreachable
from components.kube.look import Look, look
from components.kube.pod_command import ExecResult
from components.kube.rest import KubeRequestFailed
from components.secrets.masker import Masker

_KUBECONFIG: Final = "~/.kube/config"


def kubeconfig_file(given: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """Return the given path, else `KUBECONFIG` (which may list several files), else `~/.kube/config`."""
    paths = given or environ.get("KUBECONFIG") or _KUBECONFIG
    return os.pathsep.join(os.path.expanduser(path) for path in paths.split(os.pathsep))


@contextmanager
def cluster_errors() -> Iterator[None]:
    """Turn the errors of `components.kube` into those of `automation`."""
    try:
        yield
    except KubeUnreachable as error:
        raise ClusterUnreachable(error.what, error.remedy) from None
    except KubeRequestFailed as error:
        raise ClusterRequestFailed(error.what, error.remedy) from None


class KubeClient:
    """One namespace of one cluster. Thread-safe. Every method raises ClusterRequestFailed or ClusterUnreachable."""

    @cluster_errors()
    def __init__(
        self,
        context: str,
        namespace: str,
        *,
        kubeconfig_path: str | None = None,
        clean: Callable[[str], str] | None = None,
    ) -> None:
        """Read the kubeconfig. Raises ClusterUnreachable where it has no such context or cannot be used.

        Args:
            context: Name of the context.
            namespace: The namespace.
            kubeconfig_path: Path of the kubeconfig, None for the one that kubectl uses.
            clean: Masks secrets in what logs and messages say. None masks what looks like one.
        """
        self._namespace, self._clean = namespace, clean or Masker().text
        self._api = KubeApi(context, kubeconfig_file(kubeconfig_path))

    @cluster_errors()
    def pods(self, labels: Mapping[str, str]) -> tuple[Pod, ...]:
        """Return the pods with all these labels that have not ended and are not being deleted."""
        pods = self._api.items("v1", "Pod", self._namespace, labels=labels)
        return tuple(pod_of(pod) for pod in pods if not pod["metadata"].get("deletionTimestamp") and may_run(pod))

    def ready_pod(self, labels: Mapping[str, str], missing: str) -> Pod:
        """Return a ready pod with all these labels. missing: what ClusterRequestFailed says without one."""
        ready = [pod for pod in self.pods(labels) if pod.ready]
        if not ready:
            raise ClusterRequestFailed(missing, "python -m automation status STACK")
        return min(ready, key=lambda pod: pod.name)

    @cluster_errors()
    def workloads(self, labels: Mapping[str, str]) -> tuple[Workload, ...]:
        """Return the Deployments and StatefulSets with all these labels."""
        return tuple(
            workload_of(kind, item)
            for kind in ("Deployment", "StatefulSet")
            for item in self._api.items("apps/v1", kind, self._namespace, labels=labels)
        )

    @cluster_errors()
    def look(self) -> Look:
        """Return all workloads, Jobs and volumes, each with the reason of its worst pod."""
        return look(self._api, self._namespace, self._clean)

    @cluster_errors()
    def version(self) -> str:
        """Return the version of Kubernetes, such as v1.35.0; "" if the cluster does not tell."""
        return self._api.version()

    @cluster_errors()
    def secret_uses(self, variable: str, containers: Sequence[str]) -> tuple[SecretUse, ...]:
        """Return which Secrets give a variable to containers of pods that have not ended, or are being deleted."""
        return tuple(secret_uses(self._api.items("v1", "Pod", self._namespace), variable, containers))

    @cluster_errors()
    def secret_volumes(self, volume: str) -> tuple[SecretUse, ...]:
        """Return which Secrets are the volume of a name in the pods that have not ended, or are being deleted."""
        return tuple(volume_uses(self._api.items("v1", "Pod", self._namespace), volume))

    @cluster_errors()
    def pull_secrets(self, beginning: str) -> tuple[SecretUse, ...]:
        """Return with which Secrets pods that have not ended pull images, if the Secrets' names begin with a text."""
        return tuple(pull_uses(self._api.items("v1", "Pod", self._namespace), beginning))

    @cluster_errors()
    def config_map_volumes(self, volume: str) -> tuple[SecretUse, ...]:
        """Return which ConfigMaps are the volume of a name in such pods."""
        return tuple(volume_uses(self._api.items("v1", "Pod", self._namespace), volume, ("configMap", "name")))

    @cluster_errors()
    def run(self, pod: str, container: str, command: Sequence[str], *, seconds: float, line: str = "") -> ExecResult:
        """Run a command in a container with a line as its input, and wait for its end."""
        return self._api.run(self._namespace, pod, container, command, seconds=seconds, line=line)

    @cluster_errors()
    def connect(self, pod: str, port: int, *, seconds: float) -> http.client.HTTPConnection:
        """Return an HTTP connection to a port of a pod. Closing it closes the tunnel too."""
        return self._api.connect(self._namespace, pod, port, seconds=seconds)

    def secret(self, name: str) -> Mapping[str, str]:
        """Return a Secret's data, decoded."""
        return decoded(self._read("Secret", name))

    def config_map(self, name: str) -> Mapping[str, str]:
        """Return a ConfigMap's data."""
        return dict(self._read("ConfigMap", name).get("data") or {})

    @cluster_errors()
    def create_pod(self, manifest: Mapping[str, Any]) -> str:
        """Create a pod, and return its name."""
        return str(self._api.create(manifest, self._namespace)["metadata"]["name"])

    @cluster_errors()
    def delete_pod(self, name: str) -> None:
        """Delete a pod at once. A pod that does not exist is no error."""
        self._api.delete("v1", "Pod", self._namespace, name, grace_seconds=0)

    @cluster_errors()
    def _read(self, kind: str, name: str) -> Mapping[str, Any]:
        content = self._api.get("v1", kind, self._namespace, name)
        if content is None:
            raise ClusterRequestFailed(
                f"cannot read {kind} {name}: there is none in namespace {self._namespace}",
                f"kubectl --namespace {self._namespace} get {kind.lower()}s",
            )
        return content


def cluster_identity(context: str, *, kubeconfig_path: str | None = None, seconds: float = 5) -> str:
    """Return the uid of the namespace kube-system: every cluster has its own for as long as it lives.

    Raises:
        ClusterUnreachable: There is no such context or no usable kubeconfig, or no answer in time.
    """
    remedy, path = f"kubectl --context {shlex.quote(context)} get nodes", kubeconfig_file(kubeconfig_path)
    try:
        # No retries: they would multiply the time limit by four.
        api = KubeApi(context, path, seconds=seconds, retries=0)
        namespace = api.get("v1", "Namespace", "", "kube-system")
    except KubeUnreachable as error:
        raise ClusterUnreachable(error.what, _how_to_start(context, path) or error.remedy) from None
    except KubeRequestFailed as error:
        raise ClusterUnreachable(f"context {context}: {error.reason}", remedy) from None
    if namespace is None:
        raise ClusterUnreachable(f"context {context}: 404 Not Found", remedy)
    return str(namespace["metadata"]["uid"])


def _how_to_start(context: str, path: str) -> str:
    """Return what makes a local cluster answer; "" where that is not known, or the kubeconfig itself is wrong."""
    try:
        if kubeconfig.is_content(path):
            return ""
        kubeconfig.require_readable(path)
    except KubeUnreachable:
        return ""
    return local_clusters.how_to_start(context, kubeconfig.contexts(path))


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """Return the data of a Secret, decoded."""
    data = secret.get("data") or {}
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
