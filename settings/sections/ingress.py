"""Whether and how the API server is reached from outside the cluster."""

from __future__ import annotations

from enum import StrEnum

from components import fields
from components.release.ingress import Ingress, alb_annotations
from settings.reader import PROJECT, Reader

_ALB = "alb"


class _Scheme(StrEnum):
    INTERNAL = "internal"
    INTERNET_FACING = "internet-facing"


def read_ingress(read: Reader) -> Ingress | None:
    """The keys ingress…; None without a host. A way in without TLS is refused: passwords and tokens pass it."""
    host = read.text("ingressHost", fields.dns_name, empty=True)
    class_name = read.text("ingressClass", _ingress_class, empty=True)
    secret = read.text("ingressTlsSecret", fields.dns_subdomain, empty=True)
    certificate = read.text("ingressCertificateArn", fields.certificate_arn, empty=True)
    scheme = read.choice("ingressScheme", _Scheme)
    annotations = read.text_map("ingressAnnotations")
    if read.bad("ingressHost") or read.bad("ingressClass"):
        return None
    if host is None:
        given = {"ingressClass": class_name, "ingressTlsSecret": secret, "ingressCertificateArn": certificate}
        for key, value in {**given, "ingressAnnotations": annotations}.items():
            if value:
                read.problem(
                    key,
                    "expected none without airflow:ingressHost, found one",
                    f"pulumi config set {PROJECT}:ingressHost HOST, or pulumi config rm {PROJECT}:{key}",
                )
        return None
    if class_name == _ALB and certificate is None:
        read.problem("ingressCertificateArn", "expected the ARN of an ACM certificate with the class alb, found none")
    if class_name == _ALB and secret is not None:
        read.problem(
            "ingressTlsSecret",
            "expected none with the class alb, whose certificates are in ACM, found one",
            f"pulumi config rm {PROJECT}:ingressTlsSecret",
        )
    if class_name != _ALB and certificate is not None:
        read.problem(
            "ingressCertificateArn",
            "expected none with a class other than alb, which could not use it, found one",
            f"pulumi config set {PROJECT}:ingressClass alb, or pulumi config rm {PROJECT}:ingressCertificateArn",
        )
    if class_name != _ALB and secret is None:
        read.problem("ingressTlsSecret", "expected a TLS Secret, because the UI takes passwords, found none")
    if not read.raw_list("uiNamespaces") and not read.raw_list("uiCidrs"):
        _nobody_may_enter(read, class_name == _ALB)
    own = alb_annotations(certificate, internal=scheme is _Scheme.INTERNAL) if certificate else {}
    return Ingress(host=host, class_name=class_name, tls_secret=secret, annotations={**own, **annotations})


def _nobody_may_enter(read: Reader, alb: bool) -> None:
    if read.raw("networkIsolation") == "off" or read.bad("networkIsolation"):
        return
    key, example = ("uiCidrs", "10.0.0.0/20") if alb else ("uiNamespaces", "ingress-nginx")
    what = "networks of the load balancer" if alb else "namespace of the ingress controller"
    read.problem(
        key,
        f"expected the {what} beside airflow:ingressHost, found none: network isolation would close the API server to "
        "it",
        f"pulumi config set --path '{PROJECT}:{key}[0]' {example}",
    )


def _ingress_class(text: str) -> str:
    try:
        return fields.dns_subdomain(text)
    except ValueError:
        fields.refuse(f"expected an ingress class such as alb or nginx, in lower case, found {fields.shown(text)}")
