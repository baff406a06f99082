"""Finds a null in the place of a map whose entries the chart's templates read: Helm could render nothing. Pure.

Helm deletes a default by a null. Of a single value, a list, a section of airflow.cfg or an object of Kubernetes, such
as a strategy, nothing is left then, and the chart does without. Of a map of its own, it asks for the entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.value_paths import at, leaf_paths

_OF_KUBERNETES: Final = "#/definitions/io.k8s."
_CONFIG: Final = "config"
_CONTEXTS: Final = "securityContexts"
_READ_SECTIONS: Final = ("celery_kubernetes_executor", "webserver")
"""Sections of airflow.cfg of which the chart's templates read options: the test renders without each of the others."""


def null_problems(
    helm_values: Mapping[str, Any], defaults: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each such null.

    Args:
        helm_values: The user's values.
        defaults: The chart's values.yaml.
        schema: The chart's values.schema.json.
    """
    for path in leaf_paths(helm_values):
        # A null of a security context deletes nothing: the program's stays (see `security_contexts`).
        if at(helm_values, path) is None and _CONTEXTS not in path and _read_by_entry(path, defaults, schema):
            switch = f"{path}.enabled"
            way = f"set {switch} to false" if at(defaults, switch) is not None else "leave it out"
            yield path, f"{path}: expected a map, found nothing, and the chart reads its entries; {way}"


def _read_by_entry(path: str, defaults: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    default = at(defaults, path)
    if not isinstance(default, Mapping) or not default:
        return False
    parent, _, key = path.rpartition(".")
    if parent == _CONFIG:
        return key in _READ_SECTIONS
    node: Mapping[str, Any] = schema
    for part in path.split("."):
        node = _resolved(node, schema).get("properties", {}).get(part, {})
    return "properties" in _resolved(node, schema)


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference in the schema names; nothing for an object of Kubernetes, which is passed on whole."""
    reference = str(node.get("$ref", ""))
    if not reference:
        return node
    if reference.startswith(_OF_KUBERNETES):
        return {}
    found: Mapping[str, Any] = schema["definitions"][reference.rpartition("/")[2]]
    return found
