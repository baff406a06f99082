"""Record what a program registers, without an engine: for plans and for tests.

Pulumi's own mocks show inputs only, without options and secretness, and accept two resources of one name. The recorder
takes the engine's place, keeps each request as it came, and answers as the providers would.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import pulumi
from google.protobuf import empty_pb2, json_format
from pulumi.runtime import mocks, rpc
from pulumi.runtime import settings as runtime_settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.resource import _struct_value_to_python
from pulumi.runtime.stack import run_in_stack

from automation.plan.answers import AWS_ACCOUNT, AWS_REGION, PASSWORD, STASH, complete, secret
from settings import PROJECT

_T = TypeVar("_T")


STACK_TYPE: Final = "pulumi:pulumi:Stack"
UNKNOWN: Final = rpc.UNKNOWN
"""Stands in a request for a value that is not known in a preview."""


class RecordingError(AssertionError):
    """The program asked for something that no engine would do, or that the recorder cannot do."""


@dataclass(frozen=True)
class SecretValue:
    """A value that the program marked as secret."""

    value: Any


class Registration:
    """One registered resource: the request as it came, and views of it."""

    def __init__(self, urn: str, request: resource_pb2.RegisterResourceRequest) -> None:
        self.urn, self.request = urn, request
        self.identity = ""
        """The ID that the provider would give."""

    @property
    def type(self) -> str:
        return self.request.type

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def is_component(self) -> bool:
        return not self.request.custom

    @property
    def is_kubernetes(self) -> bool:
        return self.type.startswith("kubernetes:")

    @property
    def object_name(self) -> str:
        """The name of a Kubernetes object, as it would be generated."""
        return self.identity.rpartition("/")[2]

    @property
    def protected(self) -> bool:
        return bool(self.request.protect)

    @functools.cached_property
    def properties(self) -> dict[str, Any]:
        """The inputs as they came. Nobody may change them."""
        return {key: _struct_value_to_python(value) for key, value in self.request.object.fields.items()}

    @property
    def inputs(self) -> dict[str, Any]:
        """The inputs, each secret as a `SecretValue`."""
        return _decoded(self.properties, SecretValue)

    @property
    def revealed(self) -> dict[str, Any]:
        """The inputs, each secret as its value."""
        return _decoded(self.properties, lambda value: value)

    @property
    def plain_text(self) -> str:
        """The inputs that are not secret as JSON, where a leaked secret would show."""
        return json.dumps(_decoded(self.properties, lambda _: "[secret]"), ensure_ascii=False)

    def __repr__(self) -> str:
        return f"{self.type} {self.name}"


class Recorder(mocks.MockMonitor):
    """Run a program in the engine's place, keep what it registers, and answer with computed outputs.

    Args:
        logger: Gets what the program logs; None is Python's root logger.
        seed: Goes into everything that is made up, so that a generated name does not confirm a guessed secret.
        region, account: Where AWS would have made the resources.
        state: Outputs of the resources that the stack's last update left, as `{URN: {"outputs": {…}}}`.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        seed: str = "",
        region: str = AWS_REGION,
        account: str = AWS_ACCOUNT,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self._answers = _NoMocks(state or {})
        super().__init__(self._answers)
        self.registrations: dict[str, Registration] = {}
        self.outputs: dict[str, dict[str, Any]] = {}
        """Registered outputs by the URN of their component; each secret is a `SecretValue`."""
        self.hooks: dict[str, pulumi.ResourceHook | pulumi.ErrorHook] = {}
        """Hooks by name. A test calls them itself."""
        self.generated: list[str] = []
        """Secrets that were made up in place of pulumi-random and Stash."""
        self.preview, self.stack = False, ""
        self._logger, self._seed, self._region, self._account = logger, seed, region, account

    # For plans and tests

    def run(self, program: Callable[[], _T], *, preview: bool = False, stack: str = "dev") -> _T:
        """Run a program as the language host does, and return its value when everything is registered."""
        if self.registrations:
            raise RecordingError("expected a recorder for each program, got a second program")
        self.preview, self.stack = preview, stack
        result: list[_T] = []
        # A root that is not None keeps `set_mocks` from making a stack of its own.
        runtime_settings.set_root_resource(cast(pulumi.Resource, self))
        mocks.set_mocks(self._answers, project=PROJECT, stack=stack, preview=preview, monitor=self, logger=self._logger)
        runtime_settings.set_root_resource(cast(pulumi.Resource, None))
        runtime_settings.SETTINGS.callbacks = _Callbacks(self.hooks)

        async def whole() -> None:
            result.append(program())
            # The SDK would wait for each output anew with all that are left: their square, a fifth of a run's time.
            while left := [output for output in runtime_settings.SETTINGS.outputs if not output.done()]:
                for output in left:
                    if not output.done():
                        await asyncio.wait([output])

        loop = asyncio.get_event_loop()
        vars(loop)["run_in_executor"] = _at_once
        try:
            loop.run_until_complete(run_in_stack(whole))
        finally:
            del vars(loop)["run_in_executor"]
        return result[0]

    def every(self, type_: str | None = None) -> list[Registration]:
        """Return the resources, all but the stack or those of a type, ordered by URN."""
        return [item for _, item in sorted(self.registrations.items()) if type_ is None or item.type == type_]

    def one(self, type_: str, name: str | None = None) -> Registration:
        """Return the only resource of a type, or of a type and a name."""
        matches = [resource for resource in self.every(type_) if name is None or resource.name == name]
        assert len(matches) == 1, f"expected one {type_} {name or ''}, got {matches} of {self.every()}"
        return matches[0]

    def secret_data(self, name: str) -> dict[str, Any]:
        """Return a Kubernetes Secret's content by its logical name. Asserts that all of it is marked as secret."""
        data = self.one("kubernetes:core/v1:Secret", name).inputs["stringData"]
        content = data.value if isinstance(data, SecretValue) else data
        assert all(isinstance(data, SecretValue) or isinstance(value, SecretValue) for value in content.values())
        return {key: value.value if isinstance(value, SecretValue) else value for key, value in content.items()}

    def exports(self) -> dict[str, Any]:
        """Return the stack's outputs; each secret is a `SecretValue`."""
        return next(outputs for urn, outputs in self.outputs.items() if f"::{STACK_TYPE}::" in urn)

    # For the SDK

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Make a URN as the engine does. The SDK's own way needs a context that threads do not always have."""
        parents = f"{parent.split('::')[2]}$" if parent and STACK_TYPE not in parent else ""
        return f"urn:pulumi:{self.stack}::{PROJECT}::{parents}{type_}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if urn in self.registrations:
            raise RecordingError(f"expected one resource of a type and a name below a parent, found two: {urn}")
        registration = self.registrations[urn] = Registration(urn, request)
        answer = resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        state = dict(registration.properties)
        if request.custom and not self.preview:
            answer.id = registration.identity = complete(request, state, self._seed, self._region, self._account)
            if request.type == PASSWORD:
                self.generated.append(state["result"])
            elif request.type == STASH:
                self.generated.append(state["output"]["value"])
        for key in request.additionalSecretOutputs:
            if key in state:
                state[key] = secret(state[key])
        given = registration.properties
        answer.object.update({key: value for key, value in state.items() if value is not given.get(key, given)})
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        if request.urn in self.outputs:
            raise RecordingError(f"outputs registered twice: {request.urn}")
        self.outputs[request.urn] = _decoded(json_format.MessageToDict(request.outputs), SecretValue)
        return empty_pb2.Empty()


