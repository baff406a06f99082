"""Operations in a thread: awaited, cancelled, and looped over."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import pytest

from automation.engine.events import Event, EventKind, OnEvent
from automation.errors import Interrupted, UpdateFailed
from automation.stacks.concurrency import Started, in_thread

_T = TypeVar("_T")


class Slow:
    """An environment whose `up` takes until it is told to stop, and a moment more."""

    def __init__(self, seconds: float = 60) -> None:
        self.started, self.told = threading.Event(), threading.Event()
        self.seconds, self.ended = seconds, False

    def up(self, *, on_event: OnEvent = lambda event: None) -> str:
        self.started.set()
        on_event(Event(kind=EventKind.BEGUN, text="creating"))
        if self.told.wait(self.seconds):
            time.sleep(0.1)
            self.ended = True
            raise Interrupted("up was interrupted", "run it again")
        on_event(Event(kind=EventKind.DONE, text="created"))
        return "done"

    def cancel(self) -> None:
        self.told.set()

    @contextmanager
    def busy(self) -> Iterator[None]:
        yield


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """With a loop of its own, whatever the other tests do with theirs."""
    with asyncio.Runner() as runner:
        return runner.run(coroutine)


def test_two_operations_run_at_once_and_their_results_are_awaited() -> None:
    both_there = threading.Barrier(2, timeout=10)

    def up(name: str) -> str:
        both_there.wait()
        return name

    async def both() -> set[str]:
        return {*await asyncio.gather(in_thread(Slow(), up, "one"), in_thread(Slow(), up, "two"))}

    assert run(both()) == {"one", "two"}


def test_error_is_raised_where_it_is_awaited() -> None:
    def fails() -> None:
        raise UpdateFailed("no room", "make room")

    with pytest.raises(UpdateFailed, match="no room"):
        run(in_thread(Slow(), fails))


def test_cancelled_task_ends_when_the_operation_has() -> None:
    """Else the engine would go on with nobody to hear of its end."""
    slow = Slow()

    async def cancelled() -> None:
        task = asyncio.create_task(in_thread(slow, slow.up))
        await asyncio.to_thread(slow.started.wait)
        task.cancel()
        await asyncio.sleep(0.02)
        task.cancel()  # impatient
        with pytest.raises(asyncio.CancelledError):
            await task
        assert slow.ended

    run(cancelled())


def test_operation_that_waits_for_a_thread_is_not_begun_once_its_task_is_cancelled() -> None:
    """A pool of threads is small, and an update takes minutes: it would deploy what nobody wants any more."""
    first, second = Slow(20), Slow()

    async def cancelled() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        holding = asyncio.create_task(in_thread(first, first.up))
        while not first.started.is_set():
            await asyncio.sleep(0.01)
        task = asyncio.create_task(in_thread(second, second.up))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not first.ended, "nor is the other one waited for"
        first.cancel()
        with pytest.raises(Interrupted):
            await holding

    run(cancelled())
    assert not second.started.is_set()


def test_cancel_that_comes_as_the_thread_begins_is_heard() -> None:
    """Between the thread's first line and the operation's own nothing is under way that could be told."""
    slow, entered, go = Slow(), threading.Event(), threading.Event()

    @contextmanager
    def busy() -> Iterator[None]:
        entered.set()
        assert go.wait(10)
        yield

    slow.busy = busy  # type: ignore[method-assign]

    async def cancelled() -> None:
        task = asyncio.create_task(in_thread(slow, slow.up))
        assert await asyncio.to_thread(entered.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled())
    assert not slow.started.is_set()


def test_task_with_a_time_limit_is_stopped_in_good_order() -> None:
    slow = Slow()

    async def limited() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await in_thread(slow, slow.up)
        assert slow.ended

    run(limited())


def test_events_are_an_iterator_that_ends_with_the_operation() -> None:
    running = Started(Slow(0).up)
    assert [event.text for event in running] == ["creating", "created"]
    assert list(running) == [], "and ends at once when it is asked again"
    assert running.result() == "done"


def test_error_of_an_iterated_operation_comes_with_its_result() -> None:
    def fails(kind: str, *, on_event: OnEvent) -> str:
        on_event(Event(kind=EventKind.ERROR, text=kind))
        raise UpdateFailed("no room", "make room")

    running = Started(partial(fails, "error"))
    assert [event.text for event in running] == ["error"]
    with pytest.raises(UpdateFailed):
        running.result()
