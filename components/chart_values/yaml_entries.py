"""Lists that are YAML in a text, below entries of the chart's own, such as `extraEnv`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from components.chart_values.value_paths import at
from components.kube.safe_yaml import load_yaml

_BEFORE: Final = "- name: of_the_chart\n"
"""An entry such as the chart writes before the text. The text must have the same indentation."""


def yaml_entries(values: Mapping[str, Any], path: str) -> list[Any]:
    """Return the entries of the text at a path, [] if there is no text. Raises YAMLError, ValueError."""
    text = at(values, path)
    if not isinstance(text, str):
        return []
    entries: list[Any] = load_yaml(_BEFORE + text)
    return entries[1:]
