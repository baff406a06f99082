"""Tells generated keys and passwords from words, by the length and the characters of both."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Final

LENGTHS: Final = (24, 40, 64, 96)
"""Characters of the generated keys and passwords (tested against components/keys/airflow_keys.py)."""
_LEAST_DIGITS: Final = 2
_LEAST_CHANGES: Final = 0.4
"""The least part of the steps from one character to the next that change between capitals, small letters, digits and
the rest. Random text of letters and digits has 0.6, names in CamelCase have half of that."""
_LEAST_BITS: Final = 0.8
"""The least part of the bits per character that the length allows (its binary logarithm, at most 6). Random text has
0.85 or more."""


def looks_generated(word: str) -> bool:
    """Tell whether a word has the length of a generated key, and characters as if by chance."""
    if len(word) not in LENGTHS:
        return False
    kinds = [_kind(character) for character in word]
    if not {"a", "A"} <= set(kinds) or kinds.count("0") < _LEAST_DIGITS:
        return False
    changes = sum(first != second for first, second in itertools.pairwise(kinds)) / (len(word) - 1)
    return changes >= _LEAST_CHANGES and _bits(word) >= _LEAST_BITS * min(6, math.log2(len(word)))


def _kind(character: str) -> str:
    if character.isdigit():
        return "0"
    return "a" if character.islower() else "A" if character.isupper() else "-"


def _bits(word: str) -> float:
    """Return Shannon's entropy of one character."""
    shares = [count / len(word) for count in Counter(word).values()]
    return -sum(share * math.log2(share) for share in shares)
