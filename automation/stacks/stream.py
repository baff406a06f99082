"""An operation as an iterator of its events, for who would rather loop than be called back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Final, Generic, Protocol, TypeVar

from automation.engine.events import Event, OnEvent

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_END: Final = None


class Operation(Protocol[_T_co]):
    """A method of `Environment` that tells events: `environment.up`, or a `functools.partial` of one with arguments."""

    def __call__(self, *, on_event: OnEvent) -> _T_co:
        """Runs it."""


class Running(Generic[_T]):
    """An operation that has been started in a thread. Iterate it to its end, then ask for its `result`.

    running = Running(environment.up)
    for event in running: …
    done = running.result()
    """

    def __init__(self, operation: Operation[_T]) -> None:
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._result: list[_T] = []
        self._error: BaseException | None = None

        def run() -> None:
            try:
                self._result.append(operation(on_event=self._events.put))
            except BaseException as error:  # raised where the result is asked for
                self._error = error
            finally:
                self._events.put(_END)

        self._thread = threading.Thread(target=run, name="automation operation")
        self._thread.start()

    def __iter__(self) -> Iterator[Event]:
        """Events as they come; ends with the operation."""
        get: Callable[[], Event | None] = self._events.get
        yield from iter(get, _END)
        self._events.put(_END)  # for who iterates again

    def result(self) -> _T:
        """Waits for the end. Raises what the operation did."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]
