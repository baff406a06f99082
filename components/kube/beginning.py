"""Tells when the creation of a resource begins, which is long before it is ready."""

from __future__ import annotations

import asyncio

import pulumi


class Beginning:
    """The beginning of one resource's creation."""

    hook: pulumi.ResourceHook
    """The hook that the engine calls before it creates the resource."""

    def __init__(self, name: str) -> None:
        """Wait for nothing yet. `name` is that of the hook."""
        loop = asyncio.get_event_loop()
        self._begun = loop.create_future()

        def tell() -> None:
            if not self._begun.done():
                self._begun.set_result(True)

        async def before_create(_: pulumi.ResourceHookArgs) -> None:
            loop.call_soon_threadsafe(tell)

        self.hook = pulumi.ResourceHook(name, before_create)

    def or_registered(self, resource: pulumi.Resource) -> pulumi.Output[bool]:
        """Return True once the resource's creation begins, or once it is there. A preview creates nothing.

        It depends on no resource, so what takes it as an input does not wait for the resource either.
        """

        async def known() -> bool:
            registered = asyncio.ensure_future(resource.urn.future())
            # The SDK tells of a failure itself.
            registered.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            await asyncio.wait({self._begun, registered}, return_when=asyncio.FIRST_COMPLETED)
            if not self._begun.done():
                await registered
            return True

        return pulumi.Output.from_input(known())
