"""What `automation` asks of a cluster, always of an explicit context."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import kubernetes.client
import kubernetes.config
import kubernetes.stream
import urllib3
from kubernetes.client.exceptions import ApiException

from automation.cluster import kubeconfig
from automation.errors import ClusterRequestFailed, ClusterUnreachable

REQUEST_SECONDS: Final = 30
REVISION: Final = "controller-revision-hash"
"""Label of a StatefulSet's pods."""


@dataclass(frozen=True, kw_only=True)
class Pod:
    """reason: why it is not ready, in a word or two of Kubernetes; "" for a ready one."""

    name: str
    labels: Mapping[str, str]
    containers: tuple[str, ...]
    ready: bool
    reason: str = ""
    ip: str = ""
    config_maps: tuple[str, ...] = ()
    """ConfigMaps that it mounts."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A Deployment or StatefulSet. current: every pod is of the newest revision, and the controller has seen it.

    revision: of a StatefulSet's newest template, as its pods' label `REVISION` has it; else "".
    ordered: a StatefulSet that waits for a pod to become ready before it replaces it, also by a better one.
    """

    kind: str
    name: str
    labels: Mapping[str, str]
    desired: int
    ready: int
    current: bool
    revision: str = ""
    ordered: bool = False


@dataclass(frozen=True)
class ExecResult:
    """exit_code: of the command. stdout, stderr: what it wrote."""

    exit_code: int
    stdout: str
    stderr: str = field(repr=False, default="")


class Kube(Protocol):
    """One namespace of one cluster. Every method raises ClusterRequestFailed or ClusterUnreachable."""

    def pods(self, labels: Mapping[str, str]) -> tuple[Pod, ...]:
        """Pods with all these labels that are not being deleted and have not ended."""

    def workloads(self, labels: Mapping[str, str]) -> tuple[Workload, ...]:
        """Deployments and StatefulSets with all these labels."""

    def run(self, pod: str, container: str, command: Sequence[str], *, seconds: float) -> ExecResult:
        """Runs a command in a container, and waits for its end."""

    def connect(self, pod: str, port: int, *, seconds: float) -> http.client.HTTPConnection:
        """An HTTP connection to a port of a pod. Closing it closes what it goes through."""

    def secret(self, name: str) -> Mapping[str, str]:
        """A Secret's data, decoded."""

    def config_map(self, name: str) -> Mapping[str, str]:
        """A ConfigMap's data."""

    def create_pod(self, manifest: Mapping[str, Any]) -> str:
        """Makes a pod; its name."""

    def delete_pod(self, name: str) -> None:
        """Deletes a pod at once. One that is not there is no error."""


