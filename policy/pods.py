"""Pods in objects of Kubernetes: templates, containers, numbers of pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policy.model import UNKNOWN, RenderedObject, entries, get, mapping

SERVERS: Final = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose pods are there until somebody takes them away."""
_TEMPLATES: Final = {
    **dict.fromkeys((*SERVERS, "ReplicaSet", "Job"), "spec.template"),
    "CronJob": "spec.jobTemplate.spec.template",
}


@dataclass(frozen=True, kw_only=True)
class Container:
    """name: "" where it has none. init: it ends before the others start. body: all of it."""

    name: str
    init: bool
    body: Mapping[str, Any]


def pod_of(rendered: RenderedObject) -> Mapping[str, Any]:
    """Metadata and spec of the pods that an object makes; empty where it makes none, or nobody knows which."""
    if rendered.kind == "Pod":
        return rendered.body
    return mapping(get(rendered.body, _TEMPLATES[rendered.kind])) if rendered.kind in _TEMPLATES else {}


def containers(rendered: RenderedObject) -> Iterator[Container]:
    """All that are known, init containers first."""
    spec = mapping(pod_of(rendered).get("spec"))
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for body in entries(spec.get(key)):
            yield Container(name=str(body.get("name") or ""), init=key == "initContainers", body=body)


def replicas(rendered: RenderedObject) -> int:
    """Pods of a Deployment or a StatefulSet: 1 where it does not say (Kubernetes' default); 0 where nobody knows."""
    number = get(rendered.body, "spec.replicas")
    if number is UNKNOWN or rendered.kind not in ("Deployment", "StatefulSet"):
        return 0
    return int(number) if isinstance(number, int | float) else 1


def labels(rendered: RenderedObject) -> Mapping[str, Any]:
    """Of the pods."""
    return mapping(get(pod_of(rendered), "metadata.labels"))


def selects(selector: Any, pod_labels: Mapping[str, Any]) -> bool:
    """By `matchLabels` alone, which is all that the chart writes; a selector of anything else selects nothing here."""
    wanted = mapping(selector)
    return set(wanted) == {"matchLabels"} and mapping(wanted["matchLabels"]).items() <= pod_labels.items()
