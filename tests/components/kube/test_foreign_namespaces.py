"""Which namespaces a stack must not own."""

from __future__ import annotations

from components.kube.foreign_namespaces import is_foreign
from tests.cases import each


@each("name", ["keda", "ingress-nginx", "cert-manager", "istio-system", "monitoring", "openshift-dns", "cattle-fleet"])
def test_namespace_of_an_add_on_is_foreign(name: str) -> None:
    assert is_foreign(name)


@each("name", ["airflow", "keda-airflow", "team-monitoring", "data", "a"])
def test_other_namespace_is_not(name: str) -> None:
    assert not is_foreign(name)
