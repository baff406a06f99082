"""Cancels what is under way on a stack, from another thread or from a signal handler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from automation.errors import Interrupted
from automation.wait import Clock

_POLL_SECONDS: Final = 0.2
"""A wait ends at most this long after its cancel."""


class _Task:
    """One call of one thread, from its first line to its end."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.done: list[str] = []
        """What has been done so far, a clause each."""
        self.remedy = "run it again"


class Cancellation:
    """Knows what each thread has under way on a stack, and which of it was cancelled."""

    def __init__(self, stack: str, clock: Clock) -> None:
        self._stack, self._clock = stack, clock
        self._own = threading.local()
        self._under_way: list[_Task] = []
        self._last = _Task()

    @property
    def running(self) -> bool:
        """Something is under way, or waits for a lock."""
        return bool(self._under_way)

    @property
    def requested(self) -> bool:
        """The verb that runs, or that ran last, was cancelled."""
        return any(task.cancelled.is_set() for task in tuple(self._under_way) or (self._last,))

    def cancel(self) -> None:
        """Cancel what is under way. What begins later is not affected."""
        for task in tuple(self._under_way):  # no lock: a signal may come while this thread holds it
            task.cancelled.set()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Let a cancel within it hold until its end, even if it consists of several updates.

        It belongs to the thread that enters it: a cancel is not meant for what another thread begins later.
        """
        if self._task is not None:
            yield
            return
        task = self._own.task = self._last = _Task()
        self._under_way.append(task)
        try:
            yield
        finally:
            self._own.task = None
            self._under_way.remove(task)

    def watcher(self) -> Callable[[], bool]:
        """Return a function that says, in any thread, whether what this thread has under way was cancelled."""
        task = self._task
        return task.cancelled.is_set if task is not None else lambda: False

    def record(self, done: str, remedy: str = "") -> None:
        """Note what has been done, and what to do if this is cancelled from now on."""
        if self._task is not None:
            self._task.done.append(done)
            self._task.remedy = remedy or self._task.remedy

    def raise_if_cancelled(self) -> None:
        """Raise Interrupted, with what had been done, if what this thread has under way was cancelled."""
        task = self._task
        if task is not None and task.cancelled.is_set():
            done = "; ".join(task.done)
            when = f"after this: {done}" if done else "before anything was done"
            raise Interrupted(f"stack {self._stack}: interrupted {when}", task.remedy)

    def clock(self, stop: Callable[[], None] | None = None) -> Clock:
        """Return a clock whose sleep a cancel ends.

        Args:
            stop: Is called several times a second, and raises after a cancel. Default: `raise_if_cancelled`.
        """
        check = stop or self.raise_if_cancelled

        def sleep(seconds: float) -> None:
            while seconds > 0:
                check()
                pause = min(seconds, _POLL_SECONDS)
                self._clock.sleep(pause)
                seconds -= pause
            check()

        return Clock(now=self._clock.now, sleep=sleep)

    @property
    def _task(self) -> _Task | None:
        """What this thread has under way."""
        return getattr(self._own, "task", None)
