"""What Hypothesis finds out in each new checkout or process, said at once."""

from __future__ import annotations

from typing import Final

from hypothesis import settings
from hypothesis.internal import charmap
from hypothesis.internal.conjecture import providers
from hypothesis.internal.intervalsets import IntervalSet

_ALL_BUT_SURROGATES: Final = IntervalSet(((0, 0xD7FF), (0xE000, 0x10FFFF)))


def lighten_hypothesis(few: int) -> None:
    """Take two seconds off each checkout, and as many off each process whose properties have few examples.

    Hypothesis tries each of a million characters to learn which ones UTF-8 can write. It reads all modules for numbers
    and texts, and asks of thousands whether a strategy may give them; it takes one of them for each fortieth value.
    """
    by_trial, read = charmap.intervals_from_codec, providers._get_local_constants
    utf8 = (_ALL_BUT_SURROGATES, IntervalSet())
    vars(charmap).update(intervals_from_codec=lambda codec: utf8 if codec == "utf-8" else by_trial(codec))

    def of_the_code() -> object:
        return read() if settings.default is None or settings.default.max_examples > few else providers._local_constants

    vars(providers).update(_get_local_constants=of_the_code)