class KubeClient:
    """`Kube` of a real cluster. Thread-safe."""

    def __init__(self, context: str, namespace: str, *, kubeconfig_path: str | None = None) -> None:
        """Raises ClusterUnreachable where the kubeconfig has no such context, or cannot be read."""
        self._context, self._namespace = context, namespace
        path = kubeconfig.kubeconfig_path(kubeconfig_path)
        try:
            self._configuration: Any = kubeconfig.api_client(context, path).configuration
        except kubernetes.config.ConfigException:
            # Its text may quote a user with its token.
            raise ClusterUnreachable(
                f"{path} has no usable context {context}", "name the file with KUBECONFIG, or make the cluster"
            ) from None

    def pods(self, labels: Mapping[str, str]) -> tuple[Pod, ...]:
        with self._request("list pods"):
            found = self._core().list_namespaced_pod(
                self._namespace, label_selector=_selector(labels), _request_timeout=REQUEST_SECONDS
            )
        return tuple(
            _pod(pod)
            for pod in found.items
            if pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Succeeded", "Failed")
        )

    def workloads(self, labels: Mapping[str, str]) -> tuple[Workload, ...]:
        apps, selector = kubernetes.client.AppsV1Api(self._client()), _selector(labels)
        with self._request("list workloads"):
            deployments: Any = apps.list_namespaced_deployment(
                self._namespace, label_selector=selector, _request_timeout=REQUEST_SECONDS
            )
            stateful_sets: Any = apps.list_namespaced_stateful_set(
                self._namespace, label_selector=selector, _request_timeout=REQUEST_SECONDS
            )
        found = [("Deployment", item) for item in deployments.items]
        found += [("StatefulSet", item) for item in stateful_sets.items]
        return tuple(_workload(kind, item) for kind, item in found)

    def run(self, pod: str, container: str, command: Sequence[str], *, seconds: float) -> ExecResult:
        with self._request(f"run a command in {pod}"):
            # A client of its own: `stream` puts its transport into the client for as long as the call lasts.
            client: Any = kubernetes.stream.stream(
                self._core().connect_get_namespaced_pod_exec,
                pod,
                self._namespace,
                container=container,
                command=list(command),
                stdout=True,
                stderr=True,
                stdin=False,
                tty=False,
                _preload_content=False,
            )
            try:
                client.run_forever(timeout=seconds)
                ended = not client.is_open()
                out, err, status = (client.read_channel(channel) for channel in (1, 2, 3))
            finally:
                client.close()
        if not ended:
            raise self._failed(f"run a command in {pod}", f"no end within {seconds:.0f} s")
        code = _exit_code(status)
        if code is None:
            raise self._failed(f"run a command in {pod}", _message(status))
        return ExecResult(code, out, err)

    def connect(self, pod: str, port: int, *, seconds: float) -> http.client.HTTPConnection:
        with self._request(f"reach port {port} of {pod}"):
            forward: Any = kubernetes.stream.portforward(
                self._core().connect_get_namespaced_pod_portforward, pod, self._namespace, ports=str(port)
            )
        connection = http.client.HTTPConnection(pod, port, timeout=seconds)
        connection.sock = forward.socket(port)
        connection.sock.settimeout(seconds)
        return connection

    def secret(self, name: str) -> Mapping[str, str]:
        with self._request(f"read Secret {name}"):
            found = self._core().read_namespaced_secret(name, self._namespace, _request_timeout=REQUEST_SECONDS)
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in (found.data or {}).items()}

    def config_map(self, name: str) -> Mapping[str, str]:
        with self._request(f"read ConfigMap {name}"):
            found = self._core().read_namespaced_config_map(name, self._namespace, _request_timeout=REQUEST_SECONDS)
        return dict(found.data or {})

    def create_pod(self, manifest: Mapping[str, Any]) -> str:
        with self._request("create a pod"):
            made = self._core().create_namespaced_pod(self._namespace, dict(manifest), _request_timeout=REQUEST_SECONDS)
        return str(made.metadata.name)

    def delete_pod(self, name: str) -> None:
        with self._request(f"delete pod {name}"):
            try:
                self._core().delete_namespaced_pod(
                    name, self._namespace, grace_period_seconds=0, _request_timeout=REQUEST_SECONDS
                )
            except ApiException as error:
                if error.status != 404:
                    raise

    def _client(self) -> Any:
        return kubernetes.client.ApiClient(configuration=self._configuration)

    def _core(self) -> Any:
        return kubernetes.client.CoreV1Api(self._client())

    @contextmanager
    def _request(self, action: str) -> Iterator[None]:
        """Turns what the client raises into our errors, without the request's headers and bodies."""
        try:
            yield
        except ApiException as error:
            if error.status:
                raise self._failed(action, f"{error.status} {error.reason}") from None
            # A handshake that failed: the reason has the status in its first words, then all headers.
            raise self._failed(action, str(error.reason).partition(" -+-+- ")[0]) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterUnreachable(
                f"the cluster of context {self._context} does not answer ({type(error).__name__})",
                f"kubectl --context {self._context} get nodes",
            ) from None

    def _failed(self, action: str, reason: str) -> ClusterRequestFailed:
        return ClusterRequestFailed(
            f"cannot {action}: {reason}", f"kubectl --context {self._context} --namespace {self._namespace} get pods"
        )


