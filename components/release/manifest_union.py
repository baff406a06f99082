"""The union of Helm manifests: everything that any of them may have put into the cluster.

Helm upgrades by a three-way merge of the last deployed manifest, the new manifest and the live objects. A field or an
object that only a failed revision brought is in neither manifest, so Helm keeps it: a request for 50 CPUs would stay on
the scheduler for ever. With the union as the last deployed manifest, Helm removes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_MERGE_KEYS: Final = ("name", "mountPath", "containerPort", "port", "key", "ip", "topologyKey")
"""Keys that identify the elements of a list (patchMergeKey of the Kubernetes API); the first that all have is used."""
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON allows and YAML forbids or reads as a line end (yaml.org/spec/1.1, section 5)."""


def manifest_union(manifests: Iterable[str]) -> str:
    """Return one manifest with every object and every field of `manifests` (YAML streams). A later value wins."""
    objects: dict[tuple[str, ...], Any] = {}
    for manifest in manifests:
        for item in _objects(manifest):
            metadata = item["metadata"]
            key = (item["apiVersion"], item["kind"], metadata.get("namespace") or "", metadata["name"])
            objects[key] = _union(objects[key], item) if key in objects else item
    return "".join(f"---\n{_written(item)}\n" for item in objects.values())


def _written(item: Any) -> str:
    """Return JSON that is also YAML. JSON's escape of a character beyond U+FFFF, as two halves, is not."""
    text = json.dumps(item, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _objects(manifest: str) -> list[dict[str, Any]]:
    import yaml

    from components.kube.safe_yaml import SafeLoader

    class Loader(SafeLoader):  # type: ignore[misc]
        """A loader without timestamps: Kubernetes has none, and text that looks like one must stay text."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    return [item for item in yaml.load_all(manifest, Loader=Loader) if item]


def _union(below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        keys = [*below, *(key for key in above if key not in below)]
        return {
            key: _union(below[key], above[key]) if key in below and key in above else {**below, **above}[key]
            for key in keys
        }
    if isinstance(below, list) and isinstance(above, list):
        return _list_union(below, above)
    return above


def _list_union(below: list[Any], above: list[Any]) -> list[Any]:
    merge_key = next((key for key in _MERGE_KEYS if all(_has(item, key) for item in [*below, *above])), None)
    if merge_key is None:
        return [*below, *(item for item in above if item not in below)]
    merged = {item[merge_key]: item for item in below}
    for item in above:
        name = item[merge_key]
        merged[name] = _union(merged[name], item) if name in merged else item
    return list(merged.values())


def _has(item: Any, key: str) -> bool:
    return isinstance(item, Mapping) and key in item
