"""What waits for the beginning of a creation, and for nothing but the resource where nothing is created."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pulumi

from components.kube.beginning import Beginning

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


class Later(pulumi.Resource):
    """A resource that is registered when the test says so."""

    def __init__(self) -> None:
        self.registered: asyncio.Future[str] = asyncio.get_event_loop().create_future()

    @property
    def urn(self) -> pulumi.Output[str]:
        return pulumi.Output.from_input(self.registered)


def test_known_before_the_resource_is_there_if_it_is_being_created(record: Record) -> None:
    seen: list[bool] = []

    async def program() -> None:
        later, beginning = Later(), Beginning("server")
        known: Any = beginning.or_registered(later).future()
        waiting = asyncio.ensure_future(known)
        await asyncio.sleep(0)
        seen.append(waiting.done())
        hook: Any = beginning.hook.callback
        for _ in range(2):  # a replacement may begin twice
            await hook(None)
        seen.append(await waiting)
        later.registered.set_result("urn")

    _run(record, program)
    assert seen == [False, True]


def test_known_with_the_resource_if_it_was_there_before(record: Record) -> None:
    seen: list[bool] = []

    async def program() -> None:
        later, beginning = Later(), Beginning("server")
        known: Any = beginning.or_registered(later).future()
        waiting = asyncio.ensure_future(known)
        await asyncio.sleep(0.01)
        seen.append(waiting.done())
        later.registered.set_result("urn")
        seen.append(await waiting)

    _run(record, program)
    assert seen == [False, True]


def _run(record: Record, program: Callable[[], Any]) -> None:
    """Run a coroutine as a part of a program."""
    tasks: list[asyncio.Task[None]] = []
    record(lambda: tasks.append(asyncio.ensure_future(program())))
    asyncio.get_event_loop().run_until_complete(tasks[0])
