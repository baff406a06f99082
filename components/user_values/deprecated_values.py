"""Deprecated values of the chart, each with the value that replaces it, as the text of the chart's schema names it.

The chart after 1.22.0 removes them (apache/airflow #66671, #68036). Without its text, they are known by their form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_NEW: Final = ("celery", "kubernetes")
"""Keys of `workers` that are no old spelling: every other one is, of a key of the same name below one of these."""
_MOVED: Final = {"securityContext": "securityContexts.pod"}
"""Keys of components that a later chart lacks, each with what took its place."""
_REPLACEMENT: Final = re.compile(r"(?:use|renamed to):? `+([\w.\[\]*]+?)(?:\[\*\][\w.\[\]*]*)?`+", re.IGNORECASE)


def replacements(path: str, schema: Mapping[str, Any]) -> list[str]:
    """Return the path or paths to use instead of a deprecated one, nothing for one that is not deprecated.

    Args:
        path: Path of a value, or below a value.
        schema: The chart's values.schema.json.
    """
    parts = path.split(".")
    if parts[0] == "workers" and len(parts) > 1 and parts[1] not in _NEW:
        return _of_workers(parts, schema)
    node = schema
    for number, part in enumerate(parts):
        siblings = node.get("properties", {})
        if part not in siblings and _MOVED.get(part, "").partition(".")[0] in siblings:
            return [".".join([*parts[:number], _MOVED[part]])]
        node = siblings.get(part, {})
        if "deprecated" in str(node.get("description", "")).lower():
            return [_in_text(str(node["description"]), parts[:number])]
    return []


def _of_workers(parts: list[str], schema: Mapping[str, Any]) -> list[str]:
    workers = schema["properties"]["workers"]["properties"]
    key = parts[1]
    if key not in workers and not workers.keys() <= {*_NEW}:
        return []
    rest = parts[1:]
    if key == "securityContext":
        rest = ["securityContexts", "pod", *parts[2:]]
    elif rest[:2] == ["securityContexts", "containers"]:
        rest = ["securityContexts", "container", *rest[2:]]
    kinds = [kind for kind in _NEW if rest[0] in workers[kind]["properties"]]
    return [".".join(["workers", kind, *rest]) for kind in kinds]


def _in_text(text: str, parents: list[str]) -> str:
    found = _REPLACEMENT.search(text)
    new = found[1] if found else "what values.yaml of the chart names"
    if new == "securityContexts":
        new += ".pod"
    return ".".join([*parents, new]) if "." not in new or new == "securityContexts.pod" else new


def deprecated_paths(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the path of each deprecated value."""
    for key, node in schema.get("properties", {}).items():
        path = f"{prefix}{key}"
        alias = prefix == "workers." and key not in _NEW
        if alias or "deprecated" in str(node.get("description", "")).lower():
            yield path
        else:
            yield from deprecated_paths(node, f"{path}.")
