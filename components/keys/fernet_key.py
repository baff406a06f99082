"""The generated Fernet key, kept where no resource's ID shows it.

An ID is never encrypted in the state. pulumi-random's RandomBytes takes its secret as its ID
(github.com/pulumi/pulumi-random, `random_bytes`: the ID is the base64 form), so the key is not one of those: it is the
digest of a RandomPassword, whose ID is the word "none", and stands in a Stash, whose ID is a UUID.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from typing import Any, Final, cast

import pulumi
from pulumi.runtime.invoke import invoke_async

from components.keys.generated_password import generated_password
from components.kube.secret import secret_output

TYPE: Final = "airflow:index:FernetKey"
REMOVAL_TYPE: Final = "airflow:index:EarlierFernetKeyRemoval"

SEED_LENGTH: Final = 64
"""Letters and digits: 381 bits, more than the 256 of the digest."""
_RANDOM_BYTES: Final = "random:index/randomBytes:RandomBytes"
_READS: Final = 10
"""Attempts to read the state. While the engine stores a checkpoint in a folder, a read may find an empty file: the
library for it (gocloud.dev, fileblob, `setAttrs`) truncates the attributes of the checkpoint before it writes them."""
_BEING_WRITTEN: Final = re.compile(r"failed to load checkpoint: (unexpected )?EOF")
_SECONDS_BETWEEN_READS: Final = 0.1


class FernetKey(pulumi.ComponentResource):
    """One Fernet key: 32 bytes as URL-safe base64, generated once.

    A stack of an earlier version of this program has its key in a RandomBytes of this name. The key keeps that value.

    Raises: nothing.
    Replaces: nothing. The value that was stored first stays, whatever the seed or the arguments become.
    Survives a destroy: nothing, unless `protect` is set: then the destroy itself is refused.
    """

    value: pulumi.Output[str]
    """The key, secret."""

    def __init__(self, name: str, *, protect: bool, opts: pulumi.ResourceOptions) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self, protect=protect)
        urn = pulumi.create_urn(name, _RANDOM_BYTES, parent=opts.parent)
        # Without its dependencies: a child that waits for its parent, which waits for its children, is a circle.
        earlier: pulumi.Output[str] = pulumi.Output.from_input(cast(Any, urn.future()))
        generated = generated_password(name, SEED_LENGTH, child).apply(key_of)
        stash = pulumi.Stash(
            name,
            input=secret_output(_recorded_key(earlier).apply(lambda recorded: recorded or generated)),
            # The value that was stored first is the key. Inputs of later runs are ignored.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(ignore_changes=["input"])),
        )
        self.value = secret_output(stash.output)
        # After the Stash: the state must hold the key elsewhere before the engine lets the earlier resource go.
        _EarlierKeyRemoval(name, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[stash])))
        self.register_outputs({})


class _EarlierKeyRemoval(pulumi.ComponentResource):
    """Removes the RandomBytes of an earlier version from the state. Holds nothing itself.

    The engine refuses to delete a protected resource that left the program. It replaces one whose alias is now a
    component, and then looks at the component's own `protect` alone.

    Raises: nothing.
    Replaces: the earlier RandomBytes, once.
    Survives a destroy: nothing.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions) -> None:
        aliases = [pulumi.Alias(type_=_RANDOM_BYTES)]
        unprotected = pulumi.ResourceOptions(aliases=aliases, protect=False)
        super().__init__(REMOVAL_TYPE, name, None, pulumi.ResourceOptions.merge(opts, unprotected))
        self.register_outputs({})


def key_of(seed: str) -> str:
    """The Fernet key whose 32 bytes are the SHA-256 digest of `seed`."""
    return base64.urlsafe_b64encode(hashlib.sha256(seed.encode()).digest()).decode()


def _recorded_key(urn: pulumi.Output[str]) -> pulumi.Output[str | None]:
    """The key that the stack's state has as the RandomBytes `urn`, or None.

    The engine itself reads the state, as for a stack reference to this stack. It cannot for a stack that was never
    updated, which has no outputs either.
    """
    stack = urn.apply(_stack_of)

    async def resources(name: str) -> Any:
        found = await _read("pulumi:pulumi:readStackOutputs", {"name": name})
        if not found["outputs"]:
            return found
        return await _read("pulumi:pulumi:readStackResourceOutputs", {"stackName": name})

    def key(resolved: Any) -> str | None:
        state, of = resolved
        recorded = state["outputs"].get(of)
        if recorded is None:
            return None
        return base64.urlsafe_b64encode(base64.b64decode(recorded["outputs"]["base64"])).decode()

    return pulumi.Output.all(stack.apply(resources), urn).apply(key)


async def _read(function: str, arguments: dict[str, str]) -> Any:
    for _ in range(_READS - 1):
        try:
            return await invoke_async(function, arguments)
        except Exception as error:
            if not _BEING_WRITTEN.search(str(error)):
                raise
            await asyncio.sleep(_SECONDS_BETWEEN_READS)
    return await invoke_async(function, arguments)


def _stack_of(urn: str) -> str:
    """ORGANIZATION/PROJECT/STACK, as a stack reference names it; a URN begins with urn:pulumi:STACK::PROJECT::."""
    stack, project = urn.split("::")[0].removeprefix("urn:pulumi:"), urn.split("::")[1]
    return f"{pulumi.get_organization()}/{project}/{stack}"
