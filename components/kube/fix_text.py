"""What divides an error into what is wrong and what to do. In a text of others it divides nothing."""

from __future__ import annotations

from typing import Final

FIX: Final = ". Fix: "
"""Between what is wrong and what to do, in every text of an error."""
_WORD: Final = "Fix:"


def without_fix(text: str) -> str:
    """Return a text in which nothing passes for a remedy of this program: who reads one may copy it into a shell."""
    return text.replace(_WORD, _WORD.lower())


def with_fix(what: str, fix: str) -> str:
    """Return the text of an error. what: what is wrong; it may quote others. fix: what to do, "" for nothing."""
    return f"{without_fix(what)}{FIX}{fix}" if fix else without_fix(what)
