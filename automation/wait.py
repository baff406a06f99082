"""Waiting, with a clock that a test can replace."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True)
class Clock:
    """A monotonic clock and its sleep."""

    now: Callable[[], float] = time.monotonic
    """Returns seconds that only grow."""
    sleep: Callable[[float], None] = time.sleep
    """Sleeps for a number of seconds."""


def wait_for(
    attempt: Callable[[], _T], good: Callable[[_T], bool], *, seconds: float, interval: float, clock: Clock
) -> _T:
    """Try until the result is good or the time is up, at least once. Return the last result, good or not."""
    end = clock.now() + seconds
    while True:
        result = attempt()
        if good(result) or clock.now() + interval > end:
            return result
        clock.sleep(interval)