def cluster_identity(context: str, *, kubeconfig_path: str | None = None, seconds: float = 5) -> str:
    """The uid of the namespace kube-system: every cluster has its own, for as long as it lives.

    Raises ClusterUnreachable where there is no such context, no answer in time, or no kubeconfig that can be read.
    """
    path = kubeconfig.kubeconfig_path(kubeconfig_path)
    remedy = f"kubectl --context {context} get nodes"
    try:
        configuration = kubeconfig.api_client(context, path).configuration
        configuration.retries = 0  # the client's own would make four of every time limit
        core = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(configuration=configuration))
        found: Any = core.read_namespace("kube-system", _request_timeout=seconds)
    except kubernetes.config.ConfigException:
        raise ClusterUnreachable(f"{path} has no usable context {context}", remedy) from None
    except ApiException as error:
        raise ClusterUnreachable(f"context {context}: {error.status} {error.reason}", remedy) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ClusterUnreachable(
            f"the cluster of context {context} does not answer ({type(error).__name__})", remedy
        ) from None
    return str(found.metadata.uid)


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _pod(pod: Any) -> Pod:
    conditions = {condition.type: condition for condition in pod.status.conditions or ()}
    ready = "Ready" in conditions and conditions["Ready"].status == "True"
    return Pod(
        name=pod.metadata.name,
        labels=dict(pod.metadata.labels or {}),
        containers=tuple(container.name for container in pod.spec.containers),
        ready=ready,
        reason="" if ready else _pod_reason(pod, conditions),
        ip=pod.status.pod_ip or "",
        config_maps=tuple(
            volume.config_map.name for volume in pod.spec.volumes or () if volume.config_map and volume.config_map.name
        ),
    )


def _pod_reason(pod: Any, conditions: Mapping[str, Any]) -> str:
    """What a waiting or ended container says first, else why the pod is not scheduled, else its phase."""
    for status in [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]:
        if status.state and status.state.waiting and status.state.waiting.reason not in (None, "PodInitializing"):
            return f"{status.name}: {status.state.waiting.reason}"
        if status.state and status.state.terminated and status.state.terminated.exit_code:
            return f"{status.name}: exit code {status.state.terminated.exit_code}"
    scheduled = conditions.get("PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return str(scheduled.reason or "Unschedulable")
    unready = [status.name for status in pod.status.container_statuses or () if not status.ready]
    return f"{', '.join(unready)}: not ready" if unready else str(pod.status.phase)


def _workload(kind: str, item: Any) -> Workload:
    status, desired = item.status, item.spec.replicas if item.spec.replicas is not None else 1
    seen = (status.observed_generation or 0) >= (item.metadata.generation or 0)
    updated, stateful = status.updated_replicas or 0, kind == "StatefulSet"
    if stateful and status.current_revision == status.update_revision:
        updated = status.replicas or 0  # after a roll its controller may leave updated_replicas out
    return Workload(
        kind=kind,
        name=item.metadata.name,
        labels=dict(item.metadata.labels or {}),
        desired=desired,
        ready=status.ready_replicas or 0,
        current=seen and updated >= desired and (status.replicas or 0) == desired,
        revision=(status.update_revision or "") if stateful else "",
        ordered=stateful and item.spec.pod_management_policy == "OrderedReady",
    )


def _exit_code(status: str) -> int | None:
    """Of the status object that ends an exec; None where the command was not run."""
    try:
        content = json.loads(status)
        if content["status"] == "Success":
            return 0
        if content["reason"] == "NonZeroExitCode":
            return int(content["details"]["causes"][0]["message"])
    except (ValueError, KeyError, IndexError, TypeError):
        pass
    return None


def _message(status: str) -> str:
    try:
        return str(json.loads(status)["message"])
    except (ValueError, KeyError, TypeError):
        return "the connection ended before the command did"
