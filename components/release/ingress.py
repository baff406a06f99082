"""The way from a browser to the API server: the chart's Ingress, and what a proxy in front changes.

Without one the API server has a ClusterIP alone. The controller, the DNS record and the certificate are somebody
else's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.kube.env import variable

HEALTH_PATH: Final = "/api/v2/monitor/health"
"""Answers without a login; the chart's probes ask it too."""

_ALB: Final = "alb.ingress.kubernetes.io"
_TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.3 and 1.2; the controller's default also takes 1.0."""


@dataclass(frozen=True, kw_only=True)
class Ingress:
    """host: DNS name of the UI. class_name: IngressClass, or None for the cluster's default.

    tls_secret: Secret with the certificate, or None where the controller has it from elsewhere.
    annotations: for the controller.
    """

    host: str
    class_name: str | None = None
    tls_secret: pulumi.Input[str] | None = None
    annotations: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


def alb_annotations(certificate_arn: pulumi.Input[str], *, internal: bool) -> dict[str, pulumi.Input[str]]:
    """Annotations for the AWS Load Balancer Controller: HTTPS with a certificate of ACM, and HTTP sent there.

    internal: reachable from the VPC alone.
    """
    return {
        f"{_ALB}/scheme": "internal" if internal else "internet-facing",
        f"{_ALB}/target-type": "ip",  # straight to the pod: no node port, and a NetworkPolicy sees the balancer
        f"{_ALB}/backend-protocol": "HTTP",
        f"{_ALB}/listen-ports": json.dumps([{"HTTP": 80}, {"HTTPS": 443}]),
        f"{_ALB}/ssl-redirect": "443",
        f"{_ALB}/ssl-policy": _TLS_POLICY,
        f"{_ALB}/certificate-arn": certificate_arn,
        f"{_ALB}/healthcheck-path": HEALTH_PATH,
        f"{_ALB}/load-balancer-attributes": "routing.http.drop_invalid_header_fields.enabled=true",
    }


def ingress_variables(ingress: Ingress | None) -> list[dict[str, Any]]:
    """Lets the API server believe its proxy. Whose address that is nobody knows before; who may call is for the
    network policies."""
    return [] if ingress is None else [variable("FORWARDED_ALLOW_IPS", "*")]


def ingress_values(ingress: Ingress | None) -> dict[str, Any]:
    """Values of the chart but for the environment."""
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
        # Otherwise it takes every request for plain HTTP, and its redirects leave TLS.
        "apiServer": {"args": ["bash", "-c", "exec airflow api-server --proxy-headers"]},
        "config": {"api": {"base_url": f"https://{ingress.host}"}},
    }
