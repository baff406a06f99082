"""The UI on an existing Gateway of the Gateway API, in place of an Ingress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.chart_values.ingress import Ingress
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata

TYPE: Final = "airflow:index:GatewayRoute"
API_VERSION: Final = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True, kw_only=True)
class GatewayRouteArgs:
    """Arguments of `GatewayRoute`."""

    namespace: pulumi.Input[str]
    """Namespace of the route and of the API server's Service."""
    ingress: Ingress
    """Host, path and Gateway of the UI."""
    service: str
    """The API server's Service."""
    port: int
    """Its port."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that must exist before anybody is led to the Service."""


class GatewayRoute(pulumi.ComponentResource):
    """An HTTPRoute from a Gateway to the API server. The Gateway ends TLS.

    Raises: nothing of its own. Without the CRDs of the Gateway API the engine's error is `no matches for kind`. Whether
    the Gateway's listener admits routes of this namespace, the Gateway says.
    Replaces: nothing; the route changes in place.
    Survives a destroy: nothing.
    """

    route: KubeObject
    """The HTTPRoute."""

    def __init__(self, name: str, args: GatewayRouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self.route = KubeObject(
            API_VERSION,
            "HTTPRoute",
            name,
            {
                "metadata": object_metadata(args.namespace),
                "spec": route_spec(args.ingress, args.service, args.port),
            },
            pulumi.ResourceOptions(parent=self, depends_on=args.after),
        )
        self.register_outputs({"host": args.ingress.host})


def route_spec(ingress: Ingress, service: str, port: int) -> dict[str, Any]:
    """Return the spec of the HTTPRoute. Raises ValueError without a Gateway.

    A rule that leads nowhere is answered with an error by the Gateway itself (gateway-api.sigs.k8s.io, HTTPRouteRule).
    """
    if ingress.gateway is None:
        raise ValueError("gateway: expected NAMESPACE/NAME, found none")
    namespace, _, name = ingress.gateway.partition("/")

    def path(value: str) -> list[dict[str, Any]]:
        return [{"path": {"type": "PathPrefix", "value": value}}]

    return {
        "parentRefs": [{"namespace": namespace, "name": name}],
        "hostnames": [ingress.host],
        "rules": [
            {"matches": path(ingress.closed_path)},
            {"matches": path(ingress.path), "backendRefs": [{"name": service, "port": port}]},
        ],
    }
