"""Whether and how the API server is reached from outside the cluster."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from components.chart_values.ingress import HEALTH_PATH, PRIVATE_NETWORKS, Ingress, alb_annotations
from components.chart_values.ingress_annotations import backend_problems, name_problems, tls_problems
from components.network.isolation_args import Isolation
from components.texts import fields
from settings.keys import ConfigKey, Section
from settings.reading import Config
from settings.sections.cluster import AWS_REGION, PROTECT
from settings.sections.isolation import NETWORK_ISOLATION, UI_CIDRS, UI_NAMESPACES

_ALB: Final = "alb"

SECTION = Section("Ingress", "without ingressHost, nothing outside the cluster reaches the API server")


class Scheme(StrEnum):
    """`internal`: the load balancer is reached from its VPC only."""

    INTERNAL = "internal"
    INTERNET_FACING = "internet-facing"


def _path(text: str) -> str:
    part = r"/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,62}"
    fields.matching(text, rf"/|({part}){{1,8}}", "a path such as /airflow, without a slash at its end")
    if HEALTH_PATH.startswith(f"{text}/"):
        fields.refuse(f"expected a path with which the health check's {HEALTH_PATH} does not begin, found {text}")
    return text


def _gateway(text: str) -> str:
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    return fields.matching(text, rf"{label}/{label}(\.{label})*", "a Gateway as NAMESPACE/NAME")


def _ingress_class(text: str) -> str:
    try:
        return fields.dns_subdomain(text)
    except ValueError:
        fields.refuse(f"expected an ingress class such as alb or nginx, in lower case, found {fields.shown(text)}")


INGRESS_HOST = SECTION.optional("ingressHost", fields.dns_name, description="Host name of the UI and the API.")
INGRESS_PATH = SECTION.text(
    "ingressPath",
    _path,
    default=Ingress.path,
    description="Path of the UI on a host that it shares, such as /airflow. The controller must not strip it.",
)
INGRESS_CLASS = SECTION.optional("ingressClass", _ingress_class, description="Ingress class, such as alb or nginx.")
INGRESS_GATEWAY = SECTION.optional(
    "ingressGateway",
    _gateway,
    description="NAMESPACE/NAME of a Gateway (Gateway API) that leads to the UI in place of an Ingress, and ends TLS.",
)
INGRESS_TLS_SECRET = SECTION.optional(
    "ingressTlsSecret",
    fields.dns_subdomain,
    description="Name of a TLS Secret in the namespace, for an ingress class that ends TLS with one.",
)
INGRESS_TLS_ELSEWHERE = SECTION.boolean(
    "ingressTlsElsewhere",
    default=False,
    description="Whether TLS ends before the Ingress, or at a controller with its own certificate. No TLS Secret is "
    "then needed.",
)
INGRESS_CERTIFICATE_ARN = SECTION.optional(
    "ingressCertificateArn", fields.certificate_arn, description="ARN of an ACM certificate, for the class alb."
)
INGRESS_SCHEME = SECTION.choice(
    "ingressScheme",
    Scheme,
    default=Scheme.INTERNAL,
    description="Scheme of the load balancer, for the class alb: {choices}.",
)
INGRESS_ANNOTATIONS = SECTION.text_map(
    "ingressAnnotations",
    description="More annotations of the Ingress. If protect is true, an annotation that undoes TLS is refused.",
    problems_of=name_problems,
)
TRUSTED_PROXY_CIDRS = SECTION.texts(
    "trustedProxyCidrs",
    fields.network,
    check_all=fields.not_everybody,
    description="Networks of the proxies whose forwarded headers the API server believes. Empty takes uiCidrs; with "
    "uiNamespaces, whose addresses are not known beforehand, also the private networks.",
)


_NEED_HOST: Final[tuple[ConfigKey[Any], ...]] = (
    INGRESS_PATH,
    INGRESS_CLASS,
    INGRESS_GATEWAY,
    INGRESS_TLS_SECRET,
    INGRESS_TLS_ELSEWHERE,
    INGRESS_CERTIFICATE_ARN,
    INGRESS_ANNOTATIONS,
    TRUSTED_PROXY_CIDRS,
)


def read_ingress(config: Config) -> Ingress | None:
    """Return the Ingress, or None without a host. An Ingress without TLS is refused, because it carries passwords."""
    host, class_name, secret = config[INGRESS_HOST], config[INGRESS_CLASS], config[INGRESS_TLS_SECRET]
    certificate, annotations = config[INGRESS_CERTIFICATE_ARN], config[INGRESS_ANNOTATIONS]
    internal = config[INGRESS_SCHEME] is Scheme.INTERNAL
    if config.bad(INGRESS_HOST, INGRESS_CLASS):
        return None
    if host is None:
        for key in _NEED_HOST:
            if config[key] and config[key] != key.default:
                config.must_not_be_set(
                    key, f"without {INGRESS_HOST.full}", instead=f"pulumi config set {INGRESS_HOST.full} HOST"
                )
        return None
    gateway = config[INGRESS_GATEWAY]
    if gateway is None:
        _check_tls(config, class_name)
    else:
        _check_gateway(config)
    _check_region(config)
    _check_annotations(config)
    _check_that_callers_may_enter(config, class_name)
    own = alb_annotations(certificate, internal=internal) if certificate else {}
    return Ingress(
        host=host,
        path=config[INGRESS_PATH],
        gateway=gateway,
        class_name=class_name,
        tls_secret=secret,
        annotations={**own, **annotations},
        trusted_proxies=_trusted_proxies(config),
    )


def _trusted_proxies(config: Config) -> tuple[str, ...]:
    given, cidrs = config[TRUSTED_PROXY_CIDRS], config[UI_CIDRS]
    return given or (*cidrs, *(PRIVATE_NETWORKS if config[UI_NAMESPACES] or not cidrs else ()))


def _check_gateway(config: Config) -> None:
    """Note what an Ingress has, and an HTTPRoute has not."""
    keys: tuple[ConfigKey[Any], ...] = (INGRESS_CLASS, INGRESS_TLS_SECRET, INGRESS_CERTIFICATE_ARN, INGRESS_ANNOTATIONS)
    config.refuse_set((*keys, INGRESS_TLS_ELSEWHERE), f"together with {INGRESS_GATEWAY.full}, which ends TLS")


def _check_tls(config: Config, class_name: str | None) -> None:
    secret, certificate = config[INGRESS_TLS_SECRET], config[INGRESS_CERTIFICATE_ARN]
    elsewhere = config[INGRESS_TLS_ELSEWHERE]
    if class_name == _ALB:
        if certificate is None:
            text = "expected the ARN of an ACM certificate with the class alb, found none"
            config.problem(INGRESS_CERTIFICATE_ARN, text)
        config.refuse_set((INGRESS_TLS_SECRET,), "with the class alb, whose certificates are in ACM")
        config.refuse_set((INGRESS_TLS_ELSEWHERE,), "with the class alb, which ends TLS")
        return
    config.refuse_set(
        (INGRESS_CERTIFICATE_ARN,),
        "with a class other than alb, which could not use it",
        instead=f"pulumi config set {INGRESS_CLASS.full} alb",
    )
    if secret is None and not elsewhere:
        config.problem(
            INGRESS_TLS_SECRET,
            "expected a TLS Secret, because the UI takes passwords, found none",
            f"pulumi config set {INGRESS_TLS_SECRET.full} SECRET; or, where TLS ends elsewhere, pulumi config set "
            f"{INGRESS_TLS_ELSEWHERE.full} true",
        )
    elif elsewhere and secret is not None:
        config.must_not_be_set(INGRESS_TLS_SECRET, f"together with {INGRESS_TLS_ELSEWHERE.full}")


def _check_region(config: Config) -> None:
    """Note a certificate of another region, which no load balancer of the cluster's region can use
    (docs.aws.amazon.com/acm/latest/userguide/acm-regions.html)."""
    certificate, region = config[INGRESS_CERTIFICATE_ARN], config[AWS_REGION]
    found = certificate.split(":")[3] if certificate else ""
    if certificate and region and found != region:
        config.problem(
            INGRESS_CERTIFICATE_ARN,
            f"expected a certificate in {region}, where the cluster is, found one in {found}: request it there too",
        )


def _check_annotations(config: Config) -> None:
    """Note annotations with which no pod is reached, and where the stack is protected those that undo TLS."""
    annotations = config[INGRESS_ANNOTATIONS]
    if config.bad(INGRESS_ANNOTATIONS):
        return
    of_tls = tls_problems(annotations) if config[PROTECT] else {}
    for name, problem in {**of_tls, **backend_problems(annotations)}.items():
        config.problem(
            INGRESS_ANNOTATIONS,
            f"{name}: {problem}",
            f"pulumi config rm --path '{INGRESS_ANNOTATIONS.full}[\"{name}\"]'",
            one_of_many=True,
        )


def _check_that_callers_may_enter(config: Config, class_name: str | None) -> None:
    if config[UI_NAMESPACES] or config[UI_CIDRS] or config.bad(UI_NAMESPACES, UI_CIDRS, NETWORK_ISOLATION):
        return
    if config[NETWORK_ISOLATION] is Isolation.OFF:
        return
    key, what, example = UI_NAMESPACES, "namespace of the ingress controller", "ingress-nginx"
    if class_name == _ALB:
        key, what, example = UI_CIDRS, "networks of the load balancer", "10.0.0.0/20"
    config.problem(
        key,
        f"expected the {what} beside {INGRESS_HOST.full}, found none: network isolation would close the API server to "
        "it",
        f"pulumi config set --path '{key.full}[0]' {example}",
    )
