"""What Pulumi's and AWS's SDKs do again and again in tests and to no effect: done less often, with the same result."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from types import NoneType
from typing import Any, Final

import pulumi
from pulumi import _types, log, output
from pulumi.runtime import resource, rpc, settings
from pulumi.runtime.proto import source_pb2

_OF_CLASSES: Final = (
    "resource_types",
    "resource_pulumi_to_py_names",
    "input_type_types",
    "input_type_py_to_pulumi_names",
)
_NEVER_UNKNOWN: Final = frozenset({str, int, float, bool, NoneType})


def lighten_pulumi() -> None:
    """Take a third off a program's run.

    The SDK sends with each resource where it was made, and no test looks at that. It makes a URN of several outputs for
    each resource that is registered, and uses it only where there is no engine. It counts its outputs under a lock, and
    looks for what is not known in each of their values. It reads the types of a resource's properties from its class,
    for each resource, and tells the engine what it does, which nobody hears.
    """
    vars(_types).update({name: functools.cache(vars(_types)[name]) for name in _OF_CLASSES})
    vars(log).update(debug=lambda *_, **__: None)
    vars(resource).update(_get_stack_trace=source_pb2.StackTrace, create_urn=_urn_of(resource.create_urn))
    vars(rpc).update(contains_unknowns=_contains_unknowns)
    outputs: Any = pulumi.Output
    outputs._track = _track


def _urn_of(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_urn(name: Any, type_: Any, parent: Any = None, *others: Any) -> Any:
        if isinstance(parent, str) and isinstance(name, str) and isinstance(type_, str):
            return pulumi.Output.from_input(f"{parent[: parent.rfind('::')]}${type_}::{name}")
        return create(name, type_, parent, *others)

    return create_urn


def _contains_unknowns(value: Any) -> bool:
    seen, waiting = set[int](), [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, output.Unknown):
            return True
        if isinstance(found, (dict, list)) and id(found) not in seen:
            seen.add(id(found))
            items = found.values() if isinstance(found, dict) else found
            waiting += [item for item in items if type(item) not in _NEVER_UNKNOWN]
    return False


def _track(made: Any) -> None:
    outputs = settings.SETTINGS.outputs

    def ended(data: asyncio.Future[Any]) -> None:
        if not data.cancelled() and data.exception() is None:
            outputs.discard(data)

    outputs.add(made._data)
    made._data.add_done_callback(ended)


def lighten_aws() -> None:
    """Let what is imported of AWS's SDK and of moto share what is the same for all sessions, clients and keys.

    All sessions of botocore share one loader, which reads each service's description once, the names of events, and
    what is known of their handlers. All clients of a service share the methods that are made of it: that is half of a
    client's time. moto makes an RSA key for each key of KMS, whatever it is for; they share one.
    """
    for module, name in (("botocore.session", "create_loader"), ("moto.kms.models", "generate_private_key")):
        if (found := sys.modules.get(module)) is not None:
            vars(found)[name] = functools.cache(vars(found)[name])
    if (clients := sys.modules.get("botocore.client")) is not None:
        made = _once(clients.ClientCreator._create_methods, lambda service: service.service_name)
        clients.ClientCreator._create_methods = lambda creator, service: dict(made(creator, service))
    if (hooks := sys.modules.get("botocore.hooks")) is not None:
        vars(hooks)["accepts_kwargs"] = functools.cache(vars(hooks)["accepts_kwargs"])
        hooks.EventAliaser._alias_event_name = _once(hooks.EventAliaser._alias_event_name, str)


def _once(method: Callable[[Any, Any], Any], key: Callable[[Any], str]) -> Callable[[Any, Any], Any]:
    """Call a method once for each key of its argument, whatever it is a method of."""
    found: dict[str, Any] = {}

    def once(self: Any, argument: Any) -> Any:
        name = key(argument)
        if name not in found:
            found[name] = method(self, argument)
        return found[name]

    return once
