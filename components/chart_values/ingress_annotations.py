"""Check annotations that a config adds to the Ingress: their names, and that none undoes TLS or the path. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from components.chart_values.ingress import HEALTH_PATH
from components.kube.names import qualified

_MOST_BYTES: Final = 256 * 1024
_ALB: Final = "alb.ingress.kubernetes.io/"
_TRUE: Final = ("true", "1", "yes", "on")
_REDIRECTS: Final = ("ssl-redirect", "force-ssl-redirect", "redirect-to-https", "https-redirect")
"""Names that every controller for nginx, HAProxy and others uses, each with a prefix of its own."""
_REWRITES: Final = ("path-rewrite", "rewrite-target", "rewrites", "strip-path")
"""Names by which controllers take a part of the path away."""
_PLAIN_BACKENDS: Final = ("HTTP", "AUTO_HTTP", "H1")
_TLS_BACKENDS: Final = ("secure-backends", "server-ssl")
_STRONG_POLICY: Final = re.compile(r"ELBSecurityPolicy-(TLS13-1-[23]-(?!Ext)|FS-1-2-|TLS-1-2-(?!Ext))[A-Za-z0-9-]*")
"""TLS 1.2 and later (docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html)."""
_CLOSING: Final = "actions.airflow-api-server"
"""Action of the path that the Ingress does not publish (see `ingress.py`)."""
_KEYS: Final = {"certificate-arn": "airflow:ingressCertificateArn", "scheme": "airflow:ingressScheme"}
"""Annotations that a config key sets."""


def name_problems(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return what Kubernetes refuses in each name, by name; by "" that all of them are too large.

    The rules: kubernetes.io/docs/concepts/overview/working-with-objects/annotations.
    """
    problems = {}
    for name in annotations:
        if not qualified(name):
            problems[name] = (
                "expected names such as example.com/name: a DNS name and /, then at most 63 letters, digits and - _ . "
                "that begin and end with a letter or digit, found another one"
            )
    if sum(len(name.encode()) + len(value.encode()) for name, value in annotations.items()) > _MOST_BYTES:
        problems[""] = f"expected at most {_MOST_BYTES} bytes of annotations, found more"
    return problems


def tls_problems(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return what carries passwords over plain HTTP, or over TLS or a path that the config does not know, by name."""
    found = {name: _problem(name, value.strip()) for name, value in annotations.items()}
    ports = annotations.get(f"{_ALB}listen-ports")
    if ports is not None:
        found[f"{_ALB}listen-ports"] = _ports_problem(ports, annotations.get(f"{_ALB}ssl-redirect"))
    return {name: problem for name, problem in found.items() if problem is not None}


def backend_problems(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return by which annotations the controller would find no pod ready, or none that understands it, by name."""
    found = {}
    for name, value in annotations.items():
        short, given = name.rpartition("/")[2], value.strip()
        if short == "backend-protocol" and given.upper() not in _PLAIN_BACKENDS:
            found[name] = "expected HTTP, which the API server speaks behind the proxy, found another protocol"
        elif short in _TLS_BACKENDS and given.lower() in _TRUE:
            found[name] = "expected false, found true: the API server speaks HTTP behind the proxy"
        elif short == "healthcheck-path" and re.search(r"(?<!/monitor)/health/?$", given):
            found[name] = f"expected a path of Airflow 3, such as {HEALTH_PATH}, found that of Airflow 2, which is none"
    return found


def _problem(name: str, value: str) -> str | None:
    if name.startswith(_ALB):
        return _alb_problem(name.removeprefix(_ALB), value)
    short = name.rpartition("/")[2]
    if short in _REDIRECTS and value.lower() not in _TRUE:
        return "expected true, found another value: passwords would go over plain HTTP"
    if short == "ssl-passthrough" and value.lower() in _TRUE:
        return "expected false, found true: the API server has no certificate"
    if short == "router.entrypoints" and {each.strip() for each in value.split(",")} != {"websecure"}:
        return "expected websecure alone, found another entry point: passwords would go over plain HTTP"
    if short == "router.tls" and value.lower() not in _TRUE:
        return "expected true, found another value: passwords would go over plain HTTP"
    if short in _REWRITES and not (short == "strip-path" and value.lower() not in _TRUE):
        return "must not be set here: the API server answers at the whole path, see airflow:ingressPath"
    if name == "kubernetes.io/ingress.allow-http" and value.lower() != "false":
        return "expected false, found another value: passwords would go over plain HTTP"
    if name == "konghq.com/protocols" and {each.strip() for each in value.split(",")} != {"https"}:
        return "expected https alone, found another protocol: passwords would go over plain HTTP"
    return None


def _alb_problem(short: str, value: str) -> str | None:
    if short == _CLOSING:
        return "must not be set here: it answers for the workers' API, which is not published"
    if short in _KEYS:
        return f"must not be set here: {_KEYS[short]} sets it"
    if short == "ssl-policy" and not _STRONG_POLICY.fullmatch(value):
        return "expected a policy of TLS 1.2 or later such as ELBSecurityPolicy-TLS13-1-2-2021-06, found another one"
    if short == "ssl-redirect" and not re.fullmatch(r"[0-9]{1,5}", value):
        return "expected the port of HTTPS, such as 443, found another value: passwords would go over plain HTTP"
    return None


def _ports_problem(text: str, redirect: str | None) -> str | None:
    """Return what is wrong with listeners. redirect: port of the redirect from HTTP, None for the program's own 443."""
    try:
        ports = [(str(protocol), str(port)) for entry in json.loads(text) for protocol, port in entry.items()]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return 'expected listeners such as [{"HTTP": 80}, {"HTTPS": 443}], found something else'
    secure = [port for protocol, port in ports if protocol == "HTTPS"]
    if not secure:
        return "expected a listener of HTTPS, found none: passwords would go over plain HTTP"
    if len(secure) < len(ports) and (redirect or "443").strip() not in secure:
        return "expected a listener of HTTPS on the port to which HTTP is redirected, found none"
    return None
