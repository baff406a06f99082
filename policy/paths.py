"""Ways through nested plain values, in which any part may be missing or unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policy.model import UNKNOWN

Path = tuple[str | int, ...]


def get(value: Any, path: str) -> Any:
    """What is at a dotted path: None where nothing is, UNKNOWN where something on the way is not known."""
    for part in path.split("."):
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a map, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def entries(value: Any) -> list[Mapping[str, Any]]:
    """The maps of a list."""
    return [item for item in items(value) if isinstance(item, Mapping)]


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value at any depth with its path, containers before what is in them."""
    yield path, value
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, (*path, index))


def has_unknown(value: Any) -> bool:
    """Something in it is not known, at any depth."""
    return any(item is UNKNOWN for _, item in walk(value))


def dotted(path: Path) -> str:
    """`scheduler.env[0].value`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
