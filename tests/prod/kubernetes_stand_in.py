"""A Kubernetes for tests that need none: an API in which nothing exists, and a provider that makes nothing.

The engine attaches to the provider by `PULUMI_DEBUG_PROVIDERS`. What it registers is checked and compared by the real
Kubernetes provider; only what that would do in a cluster is left out, and counts as done. So the whole program runs
without a cluster, with a state as a cluster would leave it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.json_server import JsonHandler, serving

_RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_SIZES: Final = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@dataclass(frozen=True)
class StandIn:
    """Where both answer."""

    endpoint: str
    """URL of the API."""
    provider: str
    """The value of PULUMI_DEBUG_PROVIDERS."""

    def kubeconfig(self, context: str) -> str:
        """Return a kubeconfig that leads to the API."""
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": context,
                "clusters": [{"name": context, "cluster": {"server": self.endpoint}}],
                "users": [{"name": context, "user": {"token": "made-up"}}],
                "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            }
        )


@contextmanager
def kubernetes_stand_in(program: Path) -> Iterator[StandIn]:
    """Serve until the end of the block, for the program in a folder. The Kubernetes provider's plugin must be there."""
    plugin = subprocess.Popen([_plugin()], cwd=program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert plugin.stdout is not None
        port = plugin.stdout.readline().strip()
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_SIZES)
        server = grpc.server(ThreadPoolExecutor(max_workers=32), options=_SIZES)
        real = provider_pb2_grpc.ResourceProviderStub(channel)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Provider(real), server)
        own_port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with serving(_Api) as api:
            try:
                yield StandIn(f"http://127.0.0.1:{api}", f"kubernetes:{own_port}")
            finally:
                server.stop(0)
                channel.close()
    finally:
        plugin.terminate()
        plugin.wait()


def _plugin() -> str:
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    folder = home / f"resource-kubernetes-v{metadata.version('pulumi-kubernetes')}"
    return str(folder / "pulumi-resource-kubernetes")


class _Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Asks the real provider about everything but what it would do."""

    def __init__(self, real: Any) -> None:
        for name in ("Handshake", "Attach", "GetPluginInfo", "CheckConfig", "DiffConfig", "Configure", "Check", "Diff"):
            setattr(self, name, _forwarded(getattr(real, name)))

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - names of the protocol, here and below
        made = _made(request.type, request.properties)
        named = made["metadata"]["name"] if "metadata" in made else request.urn.rpartition("::")[2]
        return provider_pb2.CreateResponse(id=str(named), properties=made)

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.UpdateResponse(properties=_made(request.type, request.news))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        # The real one would refuse the next engine.
        return empty_pb2.Empty()


def _forwarded(method: Any) -> Any:
    def forward(request: Any, context: Any) -> Any:
        try:
            return method(request)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())

    return forward


def outputs_of(kind: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of a resource as its state has them: its inputs, and what the provider adds.

    Of an object as the provider's checkpointObject writes it (pulumi-kubernetes 4.32, provider.go).
    """
    if kind == _RELEASE:
        return {**inputs, "status": {"status": "deployed", "revision": 1}}
    own = {"__initialApiVersion": inputs["apiVersion"], "__fieldManager": "pulumi-kubernetes"}
    return {**inputs, "__inputs": inputs, **own}


def _made(kind: str, inputs: Any) -> Any:
    made = struct_pb2.Struct()
    json_format.ParseDict(outputs_of(kind, json_format.MessageToDict(inputs)), made)
    return made


_DEFAULT_CLASS: Final = {"storageclass.kubernetes.io/is-default-class": "true"}
_EXISTING: Final[Mapping[str, Any]] = {
    "/api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system", "uid": "made-up"}},
    "/apis/networking.k8s.io/v1": {
        "resources": [{"kind": "IngressClass", "name": "ingressclasses", "namespaced": False}]
    },
    "/apis/networking.k8s.io/v1/ingressclasses": {"items": [{"metadata": {"name": name}} for name in ("alb", "nginx")]},
    "/apis/storage.k8s.io/v1": {"resources": [{"kind": "StorageClass", "name": "storageclasses", "namespaced": False}]},
    "/apis/storage.k8s.io/v1/storageclasses": {
        "items": [{"metadata": {"name": "gp3", "annotations": _DEFAULT_CLASS}}],
    },
}
"""What a stack asks a cluster for before it deploys: by which it knows it, and what production.md says must exist."""


class _Api(JsonHandler):
    """Has what exists in every cluster. All other lists are empty, and every other single object is missing."""

    def do_GET(self) -> None:  # noqa: N802 - a name that http.server asks for
        path = self.path.partition("?")[0]
        parts = path.strip("/").split("/")
        after = len(parts) - parts.index("namespaces") if "namespaces" in parts else 0
        found: Any = _EXISTING.get(path)
        status = 200
        if found is None and after not in (0, 1, 3):
            found = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            status = 404
        elif found is None:
            found = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}
        self.answer(status, found)
