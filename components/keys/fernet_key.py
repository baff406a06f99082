"""The generated Fernet key, kept out of every resource's ID.

The state never encrypts an ID. pulumi-random's RandomBytes uses its secret as its ID (github.com/pulumi/pulumi-random,
`random_bytes`: the ID is the base64 form). So the key is the digest of a RandomPassword, whose ID is the word "none",
and is stored in a Stash, whose ID is a UUID.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final, cast

import pulumi
from pulumi.runtime import invoke_output

from components.keys.generated_password import generated_password
from components.kube.secret import secret_output

TYPE: Final = "airflow:index:FernetKey"

_SEED_LENGTH = 64  # letters and digits: 381 bits, more than the 256 of the digest
_RANDOM_BYTES: Final = "random:index/randomBytes:RandomBytes"


class FernetKey(pulumi.ComponentResource):
    """One Fernet key: 32 bytes as URL-safe base64, generated once.

    A stack of an earlier version of this program has its key in a RandomBytes of this name. This component takes the
    place of that resource, keeps its value, and removes it from the state in one update: the engine replaces a resource
    whose alias becomes a component, and checks only the new resource's `protect`.

    Raises: nothing.
    Replaces: nothing. The value stashed first stays, even if the seed or the arguments change.
    Survives a destroy: nothing, unless `protect` is set on the children: then the destroy itself is refused.
    """

    value: pulumi.Output[str]
    """The key; secret."""

    def __init__(self, name: str, *, protect: bool, opts: pulumi.ResourceOptions) -> None:
        # The component itself is not protected, because the resource that it replaces may be.
        own = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_=_RANDOM_BYTES)], protect=False)
        super().__init__(TYPE, name, None, pulumi.ResourceOptions.merge(opts, own))
        child = pulumi.ResourceOptions(parent=self, protect=protect)
        urn = pulumi.create_urn(name, _RANDOM_BYTES, parent=opts.parent)
        # Without dependencies: a child that waits for its parent, which waits for its children, is a circle.
        earlier: pulumi.Output[str] = pulumi.Output.from_input(cast(Any, urn.future()))
        generated = generated_password(name, _SEED_LENGTH, child).apply(key_of)
        stash = pulumi.Stash(
            name,
            input=secret_output(_recorded_key(earlier).apply(lambda found: found or generated)),
            # The value stored first is the key; later inputs are ignored.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(ignore_changes=["input"])),
        )
        self.value = secret_output(stash.output)
        self.register_outputs({})


def key_of(seed: str) -> str:
    """Return the Fernet key whose 32 bytes are the SHA-256 digest of `seed`."""
    return base64.urlsafe_b64encode(hashlib.sha256(seed.encode()).digest()).decode()


def _recorded_key(urn: pulumi.Output[str]) -> pulumi.Output[str | None]:
    """Return the key that the stack's state holds as the RandomBytes `urn`, or None.

    The engine reads the state, as for a stack reference to this stack. It cannot do so for a stack that was never
    updated, which also has no outputs.
    """
    stack = urn.apply(_stack_of)
    outputs = invoke_output("pulumi:pulumi:readStackOutputs", {"name": stack})

    def resources(found: Any) -> pulumi.Input[Any]:
        if not found["outputs"]:
            return {"outputs": {}}
        return invoke_output("pulumi:pulumi:readStackResourceOutputs", {"stackName": stack})

    def key(resolved: Any) -> str | None:
        state, of = resolved
        recorded = state["outputs"].get(of)
        if recorded is None:
            return None
        return base64.urlsafe_b64encode(base64.b64decode(recorded["outputs"]["base64"])).decode()

    return pulumi.Output.all(outputs.apply(resources), urn).apply(key)


def _stack_of(urn: str) -> str:
    """Return ORGANIZATION/PROJECT/STACK, as in a stack reference; a URN begins with urn:pulumi:STACK::PROJECT::."""
    stack, project = urn.split("::")[0].removeprefix("urn:pulumi:"), urn.split("::")[1]
    return f"{pulumi.get_organization()}/{project}/{stack}"
