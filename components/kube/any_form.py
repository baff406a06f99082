"""Reading values of any form, as people, charts and clusters write them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAPS: Final = (dict, Mapping)
"""What a map is. Most are a dict, which Python recognises several times faster than any other Mapping."""


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a map, else an empty map."""
    return value if isinstance(value, MAPS) else {}


def items(value: Any) -> list[Any]:
    """Return the value if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def entries(value: Any) -> list[Mapping[str, Any]]:
    """Return the maps in a list."""
    return [item for item in items(value) if isinstance(item, MAPS)]
