"""Which annotations of an Ingress are legal, and which undo TLS. More cases: tests/settings/test_bad_input.py."""

from __future__ import annotations

from components.chart_values.ingress import alb_annotations
from components.chart_values.ingress_annotations import name_problems, tls_problems
from tests.cases import each


@each("name", ["a", "a.b/c", "nginx.ingress.kubernetes.io/ssl-redirect", "x_Y.z-1", "a" * 63, "cert-manager.io/issuer"])
def test_legal_name_has_no_problem(name: str) -> None:
    assert name_problems({name: "x"}) == {}


@each("name", ["", "/a", "a/", "a/b/c", "a b", "-a", "a-", "ä", "A.b/c", "a" * 64, "a..b/c", "a\n", f"{'a.' * 127}b/c"])
def test_name_that_kubernetes_refuses_is_named(name: str) -> None:
    assert list(name_problems({name: "x", "good": "y"})) == [name]


def test_annotations_have_a_size() -> None:
    assert list(name_problems({"a": "x" * 256 * 1024})) == [""]
    assert name_problems({"a": "x" * 255 * 1024}) == {}


def test_own_annotations_of_the_program_would_pass_but_for_the_keys_that_set_them() -> None:
    own = {name: str(value) for name, value in alb_annotations("arn", internal=True).items()}
    problems = tls_problems(own)
    assert {name.partition("/")[2] for name in problems} == {"certificate-arn", "scheme"}


@each(
    ("name", "value"),
    [
        ("haproxy.org/ssl-redirect", "false"),
        ("haproxy-ingress.github.io/ssl-redirect", "no"),
        ("appgw.ingress.kubernetes.io/ssl-redirect", "false"),
        ("ingress.kubernetes.io/force-ssl-redirect", "false"),
        ("traefik.ingress.kubernetes.io/router.entrypoints", "web"),
        ("traefik.ingress.kubernetes.io/router.tls", "false"),
        ("kubernetes.io/ingress.allow-http", "true"),
        ("konghq.com/protocols", "http,https"),
        ("nginx.ingress.kubernetes.io/rewrite-target", "/$2"),
        ("nginx.org/rewrites", "serviceName=airflow-api-server rewrite=/"),
        ("haproxy.org/path-rewrite", "/"),
        ("konghq.com/strip-path", "true"),
        ("alb.ingress.kubernetes.io/listen-ports", '[{"HTTP": 80}, {"HTTP": 8080}]'),
        ("alb.ingress.kubernetes.io/ssl-policy", "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06"),
        ("alb.ingress.kubernetes.io/ssl-policy", "ELBSecurityPolicy-TLS13-1-0-2021-06"),
    ],
)
def test_annotation_that_undoes_tls_or_the_path_is_named(name: str, value: str) -> None:
    assert list(tls_problems({name: value, "a": "b"})) == [name]


@each(
    ("name", "value"),
    [
        ("haproxy.org/ssl-redirect", "true"),
        ("traefik.ingress.kubernetes.io/router.entrypoints", "websecure"),
        ("kubernetes.io/ingress.allow-http", "false"),
        ("konghq.com/protocols", "https"),
        ("konghq.com/strip-path", "false"),
        ("nginx.ingress.kubernetes.io/proxy-body-size", "8m"),
        ("alb.ingress.kubernetes.io/listen-ports", '[{"HTTPS": 443}]'),
        ("alb.ingress.kubernetes.io/ssl-policy", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"),
        ("alb.ingress.kubernetes.io/wafv2-acl-arn", "arn:aws:wafv2:x"),
    ],
)
def test_annotation_that_keeps_tls_has_no_problem(name: str, value: str) -> None:
    assert tls_problems({name: value}) == {}
