"""A place for one program in this process: an event loop, and nothing of the program left afterwards."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import pulumi
from pulumi.runtime import settings as runtime_settings

asyncio.set_event_loop(None)  # else asking for the current loop would make one


class _Loop(asyncio.SelectorEventLoop):
    """Knows its own tasks. `asyncio.all_tasks` looks through those of every loop before, which takes milliseconds."""

    _ready: deque[asyncio.Handle]
    get_debug = bool  # is False, and no method of Python: each future asks

    def __init__(self) -> None:
        super().__init__()
        self._tasks: list[asyncio.Task[Any]] = []

    def create_task(self, *args: Any, **options: Any) -> asyncio.Task[Any]:
        task = super().create_task(*args, **options)
        self._tasks.append(task)
        return task

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        """Schedule a call without the checks of asyncio: a program does so for each of its thousands of outputs."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def left(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that are not done, and forget all."""
        tasks, self._tasks = self._tasks, []
        return [task for task in tasks if not task.done()]


@contextmanager
def room_for_one_program() -> Iterator[None]:
    """Make an event loop, and take back what a program leaves in Pulumi's runtime. Another room may be around it."""
    around = _current_loop()
    loop = _Loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        for used in {loop, _current_loop() or loop}:  # a plan makes one of its own
            left = used.left() if isinstance(used, _Loop) else asyncio.all_tasks(used)
            for task in left:
                task.cancel()
            asyncio.set_event_loop(used)
            used.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            used.run_until_complete(used.shutdown_default_executor())
            # Futures of a program that failed are collected later, and would each tell of it then.
            used.set_exception_handler(lambda *told: None)
            used.close()
        asyncio.set_event_loop(around)
        runtime_settings.SETTINGS.callbacks = None
        runtime_settings.reset_options()
        pulumi.runtime.set_all_config({}, [])


def _current_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        return None
