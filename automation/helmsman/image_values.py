"""The Helm values of the Airflow image: one file, in which one line changes the tag."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from automation.helmsman.source import NotExportable
from automation.yaml_text import quoted
from components.chart_values.chart_defaults import merged
from components.chart_values.value_paths import at, nested

REPOSITORY_KEYS: Final = (
    "images.airflow.repository",
    "images.pod_template.repository",
    "defaultAirflowRepository",
    "config.kubernetes_executor.worker_container_repository",
)
TAG_KEYS: Final = (
    "images.airflow.tag",
    "images.pod_template.tag",
    "defaultAirflowTag",
    "config.kubernetes_executor.worker_container_tag",
)
"""Helm values that follow the first of them, as `components.kube.images` sets them (tested)."""


def split_image(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values without the image's repository and tag, and these alone. Merged, they are all values.

    A value that names another image than `images.airflow` stays: with a digest, task pods have another notation.

    Raises:
        NotExportable: `images.airflow` has no text as its repository or tag.
    """
    rest, image = copy.deepcopy(dict(values)), dict[str, Any]()
    for keys in (REPOSITORY_KEYS, TAG_KEYS):
        leading = at(values, keys[0])
        if not isinstance(leading, str):
            raise NotExportable(
                f"expected a text in the Helm value {keys[0]}, found {leading!r}", "see airflow:helmValues"
            )
        for path in keys:
            if at(values, path) == leading:
                image = merged(image, nested(path, leading))
                _drop(rest, path.split("."))
    return rest, image


def image_lines(image: Mapping[str, Any], parents: str = "") -> Iterator[str]:
    """Yield the image's values as YAML. Repository and tag stand once, so that one line is changed."""
    indent = "  " * parents.count(".")
    for key in sorted(image, key=lambda key: (key != "images", key)):
        path = f"{parents}{key}"
        if isinstance(image[key], Mapping):
            yield f"{indent}{key}:"
            yield from image_lines(image[key], f"{path}.")
            continue
        anchor = "repository" if path in REPOSITORY_KEYS else "tag"
        # Always quoted: a tag such as 3.10 or 1e5 is no number.
        leads = path in (REPOSITORY_KEYS[0], TAG_KEYS[0])
        yield f"{indent}{key}: " + (f"&{anchor} {quoted(image[key])}" if leads else f"*{anchor}")


def _drop(values: dict[str, Any], path: Sequence[str]) -> None:
    """Remove a key, and the maps that are empty without it."""
    if len(path) > 1:
        _drop(values[path[0]], path[1:])
        if values[path[0]]:
            return
    del values[path[0]]