def _at_once(_: object, call: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
    """Do here what the SDK gives to another thread: the recorder answers at once, and a thread costs more."""
    done = asyncio.get_running_loop().create_future()
    try:
        done.set_result(call(*args))
    except Exception as error:
        done.set_exception(error)
    return done


class _NoMocks(mocks.Mocks):
    """Answers for the stack's own state. The recorder answers registrations; no other function may be called."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state = state

    def call(self, args: mocks.MockCallArgs) -> Any:
        if args.token == "pulumi:pulumi:readStackOutputs":
            return {"name": args.args["name"], "outputs": {"recorded": "yes"} if self._state else {}}
        if args.token == "pulumi:pulumi:readStackResourceOutputs" and self._state:
            return {"name": args.args["stackName"], "outputs": dict(self._state)}
        raise RecordingError(f"expected no provider function to be called, got {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:
        raise RecordingError(f"expected no resource to be read, got {args.typ} {args.name}")


class _Callbacks:
    """Take the SDK's hooks without a server."""

    def __init__(self, hooks: dict[str, pulumi.ResourceHook | pulumi.ErrorHook]) -> None:
        self._hooks = hooks

    def register_resource_hook(self, hook: pulumi.ResourceHook | pulumi.ErrorHook) -> None:
        assert hook.name not in self._hooks, f"duplicate hook {hook.name}"
        self._hooks[hook.name] = hook

    register_error_hook = register_resource_hook


def _decoded(properties: dict[str, Any], secret: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a request's properties as plain Python: whole numbers as int, each secret through `secret`."""

    def decode(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
                return secret(decode(value.get("value")))
            return {key: decode(item) for key, item in value.items()}
        if isinstance(value, list):
            return [decode(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    decoded: dict[str, Any] = decode(properties)
    return decoded
