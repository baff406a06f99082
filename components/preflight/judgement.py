"""Decides which findings of a check fail and which warn, for the hooks of an update and for the verb `preflight`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from components.kube.client import KubeApi
from components.kube.kubeconfig import KubeUnreachable
from components.kube.rest import KubeRequestFailed
from components.preflight.checks import DOCUMENT, CheckKind, made
from components.preflight.finding import Finding, Preflight, softened

LABELS: Final = {"component": "preflight"}
"""Labels of the ConfigMaps that hold the documents."""


def judged(
    api: KubeApi,
    namespace: str,
    text: str,
    stack: str,
    *,
    mode: Preflight,
    release_name: str,
    clean: Callable[[str], str],
    sleep: Callable[[float], object] | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> tuple[Finding, ...]:
    """Make the checks of a document, and say which of their failures are warnings.

    Args:
        api: The cluster.
        namespace: Where pods run for the checks.
        text: The document.
        stack: The stack's name, for commands.
        mode: What a failure does.
        release_name: Name of the Helm release, by which a running stack is known.
        clean: Masks secrets in a text.
        sleep: Waits so many seconds; it may raise, which ends the checks. None takes the system's.
        tell: Is told in one line what a check waits for.
    """
    findings = made(api, namespace, text, stack, clean, sleep, tell)
    if mode is Preflight.WANTED:
        return softened(findings, all_of_them=True)
    if any(item.outage for item in findings) and _worked(api, namespace, json.loads(text), release_name):
        return softened(findings, all_of_them=False)
    return findings


def _worked(api: KubeApi, namespace: str, document: Mapping[str, Any], release_name: str) -> bool:
    """Whether the release runs with what a check is about: a host, or AWS. It then is down, and not wrong."""
    kind = CheckKind(document["kind"])
    if kind not in (CheckKind.GIT, CheckKind.LOGIN, CheckKind.AWS):
        return False
    labels = {"owner": "helm", "name": release_name, "status": "deployed"}
    try:
        if not api.items("v1", "Secret", namespace, labels=labels, metadata_only=True):
            return False
        if kind is CheckKind.AWS:
            return True
        earlier = [
            json.loads(item["data"][DOCUMENT]) for item in api.items("v1", "ConfigMap", namespace, labels=LABELS)
        ]
    except (KubeRequestFailed, KubeUnreachable):
        return False
    hosts = {item["about"]["host"] for item in earlier if item["kind"] == kind.value}
    # Without any of Git, an earlier version of the program deployed it.
    return (kind is CheckKind.GIT and not hosts) or document["about"]["host"] in hosts
