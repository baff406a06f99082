"""Operations for asyncio: each in a thread of its own, and stopped in good order where its task is cancelled."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ParamSpec, Protocol, TypeVar

from automation.errors import AutomationError, Interrupted

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Cancellable(Protocol):
    """An `Environment`."""

    def cancel(self) -> None:
        """Tells what is under way to stop."""

    def busy(self) -> AbstractContextManager[None]:
        """What is done within it is under way."""


async def in_thread(environment: Cancellable, operation: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """`await in_thread(environment, environment.up, on_event=…)`: the operation's result, or what it raises.

    Where the task is cancelled, `asyncio.to_thread` alone would leave the operation running, with nobody to hear of its
    end. Here the engine is told to stop, and the task ends when it has: its state is written, its lock released.
    An operation for which there was no thread yet is not begun any more.
    `on_event` is called on another thread: pass events on with `loop.call_soon_threadsafe`.
    """
    begun, told = threading.Event(), threading.Event()

    def run() -> _T:
        with environment.busy():
            begun.set()
            if told.is_set():
                raise Interrupted("interrupted before anything was done", "run it again")
            return operation(*args, **kwargs)

    running = asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, run)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # In this order: whichever comes first in the thread, it sees the one or is reached by the other.
        told.set()
        if not begun.is_set():
            running.cancel()
            raise
        environment.cancel()
        while not running.done():
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:
                continue  # told already
            except AutomationError:
                break
        raise
