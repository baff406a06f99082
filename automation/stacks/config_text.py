"""Changes values in the text of a stack's committed file, and leaves everything else as people wrote it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from automation.errors import FileInvalid
from components.kube.safe_yaml import load_yaml
from settings import PROJECT


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Return the text of a stack's file with other values of config keys, by short key; every other line stays.

    A value is always quoted: the engine reads some texts as numbers that PyYAML leaves alone (`1e5`). The place is
    found by PyYAML's marks. ruamel.yaml would write the file anew, and changes the space before comments and the
    indentation of lists.

    Raises:
        FileInvalid: The text is not a map of maps, or a key is in a map in braces or has a value of several lines.
    """
    for key, value in values.items():
        text = _with_value(text, f"{PROJECT}:{key}", value)
    return text


def _with_value(text: str, key: str, value: str) -> str:
    try:
        content = load_yaml(text) or {}
        expected = {**content, "config": {**(content.get("config") or {}), key: value}}
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        raise FileInvalid("expected YAML in the stack's file, a map of maps, found something else", "edit it") from None
    changed = _changed(text, root, key, yaml.safe_dump(value, default_style='"', width=math.inf).rstrip())
    try:
        if load_yaml(changed) == expected:
            return changed
    except yaml.YAMLError:
        pass
    raise FileInvalid(f"{key} cannot be changed in the stack's file without writing it anew", f"set {key} in an editor")


def _changed(text: str, root: yaml.Node | None, key: str, quoted: str) -> str:
    """Return the text with the value, or unchanged if there is no line for it."""
    entries = _entries(root)
    if "config" not in entries:
        return f"{text.rstrip()}\nconfig:\n  {key}: {quoted}\n"
    config = entries["config"][1]
    keys = _entries(config)
    if not keys or config.flow_style:
        return text
    if key not in keys:
        first = next(iter(keys.values()))[0].start_mark
        return f"{text[: first.index]}{key}: {quoted}\n{' ' * first.column}{text[first.index :]}"
    name, old = keys[key]
    if isinstance(old, yaml.MappingNode) and not old.flow_style and [*_entries(old)] == ["secure"]:
        old = _entries(old)["secure"][1]  # an encrypted value, which ends with its text
    if not isinstance(old, yaml.ScalarNode) or old.start_mark.line != old.end_mark.line:
        return text
    return f"{text[: name.end_mark.index]}: {quoted}{text[old.end_mark.index :]}"


def _entries(node: yaml.Node | None) -> dict[str, tuple[yaml.Node, Any]]:
    """Return the nodes of a map's keys and values by key, in their order; {} for anything else."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(name.value): (name, value) for name, value in node.value}
