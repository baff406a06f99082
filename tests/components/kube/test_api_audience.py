"""Which projected tokens the Kubernetes API takes."""

from __future__ import annotations

from components.kube.api_audience import is_of_api
from tests.cases import each


@each(
    "audience",
    [
        *(None, "", "https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local", "kubernetes"),
        *("HTTPS://KUBERNETES.default.svc", "k3s", "rke2", "https://oidc.eks.eu-central-1.amazonaws.com/id/0123ABCD"),
        "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c",
        *("https://x.hcp.westeurope.azmk8s.io", "https://westeurope.oic.prod-aks.azure.com/tenant/cluster/"),
    ],
)
def test_token_for_an_api_server_is_known_by_its_audience(audience: str | None) -> None:
    assert is_of_api(audience)


@each(
    "audience",
    [
        *("sts.amazonaws.com", "pods.eks.amazonaws.com", "vault", "https://vault.example.com:8200", "k3s-vault"),
        *("api://AzureADTokenExchange", "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p"),
    ],
)
def test_token_for_another_service_is_not(audience: str) -> None:
    assert not is_of_api(audience)


def test_audience_that_is_not_known_is_none_of_an_api() -> None:
    assert not is_of_api(object())
