"""How a warning names several things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_NAMED: Final = 8


def listed(text: str, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return a sentence with places for the first names in place of `{}`, and these names."""
    shown = tuple(names[:_NAMED])
    places = ", ".join(f"{{{index}}}" for index in range(len(shown)))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return text.replace("{}", places + more), shown
