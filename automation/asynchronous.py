"""Operations for asyncio: each in a thread of its own, and stopped in good order where its task is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from automation.errors import AutomationError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Cancellable(Protocol):
    """An `Environment`."""

    def cancel(self) -> None:
        """Tells what is under way to stop."""


async def in_thread(environment: Cancellable, operation: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """`await in_thread(environment, environment.up, on_event=…)`: the operation's result, or what it raises.

    Where the task is cancelled, `asyncio.to_thread` alone would leave the operation running, with nobody to hear of its
    end. Here the engine is told to stop, and the task ends when it has: its state is written, its lock released.
    `on_event` is called on another thread: pass events on with `loop.call_soon_threadsafe`.
    """
    running = asyncio.ensure_future(asyncio.to_thread(operation, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        environment.cancel()
        while not running.done():
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:
                continue  # told already
            except AutomationError:
                break
        raise
