"""What the pods of the preflight have in common with those of the release, read from the release's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from components.chart_values.chart_parts import part_value
from components.kube.images import Images
from components.kube.pod_security import CONTAINER

PLACEMENT: Final = ("nodeSelector", "affinity", "tolerations", "schedulerName")
"""Fields of a pod's spec that decide on its node."""


def pod_spec(values: Mapping[str, Any], component: str, images: Images, security: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of a pod's spec that all checks have.

    Args:
        values: The values of the release, with the chart's own below them.
        component: Path of the component on whose nodes the pod should run; "" for those of all pods.
        images: The images of the stack.
        security: The pod's security context.
    """
    placed = {
        field: (part_value(values, component, field) if component else None) or values.get(field) for field in PLACEMENT
    }
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "imagePullSecrets": [{"name": name} for name in images.pull_secrets],
        "securityContext": dict(security),
        "terminationGracePeriodSeconds": 1,
        **{field: value for field, value in placed.items() if value},
    }


def small_container(name: str, image: str, command: Sequence[str] = ("true",)) -> dict[str, Any]:
    """Return a container that costs next to nothing. Its image counts as pulled even if it lacks the command."""
    return {
        "name": name,
        "image": image,
        "command": list(command),
        "securityContext": CONTAINER,
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "64Mi"}},
    }


def chart_image(values: Mapping[str, Any], key: str) -> str:
    """Return the reference of one of the chart's other images, as the chart writes it."""
    image = values["images"][key]
    return f"{image['repository']}:{image['tag']}"


def processor_volumes(values: Mapping[str, Any], mounts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those of the DAG processor's further volumes that one of the mounts names."""
    wanted = {str(mount["name"]) for mount in mounts}
    given = [*(values.get("volumes") or ()), *((values.get("dagProcessor") or {}).get("extraVolumes") or ())]
    return [volume for volume in given if str(volume["name"]) in wanted]
