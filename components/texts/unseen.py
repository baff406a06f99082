"""Characters that nobody sees: they steer a terminal, turn the text around, or hide a part of it."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

HIDING: Final = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
    "\\U000e0000-\\U000e007f"
)
"""Controls but for tab and line feed, other ends of lines, marks of direction, and characters without a width.

It is the content of a character class of a regular expression. In a file that is reviewed, a text after one of them may
be read as something else than it seems: `# a comment`, U+2028 and a key.
"""
_HIDING: Final = re.compile(f"[{HIDING}]")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode: controls, formats, halves of characters, private and unassigned ones, separators of lines."""


def hiding(text: str) -> tuple[int, str] | None:
    """Return line and name, such as U+2028, of the first character that could hide something; None if there is none.

    A carriage return before a line feed hides nothing.
    """
    found = _HIDING.search(text.replace("\r\n", " \n"))
    return found and (text.count("\n", 0, found.start()) + 1, f"U+{ord(found[0]):04X}")


def written_out(text: str, kept: str = "") -> str:
    """Return a text in which each character that nobody sees is an escape of JSON; those of `kept` stay as they are."""
    if text.isprintable():
        return text
    return "".join(
        json.dumps(character)[1:-1]
        if unicodedata.category(character) in _UNSEEN and character not in kept
        else character
        for character in text
    )
