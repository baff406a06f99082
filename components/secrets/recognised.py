"""Finds secrets that nothing marks, by their names and shapes, so that a masker hides them in every other form too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.secrets.encodings import is_words, texts
from components.secrets.masker import SHOWN, Masker


def recognised(value: Any) -> frozenset[str]:
    """Return the secrets that a masker recognises in a value.

    Words alone are left out: hidden wherever they stand, they would garble other texts, and the masks would tell them.
    """
    finder = _Finder()
    finder.value(value)
    return frozenset(text for text in finder.found if not is_words(text))


class _Finder(Masker):
    """Keeps what it hides."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def secret(self, value: Any) -> Any:
        self.found.update(_leaves(value))
        return SHOWN

    def _mask(self, hidden: str) -> str:
        self.found.add(hidden)
        return SHOWN


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple):
        yield from texts(value)
    else:
        yield str(value)
