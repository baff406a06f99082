"""Namespaces into which distributions of Kubernetes and common add-ons install themselves."""

from __future__ import annotations

from typing import Final

_NAMES: Final = frozenset(
    (
        "amazon-cloudwatch",
        "amazon-guardduty",
        "aws-observability",
        "argo",
        "argo-rollouts",
        "argo-workflows",
        "argocd",
        "calico-apiserver",
        "calico-system",
        "cattle-system",
        "cert-manager",
        "cilium",
        "cnpg-system",
        "crossplane-system",
        "datadog",
        "elastic-system",
        "external-dns",
        "external-secrets",
        "flux-system",
        "gatekeeper-system",
        "gke-system",
        "gmp-system",
        "grafana",
        "harbor",
        "ingress-nginx",
        "istio-ingress",
        "istio-system",
        "kafka",
        "karpenter",
        "keda",
        "knative-serving",
        "kong",
        "kyverno",
        "linkerd",
        "local-path-storage",
        "logging",
        "loki",
        "longhorn-system",
        "metallb-system",
        "monitoring",
        "nginx-gateway",
        "nginx-ingress",
        "observability",
        "opentelemetry-operator-system",
        "postgres-operator",
        "projectcontour",
        "prometheus",
        "rook-ceph",
        "sealed-secrets",
        "tekton-pipelines",
        "tigera-operator",
        "traefik",
        "vault",
        "velero",
    )
)
_PREFIXES: Final = ("openshift-", "gke-managed-", "cattle-")


def is_foreign(namespace: str) -> bool:
    """Return whether a namespace is an add-on's, and so not for a stack to own."""
    return namespace in _NAMES or namespace.startswith(_PREFIXES)
