"""Imports modules when they are first used, so that a verb loads only what it needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class _Late:
    """Stands for a module."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


def late(*names: str) -> list[Any]:
    """Return modules of this package. Call it in the `else` of `if TYPE_CHECKING`, which has the real imports."""
    return [_Late(f"{__package__}.{name}") for name in names]
