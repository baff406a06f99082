"""Pods in objects of Kubernetes: templates, containers, numbers of pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from components.kube.any_form import entries, mapping
from policy.model import UNKNOWN, RenderedObject, get

SERVERS: Final = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose pods run until they are removed."""
_TEMPLATES: Final = {
    **dict.fromkeys((*SERVERS, "ReplicaSet", "Job"), "spec.template"),
    "CronJob": "spec.jobTemplate.spec.template",
}


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a pod."""

    name: str
    """The name, "" if it has none."""
    init: bool
    """Whether it ends before the others start."""
    body: Mapping[str, Any]
    """The whole container."""


def pod_of(rendered: RenderedObject) -> Mapping[str, Any]:
    """Return metadata and spec of the pods that an object makes; empty if it makes none or they are not known."""
    if rendered.kind == "Pod":
        return rendered.body
    return mapping(get(rendered.body, _TEMPLATES[rendered.kind])) if rendered.kind in _TEMPLATES else {}


def containers(rendered: RenderedObject) -> list[Container]:
    """Return all known containers, init containers first."""
    return rendered.made_by(_containers)


def _containers(rendered: RenderedObject) -> list[Container]:
    return list(_in_pod(rendered))


def _in_pod(rendered: RenderedObject) -> Iterator[Container]:
    spec = mapping(pod_of(rendered).get("spec"))
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for body in entries(spec.get(key)):
            yield Container(name=str(body.get("name") or ""), init=key == "initContainers", body=body)


def replicas(rendered: RenderedObject) -> int:
    """Return the pods of a Deployment or a StatefulSet: 1 by Kubernetes' default, 0 if the number is not known."""
    number = get(rendered.body, "spec.replicas")
    if number is UNKNOWN or rendered.kind not in ("Deployment", "StatefulSet"):
        return 0
    return int(number) if isinstance(number, int | float) else 1


def labels(rendered: RenderedObject) -> Mapping[str, Any]:
    """Return the labels of the pods that an object makes."""
    return mapping(get(pod_of(rendered), "metadata.labels"))


def selects(selector: Any, pod_labels: Mapping[str, Any]) -> bool:
    """Tell whether a selector selects a pod.

    `matchLabels` counts, which is all that the chart writes, and of `matchExpressions` what this program writes:
    `DoesNotExist`. A selector with anything else selects no pod.
    """
    wanted = mapping(selector)
    if not set(wanted) <= {"matchLabels", "matchExpressions"} or "matchLabels" not in wanted:
        return False
    absent = entries(wanted.get("matchExpressions"))
    if any(
        expression.get("operator") != "DoesNotExist" or expression.get("key") in pod_labels for expression in absent
    ):
        return False
    return mapping(wanted["matchLabels"]).items() <= pod_labels.items()
