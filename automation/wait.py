"""Waiting, with a clock that a test can turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True)
class Clock:
    """now: seconds that only grow. sleep: takes seconds."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait_for(
    attempt: Callable[[], _T], good: Callable[[_T], bool], *, seconds: float, interval: float, clock: Clock
) -> _T:
    """Tries until the result is good or the time is up; at least once. Returns the last result, good or not."""
    end = clock.now() + seconds
    while True:
        result = attempt()
        if good(result) or clock.now() + interval > end:
            return result
        clock.sleep(interval)
