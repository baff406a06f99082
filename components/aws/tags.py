"""What AWS takes as tags (docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

MOST_TAGS: Final = 50
_MOST_KEY: Final = 128
_MOST_VALUE: Final = 256
_RESERVED: Final = ("aws:", "rds:")
"""RDS reserves the second one (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Tagging.html)."""
_MARKS: Final = frozenset("_.:/=+-@")
_SPACES_AND_TEXT: Final = "LNZ"
"""First letters of the Unicode categories of letters, numbers and spaces."""


def tag_problems(tags: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with each bad tag, by its key; by "" what is wrong with all of them together."""
    problems = {key: problem for key, value in tags.items() if (problem := _problem(key, value))}
    if len(tags) > MOST_TAGS:
        problems[""] = f"expected at most {MOST_TAGS} tags, found {len(tags)}"
    return problems


def _problem(key: str, value: str) -> str | None:
    if not key or len(key) > _MOST_KEY:
        return f"expected keys of 1 to {_MOST_KEY} characters, found {len(key)}"
    if len(value) > _MOST_VALUE:
        return f"expected values of at most {_MOST_VALUE} characters, found {len(value)}"
    if key.lower().startswith(_RESERVED):
        return f"expected keys without the prefix {key[:4].lower()}, which AWS reserves in any case, found one with it"
    if not _is_plain(key) or not _is_plain(value):
        return "expected letters, digits, spaces and _ . : / = + - @ in keys and values, found another character"
    return None


def _is_plain(text: str) -> bool:
    return all(character in _MARKS or unicodedata.category(character)[0] in _SPACES_AND_TEXT for character in text)
