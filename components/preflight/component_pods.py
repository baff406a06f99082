"""Pods that network policies take for those of a component, and in which one script tries what the component does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from components.chart_values.value_paths import at
from components.database.job_template import job_template
from components.kube.env import NO_DATABASE_CHECK
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.preflight.pod_surroundings import texts

_NEVER_READY: Final = {"exec": {"command": ["false"]}, "initialDelaySeconds": 3600}
"""A readiness probe: the Services of the release select these pods by their labels, and must not send them anything."""


def component_pod(
    component: str,
    command: Sequence[Any],
    environment: Sequence[Mapping[str, Any]],
    *,
    images: Images,
    pod: JobPod,
    release_name: str,
) -> dict[str, Any]:
    """Return metadata and spec of a pod with the labels of a component.

    Args:
        component: Value of the chart's label `component`.
        command: Command of the only container.
        environment: Its variables. They come before those of all pods with the same names.
        images: The Airflow image.
        pod: What a team says of all pods.
        release_name: Value of the chart's label `release`.
    """
    environment = [*environment, NO_DATABASE_CHECK]
    given = {str(entry["name"]) for entry in environment}
    template = job_template(
        images,
        {"tier": "airflow", "component": component, "release": release_name},
        command,
        [*environment, *(entry for entry in pod.env if str(entry["name"]) not in given)],
        ca_config_map=None,
        pod=pod,
    )
    [container] = template["spec"]["containers"]
    containers = [{**container, "readinessProbe": _NEVER_READY}]
    return {**template, "spec": {**template["spec"], "containers": containers}}


def plain_variables(values: Mapping[str, Any], values_of: str) -> list[Mapping[str, Any]]:
    """Return a component's variables that need no Secret, such as a proxy and the file with a team's authorities."""
    return [entry for entry in at(values, f"{values_of}.env") or () if "valueFrom" not in entry]


def with_own_files(pod: JobPod, helm_values: Mapping[str, Any], values_of: str) -> JobPod:
    """Return a team's values for all pods with what it gives a component: volumes, such as certificates, labels."""
    own = at(helm_values, values_of) or {}
    return replace(
        pod,
        labels={**pod.labels, **texts(own.get("labels") or {})},
        annotations={**pod.annotations, **texts(own.get("podAnnotations") or {})},
        volumes=(*pod.volumes, *(own.get("extraVolumes") or ())),
        volume_mounts=(*pod.volume_mounts, *(own.get("extraVolumeMounts") or ())),
    )
