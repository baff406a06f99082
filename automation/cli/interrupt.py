"""Signals while an engine runs: it is told once, and this process waits for it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Work(Protocol):
    """What can be told to stop."""

    @property
    def running(self) -> bool:
        """There is something to stop."""

    @property
    def interrupted(self) -> bool:
        """It was told."""

    def cancel(self) -> None:
        """Tells it."""


@contextmanager
def interruptible(work: Work, on_line: Callable[[str], None]) -> Iterator[None]:
    """Within it SIGINT, SIGTERM and SIGHUP reach running work once; without any they raise KeyboardInterrupt.

    Off the main thread it does nothing: there Python lets nobody handle signals, and a service calls `cancel` itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if not work.running:
            raise KeyboardInterrupt
        if work.interrupted:
            on_line("already stopping: the engine finishes what it has begun, so that nothing is lost")
            return
        on_line(f"{signal.Signals(number).name}: stopping as soon as what has begun is finished")
        work.cancel()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
