"""Finds the name that a misspelt one means. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_MOST_NAME: Final = 100
"""A search takes its time for each letter."""


def likely_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like another one, whatever its case and underscores, or None."""
    words = {word.lower(): word for word in known}
    close = difflib.get_close_matches(name[:_MOST_NAME].replace("_", "").lower(), words, n=1)
    return words[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return how the problem of a misspelt name goes on, or ""."""
    found = likely_name(name, known)
    return f"; did you mean {found}?" if found else ""
