"""The chart's Ingress to the API server, and the settings that Airflow needs behind a proxy. Pure.

Without an Ingress the API server has only a ClusterIP. The controller, the DNS record and the certificate must exist.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.kube.env import variable

HEALTH_PATH: Final = "/api/v2/monitor/health"
"""A path that needs no login; the chart's probes use it too."""

EXECUTION_PATH: Final = "/execution"
"""The API of workers and task pods. They call it inside the cluster, so that nobody needs it from outside."""
CLOSED_PORT: Final = 8081
"""Port of the API server's pods on which nothing listens: whatever an Ingress routes to it is refused at once."""

PRIVATE_NETWORKS: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Where pods of a cluster are (RFC 1918, RFC 6598, RFC 4193)."""

_SERVICE: Final = "airflow-api-server"
_CLOSED: Final = "not-published"
_ALB_CLASS: Final = "alb"
_ALB: Final = "alb.ingress.kubernetes.io"
_TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.3 and 1.2; the controller's default also accepts 1.0."""


@dataclass(frozen=True, kw_only=True)
class Ingress:
    """Access to the UI from outside the cluster."""

    host: str
    """DNS name of the UI."""
    path: str = "/"
    """Path of the UI on that host, without a slash at its end."""
    gateway: str | None = None
    """NAMESPACE/NAME of a Gateway that leads to the UI in place of an Ingress, or None."""
    class_name: str | None = None
    """IngressClass, or None for the cluster's default."""
    tls_secret: pulumi.Input[str] | None = None
    """Name of the Secret with the certificate, or None if the controller has it from elsewhere."""
    annotations: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Annotations for the controller."""
    trusted_proxies: tuple[str, ...] = PRIVATE_NETWORKS
    """IPv4 and IPv6 networks of the proxies whose `X-Forwarded-` headers are believed."""

    @property
    def url(self) -> str:
        """Address of the UI, without a slash at its end."""
        return f"https://{self.host}{self.path.rstrip('/')}"

    @property
    def closed_path(self) -> str:
        """The path on the host that is not published."""
        return f"{self.path.rstrip('/')}{EXECUTION_PATH}"


def alb_annotations(certificate_arn: pulumi.Input[str], *, internal: bool) -> dict[str, pulumi.Input[str]]:
    """Return annotations for the AWS Load Balancer Controller: HTTPS with an ACM certificate, and a redirect from HTTP.

    With `internal`, the load balancer is reachable only from the VPC.
    """
    return {
        f"{_ALB}/scheme": "internal" if internal else "internet-facing",
        f"{_ALB}/target-type": "ip",  # directly to the pod: no node port, and a NetworkPolicy sees the load balancer
        f"{_ALB}/backend-protocol": "HTTP",
        f"{_ALB}/listen-ports": json.dumps([{"HTTP": 80}, {"HTTPS": 443}]),
        f"{_ALB}/ssl-redirect": "443",
        f"{_ALB}/ssl-policy": _TLS_POLICY,
        f"{_ALB}/certificate-arn": certificate_arn,
        f"{_ALB}/healthcheck-path": HEALTH_PATH,
        f"{_ALB}/load-balancer-attributes": "routing.http.drop_invalid_header_fields.enabled=true",
    }


def ingress_variables(ingress: Ingress | None) -> list[dict[str, Any]]:
    """Return the variable by which the API server believes the proxies in front of it, and nobody else.

    With `*` it would take the first address of `X-Forwarded-For` for the caller's, which the caller itself can write
    (uvicorn, middleware/proxy_headers.py).
    """
    return [] if ingress is None else [variable("FORWARDED_ALLOW_IPS", ",".join(ingress.trusted_proxies))]


def ingress_values(ingress: Ingress | None) -> dict[str, Any]:
    """Return the chart's values, except for the environment."""
    if ingress is None:
        return {}
    host: dict[str, Any] = {"name": ingress.host}
    if ingress.tls_secret is not None:
        host["tls"] = {"enabled": True, "secretName": ingress.tls_secret}
    values: dict[str, Any] = {
        # Otherwise the API server takes every request for plain HTTP, and its redirects leave TLS.
        "apiServer": {"args": ["bash", "-c", "exec airflow api-server --proxy-headers"]},
        # The chart's default lets FAB believe the same headers of anybody, after the API server has judged them.
        "config": {"api": {"base_url": ingress.url}, "fab": {"enable_proxy_fix": "False"}},
    }
    if ingress.gateway is not None:
        return values
    closed, port, annotations = _closed(ingress)
    api_server: dict[str, Any] = {
        "enabled": True,
        "hosts": [host],
        "path": ingress.path,
        "pathType": "Prefix",
        "precedingPaths": [closed],
        "annotations": {**ingress.annotations, **annotations},
    }
    if ingress.class_name is not None:
        api_server["ingressClassName"] = ingress.class_name
    return {**values, "ingress": {"apiServer": api_server}, "apiServer": {**values["apiServer"], **port}}


def _closed(ingress: Ingress) -> tuple[dict[str, str], dict[str, Any], dict[str, str]]:
    """Return the path that is not published, the Service's ports that it takes, and annotations.

    The chart sends every path to the API server's Service. An ALB answers by itself, because it would count targets
    that never answer as unhealthy. Other controllers have no such answer in common: they get a port without a listener.
    """
    path = {"path": ingress.closed_path, "pathType": "Prefix"}
    if ingress.class_name == _ALB_CLASS:
        response = {"contentType": "text/plain", "statusCode": "404", "messageBody": "not published"}
        action = json.dumps({"type": "fixed-response", "fixedResponseConfig": response})
        # The action is found by the name of the Service.
        return {**path, "servicePort": "use-annotation"}, {}, {f"{_ALB}/actions.{_SERVICE}": action}
    ports = [
        {"name": "api-server", "port": "{{ .Values.ports.apiServer }}"},
        {"name": _CLOSED, "port": str(CLOSED_PORT)},
    ]
    return {**path, "servicePort": _CLOSED}, {"service": {"ports": ports}}, {}
