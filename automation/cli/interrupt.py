"""Signals while an engine runs: the engine is told once, and this process waits for it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Work(Protocol):
    """Anything that can be told to stop."""

    @property
    def running(self) -> bool:
        """Whether there is something to stop."""

    @property
    def interrupted(self) -> bool:
        """Whether it was told to stop."""

    def cancel(self) -> None:
        """Tell it to stop."""


@contextmanager
def interruptible(work: Work, on_line: Callable[[str], None]) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP stop running work, once, until the end of the block.

    While no work runs they raise KeyboardInterrupt. Outside the main thread this does nothing: Python handles signals
    only there, and a service calls `cancel` itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if not work.running:
            raise KeyboardInterrupt
        if work.interrupted:
            on_line("already stopping: the engine finishes the steps that it has begun, so that nothing is lost")
            return
        on_line(f"{signal.Signals(number).name}: stopping as soon as the steps that have begun are finished")
        work.cancel()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
