"""Dotted paths into Helm values: `workers.celery.sets[0].env`. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

from components.kube.any_form import MAPS


def at(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path through maps, or None where there is none."""
    current: Any = values
    for part in path.split("."):
        if not isinstance(current, MAPS) or part not in current:
            return None
        current = current[part]
    return current


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return maps in which `value` is at `path`."""
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)


def under(path: str, roots: Container[str]) -> str | None:
    """Return the shortest of `roots` that is `path` or a parent of it, or None."""
    parts = path.split(".")
    return next((root for n in range(1, len(parts) + 1) if (root := ".".join(parts[:n])) in roots), None)


def leaf_paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the paths of all leaves; a list or an empty map is a leaf."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, MAPS) and value:
            yield from leaf_paths(value, f"{path}.")
        else:
            yield path


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of each scalar, empty map and empty list, through lists too."""
    if isinstance(value, MAPS) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def without_numbers(path: str) -> str:
    """Return the path without the positions in lists: `sets.env` for `sets[0].env[1]`."""
    return re.sub(r"\[\d+\]", "", path)


def without_nulls(values: Any) -> Any:
    """Return the values without each key whose value is null: Helm deletes it, and its default, before it validates."""
    if isinstance(values, Mapping):
        return {key: without_nulls(value) for key, value in values.items() if value is not None}
    return values
