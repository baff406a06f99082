"""Keys of the Ingress: a path on a shared host, TLS that ends elsewhere, and whom the API server believes."""

from __future__ import annotations

from typing import Any, Final

from components.chart_values.ingress import PRIVATE_NETWORKS, Ingress
from tests import samples
from tests.cases import each

NGINX: Final[dict[str, Any]] = {
    "ingressHost": "tools.example.com",
    "ingressClass": "nginx",
    "ingressTlsSecret": "tls",
    "uiNamespaces": ["ingress-nginx"],
}


def problems(changes: dict[str, Any]) -> str:
    return "\n".join(samples.external().with_(changes).problems())


def ingress(changes: dict[str, Any]) -> Ingress:
    found = samples.external().with_(changes).parse().platform.ingress
    assert found is not None
    return found


@each(
    ("path", "url"),
    [
        ("/airflow", "https://tools.example.com/airflow"),
        ("/team-a/airflow", "https://tools.example.com/team-a/airflow"),
        ("/Airflow_3.2", "https://tools.example.com/Airflow_3.2"),
        ("/", "https://tools.example.com"),
    ],
)
def test_a_path_on_a_shared_host_is_taken(path: str, url: str) -> None:
    assert ingress({**NGINX, "ingressPath": path}).url == url


@each("path", ["airflow", "/airflow/", "//", "/a/../b", "/a b", "/a?b", "/a#b", "/{{x}}", "/api", "/api/v2", "/a$", ""])
def test_what_is_no_path_is_refused(path: str) -> None:
    assert "airflow:ingressPath: expected " in problems({**NGINX, "ingressPath": path})


def test_a_path_in_helm_values_is_refused_with_its_key() -> None:
    text = problems({**NGINX, "helmValues": {"ingress": {"apiServer": {"path": "/airflow"}}}})
    assert "ingress.apiServer.path is set by the program; use airflow:ingressPath" in text


# TLS


def test_tls_may_end_elsewhere() -> None:
    found = ingress({**NGINX, "ingressTlsSecret": "", "ingressTlsElsewhere": True})
    assert found.tls_secret is None
    assert found.url.startswith("https://")
    assert "or, where TLS ends elsewhere, pulumi config set" in problems({**NGINX, "ingressTlsSecret": ""})


def test_tls_ends_in_one_place() -> None:
    assert "together with airflow:ingressTlsElsewhere" in problems({**NGINX, "ingressTlsElsewhere": True})
    alb = samples.prod().with_({"ingressTlsElsewhere": True}).problems()
    assert "airflow:ingressTlsElsewhere: must not be set with the class alb" in "\n".join(alb)


# A Gateway

GATEWAY: Final[dict[str, Any]] = {
    "ingressHost": "tools.example.com",
    "ingressGateway": "gateways/public",
    "uiNamespaces": ["gateways"],
}


def test_a_gateway_takes_the_place_of_an_ingress() -> None:
    found = ingress({**GATEWAY, "ingressPath": "/airflow"})
    assert (found.gateway, found.class_name, found.url) == (
        "gateways/public",
        None,
        "https://tools.example.com/airflow",
    )


@each("gateway", ["public", "gateways/", "/public", "a/b/c", "Gateways/public", "gateways/public/https"])
def test_what_is_no_gateway_is_refused(gateway: str) -> None:
    assert "airflow:ingressGateway: expected a Gateway as" in problems({**GATEWAY, "ingressGateway": gateway})


@each(
    "key,value",
    [
        ("ingressClass", "nginx"),
        ("ingressTlsSecret", "tls"),
        ("ingressAnnotations", {"a": "b"}),
        ("ingressTlsElsewhere", True),
    ],
)
def test_what_an_ingress_has_is_the_gateway_s(key: str, value: Any) -> None:
    assert f"airflow:{key}: must not be set together with airflow:ingressGateway" in problems({**GATEWAY, key: value})


