"""Waits, with a clock that a test can replace, while other work goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from automation.errors import AirflowRequestFailed, ClusterRequestFailed, ClusterUnreachable

WAIT_SECONDS: Final = 300.0
"""How long to wait for pods, where nothing else is said."""
LOST_SECONDS: Final = 60.0
"""How long a wait goes on without an answer: an API server that is replaced, or a connection that breaks."""
REFUSED_SECONDS: Final = 15.0
"""How long a pod is asked again that refuses: one that is about to end is not listed any more by then."""
_REFUSED_INTERVAL_SECONDS: Final = 1.0
_REMIND_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.5
"""How often a sleep is called while other work goes on."""

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
    """Try until the result is good or the time is up, at least once. Return the last result, good or not.

    A cluster or an API server that stops to answer meanwhile is asked again for `LOST_SECONDS`. One that does not
    answer the first attempt raises at once.
    """
    end = clock.now() + seconds
    answered: float | None = None
    while True:
        try:
            result = attempt()
        except (ClusterUnreachable, AirflowRequestFailed) as error:
            now = clock.now()
            lost = not isinstance(error, AirflowRequestFailed) or not error.status
            if not lost or answered is None or now + interval > min(end, answered + LOST_SECONDS):
                raise
        else:
            answered = clock.now()
            if good(result) or answered + interval > end:
                return result
        clock.sleep(interval)


def answered(ask: Callable[[], _T], clock: Clock) -> _T:
    """Return an answer that comes from a pod, asking again for `REFUSED_SECONDS` while the cluster refuses.

    A pod that is about to end refuses a command, and the next attempt asks its successor. Raises ClusterRequestFailed.
    """
    end = clock.now() + REFUSED_SECONDS
    while True:
        try:
            return ask()
        except ClusterRequestFailed:
            if clock.now() >= end:
                raise
        clock.sleep(_REFUSED_INTERVAL_SECONDS)


def reminding(clock: Clock, on_line: Callable[[str], object], what: str) -> Callable[[float], None]:
    """Return a sleep that says every half minute what is waited for, and for how long already."""
    began = said = clock.now()

    def sleep(seconds: float) -> None:
        nonlocal said
        clock.sleep(seconds)
        if clock.now() - said >= _REMIND_SECONDS:
            said = clock.now()
            on_line(f"waiting: {what} ({said - began:.0f} s)")

    return sleep


class Background:
    """Work that may go on in a thread of its own. The thread does not keep the process from ending."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
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
        except BaseException as error:
            self._error = error  # for the thread that waits

    def ended(self, seconds: float) -> bool:
        """Wait so long at most. Return whether the work has ended, well or not, or was not begun."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()


def while_waiting(work: Callable[[], _T], sleep: Callable[[float], object]) -> _T:
    """Return what work returns that says nothing while it goes on. Raises what it raises.

    sleep: Is called again and again meanwhile; it may raise, and the work is then left alone (see `reminding`).
    """
    done: list[_T] = []
    background = Background(lambda: done.append(work()))
    background.start()
    while not background.ended(_LOOK_SECONDS):
        sleep(0.0)
    background.finish()
    return done[0]
