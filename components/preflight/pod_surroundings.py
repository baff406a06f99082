"""What a team's values give pods of Airflow around their containers: labels, annotations, variables, volumes.

The pods of the preflight have them as those of the release do. Secrets and ConfigMaps in variables are optional: the
release itself may make them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from yaml import YAMLError

from components.chart_values.value_paths import at
from components.chart_values.yaml_entries import yaml_entries
from components.kube.env import variable

_NOT_AIRFLOW: Final = ("redis", "statsd", "pgbouncer")
"""Components that the chart gives no `airflowPodAnnotations`."""
_REFERENCES: Final = ("secretKeyRef", "configMapKeyRef", "secretRef", "configMapRef")


def as_the_team_s(pod: Mapping[str, Any], helm_values: Mapping[str, Any], component: str = "") -> dict[str, Any]:
    """Return a pod with the labels and annotations of a team, which a mesh or a webhook may demand.

    Args:
        pod: Metadata and spec. Its own labels and annotations win.
        helm_values: The user's `helmValues`: what the program annotates is for its own pods alone.
        component: Path of the component whose pods it should resemble, or "" for what all pods of Airflow have.
    """
    metadata, own = pod["metadata"], (at(helm_values, component) if component else None) or {}
    everywhere = {} if component in _NOT_AIRFLOW else helm_values.get("airflowPodAnnotations") or {}
    labels = {**(helm_values.get("labels") or {}), **(own.get("labels") or {})}
    annotations = {**everywhere, **(own.get("podAnnotations") or {})}
    return {
        **pod,
        "metadata": {
            **metadata,
            "labels": {**texts(labels), **(metadata.get("labels") or {})},
            **({"annotations": {**texts(annotations), **metadata.get("annotations", {})}} if annotations else {}),
        },
    }


def texts(entries: Mapping[str, Any]) -> dict[str, str]:
    """Return labels or annotations as Kubernetes takes them. A null deletes one, as for Helm."""
    return {key: str(value) for key, value in entries.items() if value is not None}


def processor_mounts(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the mounts of the DAG processor's container that come from lists of the values."""
    return [*(values.get("volumeMounts") or ()), *(at(values, "dagProcessor.extraVolumeMounts") or ())]


def airflow_variables(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the variables of every container of Airflow (the chart's `custom_airflow_environment`)."""
    return [
        *(variable(str(entry["name"]), str(entry["value"])) for entry in values.get("env") or () if "value" in entry),
        *(
            {"name": entry["envName"], "valueFrom": {"secretKeyRef": _secret_key(entry)}}
            for entry in values.get("secret") or ()
        ),
        *_readable(values, "extraEnv"),
    ]


def variable_sources(values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the container's field for Secrets and ConfigMaps with variables in a text, such as `extraEnvFrom`."""
    sources = list(_readable(values, path))
    return {"envFrom": sources} if sources else {}


def _secret_key(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": entry["secretName"], "key": entry.get("secretKey") or "value", "optional": True}


def _readable(values: Mapping[str, Any], path: str) -> Iterator[Mapping[str, Any]]:
    """Yield the entries that are no templates of Helm's."""
    try:
        entries = yaml_entries(values, path)
    except (YAMLError, ValueError):
        return
    for entry in entries:
        if isinstance(entry, Mapping) and "{{" not in str(entry):
            yield _optional(entry)


def _optional(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an entry whose Secret or ConfigMap may be missing."""
    if isinstance(entry.get("valueFrom"), Mapping):
        return {**entry, "valueFrom": _optional(entry["valueFrom"])}
    return {key: {**value, "optional": True} if key in _REFERENCES else value for key, value in entry.items()}
