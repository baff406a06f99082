"""What Hypothesis finds out in each new checkout, said at once."""

from __future__ import annotations

from typing import Final

from hypothesis.internal import charmap
from hypothesis.internal.intervalsets import IntervalSet

_ALL_BUT_SURROGATES: Final = IntervalSet(((0, 0xD7FF), (0xE000, 0x10FFFF)))


def lighten_hypothesis() -> None:
    """Say which characters UTF-8 can write. Hypothesis tries each of a million, and takes two seconds for that."""
    by_trial = charmap.intervals_from_codec
    utf8 = (_ALL_BUT_SURROGATES, IntervalSet())
    vars(charmap).update(intervals_from_codec=lambda codec: utf8 if codec == "utf-8" else by_trial(codec))