def test_a_gateway_needs_a_way_in_and_a_host() -> None:
    assert "airflow:uiNamespaces: expected" in problems({**GATEWAY, "uiNamespaces": []})
    assert "airflow:ingressGateway: must not be set without airflow:ingressHost" in problems({"ingressGateway": "a/b"})
    values = {"ingress": {"apiServer": {"succeedingPaths": [{"path": "/a"}]}}}
    assert "there is no such Ingress; use airflow:ingressHost without airflow:ingressGateway" in problems(
        {**GATEWAY, "helmValues": values}
    )


# Forwarded headers


@each(
    ("changes", "expected"),
    [
        ({}, PRIVATE_NETWORKS),
        ({"uiNamespaces": [], "uiCidrs": ["10.0.64.0/20"]}, ("10.0.64.0/20",)),
        ({"uiCidrs": ["192.0.2.0/24"]}, ("192.0.2.0/24", *PRIVATE_NETWORKS)),
        ({"trustedProxyCidrs": ["10.244.0.0/16"]}, ("10.244.0.0/16",)),
    ],
)
def test_forwarded_headers_are_believed_of_who_may_be_a_proxy(
    changes: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert ingress({**NGINX, **changes}).trusted_proxies == expected


@each("cidrs", [["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["*"], ["10.0.0.1"]])
def test_nobody_believes_everybody(cidrs: list[str]) -> None:
    assert "airflow:trustedProxyCidrs: expected " in problems({**NGINX, "trustedProxyCidrs": cidrs})


@each("key,value", [("ingressPath", "/airflow"), ("ingressTlsElsewhere", True), ("trustedProxyCidrs", ["10.0.0.0/8"])])
def test_keys_without_a_host_are_refused(key: str, value: Any) -> None:
    assert f"airflow:{key}: must not be set without airflow:ingressHost" in problems({key: value})


# The Service


@each("type_", ["LoadBalancer", "NodePort"])
def test_a_service_that_is_open_to_the_outside_is_refused_in_production(type_: str) -> None:
    values = {"apiServer": {"service": {"type": type_}}}
    text = problems({"helmValues": values})
    assert "nobody may call the API server from outside, and passwords would go over plain HTTP" in text
    assert "nobody" not in problems({"helmValues": values, "uiCidrs": ["10.0.0.0/20"]})
    dev = samples.dev().with_({"helmValues": values, "uiCidrs": ["10.0.0.0/20"]})
    assert dev.problems() == ()


def test_annotation_with_which_no_pod_is_reached_is_refused() -> None:
    prefix = {"nginx": "nginx.ingress.kubernetes.io", "alb": "alb.ingress.kubernetes.io", "haproxy": "haproxy.org"}
    for protect in (True, False):
        for name, value, right in (
            (f"{prefix['nginx']}/backend-protocol", "HTTPS", "HTTP"),
            (f"{prefix['alb']}/backend-protocol", "HTTPS", "HTTP"),
            (f"{prefix['haproxy']}/server-ssl", "true", "false"),
            (f"{prefix['alb']}/healthcheck-path", "/health", "/api/v2/monitor/health"),
        ):
            stack = {**NGINX, "protect": protect}
            text = problems({**stack, "ingressAnnotations": {name: value}})
            assert f"airflow:ingressAnnotations: {name}: expected " in text
            assert problems({**stack, "ingressAnnotations": {name: right}}) == "", "the way"


def test_load_balancer_that_needs_ports_of_the_nodes_is_refused_without_them() -> None:
    targets = {"ingressAnnotations": {"alb.ingress.kubernetes.io/target-type": "instance"}}
    [told] = samples.prod().with_(targets).problems()
    assert "expected ip, because the API server's Service has no port of the nodes, found instance" in told
    ports = {"helmValues": {"apiServer": {"service": {"type": "NodePort"}}}}
    assert samples.prod().with_({**targets, **ports}).problems() == (), "the way"
    assert samples.prod().with_({"ingressAnnotations": {}}).problems() == ()
