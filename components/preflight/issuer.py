"""Asks an OpenID Connect issuer for its metadata, as the login to the UI will, and says what its answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.login.oidc import metadata_url
from components.preflight.component_pods import component_pod, plain_variables
from components.preflight.finding import Finding, Verdict, failed, passed
from components.preflight.reasons import Reason, explained

CHECK: Final = "issuer of the login"
VALUES_OF: Final = "apiServer"
"""Path of the API server in the chart's values."""
SCRIPT: Final = (Path(__file__).parent / "in_image" / "issuer.py").read_text(encoding="utf-8")
"""A Python script. Its first lines say what it does and what it needs."""

_SET: Final = "pulumi config set --stack {stack} airflow:oidcIssuer ISSUER"
_BUSY: Final = 429
_BROKEN: Final = 500
_REASONS: Final = (
    Reason(
        r"proxyerror|cannot connect to proxy|proxy url",
        "airflow:oidcIssuer: expected that the API server's proxy reaches {host}, found: {line}",
        "correct HTTPS_PROXY, or name the host in NO_PROXY, in env of airflow:helmValues",
        outage=True,
    ),
    Reason(
        r"wrong version number|record layer failure|unknown protocol",
        "airflow:oidcIssuer: expected TLS at {host} port {port}, found a server without it: {line}",
        f"{_SET}, with the port of its TLS",
    ),
    Reason(
        r"certificate|hostname mismatch|sslerror",
        "airflow:oidcIssuer: expected a certificate of {host} that the API server trusts, found: {line}",
        "give the API server the issuer's authority: see docs/login.md#a-private-authority",
    ),
    Reason(
        r"name or service not known|name resolution|no address associated|failed to resolve",
        "airflow:oidcIssuer: expected a host that the cluster's DNS knows, found no address of {host}",
        f"{_SET}, with another host",
        outage=True,
    ),
    Reason(
        r"timeout|timed out|refused|unreachable|no route|reset|aborted|connectionerror",
        "airflow:oidcIssuer: expected {host} to answer the API server at port {port}, found: {line}",
        "look at the issuer and at firewalls between it and the cluster; network isolation lets the API server reach "
        "ports 443 and 6443 outside airflow:egressExceptCidrs: for another place, set airflow:extraEgress",
        outage=True,
    ),
    Reason("", "airflow:oidcIssuer: expected metadata at {url}, found: {line}", "correct that"),
)


def issuer_about(issuer: str) -> dict[str, str]:
    """Return what the texts name."""
    parts = urlsplit(issuer)
    host, port = parts.hostname or issuer, str(parts.port or 443)
    return {"issuer": issuer, "url": metadata_url(issuer), "host": host, "port": port}


def issuer_pod(
    issuer: str, values: Mapping[str, Any], images: Images, pod: JobPod, release_name: str
) -> dict[str, Any]:
    """Return metadata and spec of a pod that the policies take for the API server.

    Args:
        issuer: Its URL.
        values: The values of the release, with the chart's own below them.
        images: The Airflow image.
        pod: What a team says of all pods, with the API server's own files.
        release_name: Value of the chart's label `release`.
    """
    environment = plain_variables(values, VALUES_OF)
    command = ["python", "-c", SCRIPT, metadata_url(issuer)]
    return component_pod("api-server", command, environment, images=images, pod=pod, release_name=release_name)


def issuer_finding(answer: str, about: Mapping[str, Any]) -> Finding:
    """Return what the script's answer means.

    Args:
        answer: What the script wrote.
        about: See `issuer_about`, and the stack.
    """
    said, url, change = json.loads(answer), about["url"], _SET.format(stack=about["stack"])
    if "error" in said:
        return explained(CHECK, str(said["error"]), _REASONS, about)
    status, document = said["status"], said["document"]
    expected = f"airflow:oidcIssuer: expected the metadata of an issuer at {url}, found"
    other = f"open this address in a browser, and then: {change} (Keycloak: https://HOST/realms/REALM)"
    if status == _BUSY or status >= _BROKEN:
        return failed(CHECK, f"{expected} HTTP {status}", "look at the issuer", outage=True)
    if status >= 400:
        return failed(CHECK, f"{expected} HTTP {status}", other)
    if document is None:
        return failed(CHECK, f"{expected} something that is no JSON object, such as a page for people", other)
    missing = [name for name, value in document.items() if not isinstance(value, str) or not value]
    if missing:
        return failed(CHECK, f"{expected} none of its {' and '.join(missing)}, which the login needs", other)
    return _named(str(document["issuer"]), about, change)


def _named(named: str, about: Mapping[str, Any], change: str) -> Finding:
    """Return what it means that the metadata names this issuer, which every ID token must then name too."""
    issuer = about["issuer"]
    if named.rstrip("/") == issuer:
        return passed(CHECK, f"{issuer} has the metadata that the login needs")
    what = f"airflow:oidcIssuer: expected that the metadata of {issuer} names it as the issuer, found {named}"
    if "{" in named:
        # Entra ID's `common` and `organizations`: no token has this text.
        return failed(CHECK, f"{what}, which stands for many issuers", f"{change}, with the tenant's own in it")
    # The login compares tokens with the metadata alone, so that it may work.
    fix = f"if people cannot log in, set what it names: pulumi config set --stack {about['stack']} airflow:oidcIssuer "
    return Finding(check=CHECK, verdict=Verdict.WARNING, what=what, fix=f"{fix}{named.rstrip('/')}")
