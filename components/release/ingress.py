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

_ALB: Final = "alb.ingress.kubernetes.io"
_TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.3 and 1.2; the controller's default also accepts 1.0."""


@dataclass(frozen=True, kw_only=True)
class Ingress:
    """Access to the UI from outside the cluster."""

    host: str
    """DNS name of the UI."""
    class_name: str | None = None
    """IngressClass, or None for the cluster's default."""
    tls_secret: pulumi.Input[str] | None = None
    """Name of the Secret with the certificate, or None if the controller has it from elsewhere."""
    annotations: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Annotations for the controller."""


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
    """Return variables by which the API server trusts any proxy: its address is not known beforehand, and the network
    policies decide who may call."""
    return [] if ingress is None else [variable("FORWARDED_ALLOW_IPS", "*")]


def ingress_values(ingress: Ingress | None) -> dict[str, Any]:
    """Return the chart's values, except for the environment."""
    if ingress is None:
        return {}
    host: dict[str, Any] = {"name": ingress.host}
    if ingress.tls_secret is not None:
        host["tls"] = {"enabled": True, "secretName": ingress.tls_secret}
    api_server: dict[str, Any] = {
        "enabled": True,
        "hosts": [host],
        "path": "/",
        "pathType": "Prefix",
        "annotations": dict(ingress.annotations),
    }
    if ingress.class_name is not None:
        api_server["ingressClassName"] = ingress.class_name
    return {
        "ingress": {"apiServer": api_server},
        # Otherwise the API server takes every request for plain HTTP, and its redirects leave TLS.
        "apiServer": {"args": ["bash", "-c", "exec airflow api-server --proxy-headers"]},
        "config": {"api": {"base_url": f"https://{ingress.host}"}},
    }
