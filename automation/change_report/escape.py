"""Foreign text in Markdown: it shows as it is, and makes nothing of its own: no link, no mention, no table, no HTML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

_SIMPLE: Final = re.compile(r"[^`|\\]+")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LONGEST: Final = 300


def visible(text: str) -> str:
    """One line, in which characters that cannot be seen or that turn the text around are written out."""
    return "".join(
        f"\\u{ord(character):04x}" if unicodedata.category(character) in _UNSEEN else character
        for character in text.replace("\n", "\\n").replace("\t", " ")
    )


def short(text: str, longest: int = _LONGEST) -> str:
    """A text, cut where it is long."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def code(text: str) -> str:
    """A code span: in it nothing has a meaning. A bar would end a cell of a table, wherever it stands."""
    text = short(visible(text))
    if not text.strip():
        return f"`{text or ' '}`" if text else "``(empty)``"
    return f"`{text}`" if _SIMPLE.fullmatch(text) else html_code(text)


def html_code(text: str) -> str:
    """The same as HTML, for where Markdown is not read; every character that could mean anything is a reference."""
    written = "".join(
        character if character.isalnum() or character in " -" else f"&#{ord(character)};"
        for character in short(visible(text))
    )
    return f"<code>{written}</code>"


def fenced(lines: Iterable[str], language: str = "") -> str:
    """A block of code. Its fence is longer than any in it."""
    written = [short(visible(line), 2 * _LONGEST) for line in lines]
    longest = max((len(run) for line in written for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *written, fence])


def sentence(text: str, names: Sequence[str]) -> str:
    """A sentence of ours with names of others in it."""
    return text.format(*map(code, names))
