"""What Pulumi's and AWS's SDKs do again and again in tests and to no effect: done less often, with the same result."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable
from types import NoneType
from typing import Any, Final

import pulumi
from pulumi import _types, _utils, log, output
from pulumi.runtime import resource, rpc, settings
from pulumi.runtime.proto import source_pb2

_OF_CLASSES: Final = (
    "resource_types",
    "resource_pulumi_to_py_names",
    "input_type_types",
    "input_type_py_to_pulumi_names",
)
_OF_TYPES: Final = ("unwrap_type", "unwrap_optional_type")
_SHARED: Final = (
    ("botocore.session", "create_loader"),
    ("botocore.httpsession", "create_urllib3_context"),
    ("moto.kms.models", "generate_private_key"),
    ("moto.core.responses", "method_names_from_class"),
)
_PLAIN: Final = frozenset({str, int, float, bool, NoneType})
_NEVER_AWAITABLE: Final = _PLAIN | {dict, list, tuple, set}


def lighten_pulumi() -> None:
    """Take half off a program's run.

    The SDK sends with each resource where it was made, and no test looks at that. It makes a URN of several outputs for
    each resource that is registered, and uses it only where there is no engine. It counts its outputs under a lock, and
    looks for what is not known in each of their values. It reads the types of a resource's properties from its class,
    for each resource, and tells the engine what it does, which nobody hears. It makes a task and four futures for each
    property of a resource, and a coroutine for each plain text and number that it sends.
    """
    vars(_types).update({name: functools.cache(vars(_types)[name]) for name in _OF_CLASSES})
    vars(_types).update({name: _once_for_each_type(vars(_types)[name]) for name in _OF_TYPES})
    vars(log).update(debug=lambda *_, **__: None)
    vars(resource).update(
        _get_stack_trace=source_pb2.StackTrace,
        create_urn=_urn_of(resource.create_urn),
        wrap_with_context=lambda call: call,
    )
    vars(rpc).update(
        contains_unknowns=_contains_unknowns,
        serialize_property=_serialize_property(rpc.serialize_property),
        deserialize_property=_deserialize_property(rpc.deserialize_property),
        transfer_properties=_transfer_properties,
    )
    vars(output).update(isawaitable=_is_awaitable)
    outputs: Any = pulumi.Output
    outputs._from_data = staticmethod(_from_data)
    outputs._track = _track
    settings_: Any = _utils.ContextProperty
    settings_.__get__ = _context_value


def _once_for_each_type(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Call a function once for each type. Types that are made of others take long to compare, so their places count."""
    found: dict[int, tuple[Any, Any]] = {}

    def once(type_: Any) -> Any:
        if (known := found.get(id(type_))) is None:
            known = found[id(type_)] = type_, function(type_)  # kept, so no other type gets its place
        return known[1]

    return once


def _context_value(self: Any, owner: object, _: object = None) -> Any:
    value = self._data.get(self._ContextProperty__default)
    return self if owner is None or isinstance(value, dict) else value


def _transfer_properties(of: Any, properties: Any, custom: bool) -> dict[str, Callable[..., None]]:
    loop, resolvers = asyncio.get_event_loop(), dict[str, Callable[..., None]]()
    for name in properties:
        if name != "urn" and not (name == "id" and custom):
            data: asyncio.Future[Any] = loop.create_future()
            resolvers[name] = functools.partial(_resolve, of, data)
            of.__dict__[name] = pulumi.Output._from_data(data)
    return resolvers


def _resolve(
    of: Any, data: asyncio.Future[Any], value: Any, known: bool, secret: bool, deps: Any, failed: Exception | None
) -> None:
    if failed is not None:
        data.set_exception(failed)
    else:
        resources = {*(deps or ()), of}
        data.set_result(output._OutputData(resources=resources, value=value, is_known=known, is_secret=secret))


def _serialize_property(slow: Callable[..., Any]) -> Callable[..., Any]:
    async def serialize_property(
        value: Any,
        deps: Any,
        property_key: Any,
        resource_obj: Any = None,
        input_transformer: Any = None,
        typ: Any = None,
        *options: bool,
        **named: bool,
    ) -> Any:
        if named.get("return_protobuf_value") or len(options) > 2:
            fast = False
        elif type(value) in _PLAIN:
            fast = True
        else:
            fast = input_transformer is None and (typ is None or typ is Any) and _is_plain(value)
        if fast:
            return value
        return await slow(value, deps, property_key, resource_obj, input_transformer, typ, *options, **named)

    return serialize_property


def _is_plain(value: Any) -> bool:
    """Say whether a value is as it is sent: nothing in it is an output, a resource or of a class of a provider."""
    kind = type(value)
    if kind is dict:
        return all(type(item) in _PLAIN or _is_plain(item) for item in value.values())
    return kind in _PLAIN or (kind is list and all(type(item) in _PLAIN or _is_plain(item) for item in value))


def _deserialize_property(slow: Callable[..., Any]) -> Callable[..., Any]:
    def deserialize_property(value: Any, *options: Any) -> Any:
        return value if type(value) in _PLAIN and value != rpc.UNKNOWN else slow(value, *options)

    return deserialize_property


def _urn_of(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_urn(name: Any, type_: Any, parent: Any = None, *others: Any) -> Any:
        if isinstance(parent, str) and isinstance(name, str) and isinstance(type_, str):
            return pulumi.Output.from_input(f"{parent[: parent.rfind('::')]}${type_}::{name}")
        return create(name, type_, parent, *others)

    return create_urn


def _contains_unknowns(value: Any) -> bool:
    if type(value) in _PLAIN:
        return False
    seen, waiting = set[int](), [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, output.Unknown):
            return True
        if isinstance(found, (dict, list)) and id(found) not in seen:
            seen.add(id(found))
            items = found.values() if isinstance(found, dict) else found
            waiting += [item for item in items if type(item) not in _PLAIN]
    return False


def _is_awaitable(value: Any) -> bool:
    return type(value) not in _NEVER_AWAITABLE and inspect.isawaitable(value)


def _from_data(data: Any) -> Any:
    made: Any = object.__new__(pulumi.Output)
    made._data = data if isinstance(data, asyncio.Future) else asyncio.get_running_loop().create_task(data)
    made._track()
    return made


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
    client's time. moto makes an RSA key for each key of KMS, whatever it is for; they share one. No session of HTTP
    reaches AWS, so all have one TLS context. moto looks for the methods of a service's class for each call of it.
    """
    for module, name in _SHARED:
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
