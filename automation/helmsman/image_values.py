"""The Helm values of the Airflow image: one file, in which one line changes the tag."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from automation.helmsman.source import NotExportable
from automation.yaml_text import quoted

REPOSITORY_KEYS: Final = (
    ("images", "airflow", "repository"),
    ("images", "pod_template", "repository"),
    ("defaultAirflowRepository",),
    ("config", "kubernetes_executor", "worker_container_repository"),
)
TAG_KEYS: Final = (
    ("images", "airflow", "tag"),
    ("images", "pod_template", "tag"),
    ("defaultAirflowTag",),
    ("config", "kubernetes_executor", "worker_container_tag"),
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
        leading = value_at(values, keys[0])
        if not isinstance(leading, str):
            raise NotExportable(
                f"expected a text in the Helm value {'.'.join(keys[0])}, found {leading!r}", "see airflow:helmValues"
            )
        for path in keys:
            if value_at(values, path) == leading:
                _set(image, path, leading)
                _drop(rest, path)
    return rest, image


def image_lines(image: Mapping[str, Any], parents: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the image's values as YAML. Repository and tag stand once, so that one line is changed."""
    indent = "  " * len(parents)
    for key in sorted(image, key=lambda key: (key != "images", key)):
        path = (*parents, key)
        if isinstance(image[key], Mapping):
            yield f"{indent}{key}:"
            yield from image_lines(image[key], path)
            continue
        anchor = "repository" if path in REPOSITORY_KEYS else "tag"
        # Always quoted: a tag such as 3.10 or 1e5 is no number.
        leads = path in (REPOSITORY_KEYS[0], TAG_KEYS[0])
        yield f"{indent}{key}: " + (f"&{anchor} {quoted(image[key])}" if leads else f"*{anchor}")


def value_at(values: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path, or None where there is none."""
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _set(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
    values[path[-1]] = value


def _drop(values: dict[str, Any], path: tuple[str, ...]) -> None:
    """Remove a key, and the maps that are empty without it."""
    if len(path) > 1:
        _drop(values[path[0]], path[1:])
        if values[path[0]]:
            return
    del values[path[0]]
