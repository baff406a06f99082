"""Foreign text in Markdown. It shows as it is and makes no link, mention, table or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from components.texts.unseen import written_out

_SIMPLE: Final = re.compile(r"[^`|\\]+")
_LONGEST: Final = 300


def visible(text: str) -> str:
    """Return a text as one line, with characters that cannot be seen or that turn the text around written out."""
    return written_out(text.replace("\n", "\\n").replace("\t", " "))


def short(text: str, longest: int = _LONGEST) -> str:
    """Return a text, cut where it is long."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def code(text: str) -> str:
    """Return a code span, in which nothing has a meaning. A bar is escaped: it would end a table's cell."""
    text = short(visible(text))
    if not text.strip():
        return f"`{text or ' '}`" if text else "``(empty)``"
    return f"`{text}`" if _SIMPLE.fullmatch(text) else html_code(text)


def html_code(text: str) -> str:
    """Return the same as HTML, for places where Markdown is not read; special characters are references."""
    characters = (item if item.isalnum() or item in " -" else f"&#{ord(item)};" for item in short(visible(text)))
    return f"<code>{''.join(characters)}</code>"


def fenced(lines: Iterable[str], language: str = "") -> str:
    """Return a block of code whose fence is longer than any in it."""
    written = [short(visible(line), 2 * _LONGEST) for line in lines]
    longest = max((len(run) for line in written for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *written, fence])


def sentence(text: str, names: Sequence[str]) -> str:
    """Return a sentence of ours with foreign names in it."""
    return text.format(*map(code, names))
