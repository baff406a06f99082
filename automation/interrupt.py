"""Signals while an engine runs: it is told once, and this process waits for it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from automation.engine import Engine

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible(engine: Engine, on_line: Callable[[str], None]) -> Iterator[None]:
    """Within it SIGINT, SIGTERM and SIGHUP reach a running engine once; without one they raise KeyboardInterrupt.

    Off the main thread it does nothing: there Python lets nobody handle signals, and the service calls
    `Engine.interrupt` itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if not engine.running:
            raise KeyboardInterrupt
        if engine.interrupted:
            on_line("already stopping: the engine finishes what it has begun, so that nothing is lost")
            return
        on_line(f"{signal.Signals(number).name}: stopping as soon as what has begun is finished")
        engine.interrupt()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
