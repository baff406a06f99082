"""Verbs in a thread: awaited with asyncio, or as an iterator of their events."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final, Generic, ParamSpec, Protocol, TypeVar

from automation.engine.events import Event, OnEvent
from automation.errors import AutomationError, Interrupted

_P = ParamSpec("_P")
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_END: Final = None


class Cancellable(Protocol):
    """An `Environment`."""

    def cancel(self) -> None:
        """Cancel what is under way."""

    def busy(self) -> AbstractContextManager[None]:
        """Let what is done within it count as under way."""


class Method(Protocol[_T_co]):
    """A method of `Environment` with events: `environment.up`, or a `functools.partial` of one with arguments."""

    def __call__(self, *, on_event: OnEvent) -> _T_co:
        """Run it."""


async def in_thread(environment: Cancellable, verb: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a verb in a thread, and return or raise what it does: `await in_thread(environment, environment.up)`.

    If the task is cancelled, `asyncio.to_thread` alone would leave the verb running, and its end would reach no caller.
    This function cancels the verb, and the task ends when the verb has: its state is written and its lock released. A
    verb for which there was no thread yet is not begun any more.

    `on_event` is called on another thread: pass events on with `loop.call_soon_threadsafe`.
    """
    begun, cancelled = threading.Event(), threading.Event()

    def run() -> _T:
        with environment.busy():
            begun.set()
            if cancelled.is_set():
                raise Interrupted("interrupted before anything was done", "run it again")
            return verb(*args, **kwargs)

    running = asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, run)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # In this order: the thread either sees the flag or is reached by the environment's cancel.
        cancelled.set()
        if not begun.is_set():
            running.cancel()
            raise
        environment.cancel()
        while not running.done():
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:
                continue  # it was cancelled already
            except AutomationError:
                break
        raise


class Started(Generic[_T]):
    """A verb that has been started in a thread. Iterate it to its end, then ask for its `result`.

    running = Started(environment.up)
    for event in running: …
    done = running.result()
    """

    def __init__(self, verb: Method[_T]) -> None:
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._result: list[_T] = []
        self._error: BaseException | None = None

        def run() -> None:
            try:
                self._result.append(verb(on_event=self._events.put))
            except BaseException as error:  # raised by `result`
                self._error = error
            finally:
                self._events.put(_END)

        self._thread = threading.Thread(target=run, name="automation verb")
        self._thread.start()

    def __iter__(self) -> Iterator[Event]:
        """Yield events as they come, until the verb ends."""
        get: Callable[[], Event | None] = self._events.get
        yield from iter(get, _END)
        self._events.put(_END)  # for a second iteration

    def result(self) -> _T:
        """Wait for the end, and return the result. Raises what the verb raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]
