"""Waiting, with a clock that a test can replace, and work that goes on meanwhile."""

from __future__ import annotations

import threading
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


class Background:
    """Work that may go on in a thread of its own. The thread does not keep the process from ending."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin the work."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait for the work, or do it now if it was not begun. Raises what it raises."""
        if self._thread is None:
            self._work()
            return
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self._error = error
