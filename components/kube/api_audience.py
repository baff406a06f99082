"""Tells from its audience whether the Kubernetes API takes a projected token of a service account."""

from __future__ import annotations

import re
from typing import Final

API_AUDIENCE: Final = (
    r"(?i)^$|kubernetes|^(k3s|rke2)$|^https://oidc\.eks\.|^https://container\.googleapis\.com/"
    r"|\.azmk8s\.io|\.oic\.prod-aks\."
)
"""Audiences of API servers, in an expression that Go and Python read alike; none is the server's own.

A server takes those of its option `--api-audiences`, which are its issuer by default: kubeadm, EKS and OpenShift use
`https://kubernetes.default.svc`, with or without the cluster's domain, K3s adds its name, and GKE and AKS have
addresses of their own (kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver).
"""


def is_of_api(audience: object) -> bool:
    """Tell whether the Kubernetes API takes a token with this audience; None and "" stand for none."""
    return audience is None or (isinstance(audience, str) and bool(re.search(API_AUDIENCE, audience)))
