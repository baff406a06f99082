"""Checks that the ConfigMaps and Secrets of a team's volumes exist, such as one with the certificate of a Git host.

Without this check, a pod would wait for such a volume for ever. What the release itself makes is not looked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from components.chart_values.value_paths import at
from components.kube.client import KubeApi
from components.kube.rest import KubeRequestFailed
from components.preflight.finding import Finding, failed, passed, skipped

_COMPONENTS: Final = ("apiServer", "scheduler", "dagProcessor", "triggerer", "workers.celery", "workers.kubernetes")
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "configMap": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
}
"""Sources of a volume: the kind of the object, and the field with its name."""
_OF_THE_RELEASE: Final = ("extraConfigMaps", "extraSecrets")
_TEMPLATE: Final = "{{"
_TRIES: Final = 10
_PAUSE_SECONDS: Final = 0.5
"""Operators, such as trust-manager, put objects into each namespace as soon as it is made."""


def team_files(
    helm_values: Mapping[str, Any], of_groups: Iterable[Mapping[str, Any]] = ()
) -> tuple[dict[str, str], ...]:
    """Return kind and name of what must exist before pods with the volumes of the user's `helmValues` can start.

    Args:
        helm_values: The user's `helmValues`.
        of_groups: Values of each worker group.
    """
    made = {str(name) for path in _OF_THE_RELEASE for name in helm_values.get(path) or {}}
    if any(_TEMPLATE in name for name in made):
        return ()
    components = [at(helm_values, path) or {} for path in _COMPONENTS]
    lists = [
        helm_values.get("volumes"),
        *(own.get("extraVolumes") for own in (*components, *of_groups) if own.get("enabled") is not False),
    ]
    found = {file for volumes in lists for file in _needed(volumes or ()) if file[1] not in made}
    return tuple({"kind": kind, "name": name} for kind, name in sorted(found) if _TEMPLATE not in name)


def _needed(volumes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for volume in volumes:
        for source, (kind, field) in _KINDS.items():
            found = volume.get(source) or {}
            if found.get(field) and not found.get("optional"):
                yield kind, str(found[field])


def file_findings(
    api: KubeApi, namespace: str, wanted: Iterable[Mapping[str, str]], sleep: Callable[[float], object] | None = None
) -> tuple[Finding, ...]:
    """Return what is missing.

    Args:
        api: The cluster.
        namespace: The stack's namespace.
        wanted: See `team_files`.
        sleep: Waits so many seconds; it may raise. None takes the system's.
    """
    return tuple(_finding(api, namespace, item["kind"], item["name"], sleep or time.sleep) for item in wanted)


def _finding(api: KubeApi, namespace: str, kind: str, name: str, sleep: Callable[[float], object]) -> Finding:
    check = f"{kind} {name}"
    for _ in range(_TRIES):
        try:
            # Without what is in it: a Secret of a team is nobody's business here.
            if api.items("v1", kind, namespace, fields=f"metadata.name={name}", metadata_only=True):
                return passed(check, "is there")
        except KubeRequestFailed as error:
            return skipped(check, error.what)
        sleep(_PAUSE_SECONDS)
    return failed(
        check,
        f"airflow:helmValues: expected a {kind} {name} in namespace {namespace}, which a volume names, found none",
        "make it (the namespace is there now), and update again; or correct the volume",
    )
