"""The commands of a page of the documentation, as a reader follows them: only placeholders are filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.samples import ROOT

_BLOCK: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of commands."""

    heading: str
    """The nearest heading above it."""
    text: str

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the commands with the reader's values. Each placeholder must be in them: a typing error would pass."""
        text = self.text
        # The longest first: KEY_ID begins as KEY does.
        for placeholder in sorted(values, key=len, reverse=True):
            text, count = re.subn(rf"\b{re.escape(placeholder)}\b", lambda _, v=values[placeholder]: v, text)  # type: ignore[misc]
            assert count, f"{placeholder} is not in:\n{self.text}"
        return text


def blocks(page: str, heading: str) -> list[Block]:
    """Return the blocks of commands below a heading of a page in docs/, in their order."""
    return [block for block in _blocks(page) if block.heading == heading]


def _blocks(page: str) -> list[Block]:
    text = (ROOT / "docs" / page).read_text()
    headings = [(found.start(), found[1]) for found in _HEADING.finditer(text)]
    return [
        Block(
            [heading for start, heading in headings if start < found.start()][-1],
            "\n".join(line.removeprefix(found[1]) for line in found[3].splitlines()),
        )
        for found in _BLOCK.finditer(text)
        if found[2] == "sh"
    ]
