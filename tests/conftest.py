"""The one recorder of what a program registers, and fixtures that keep tests apart from each other and from here.

Pulumi's own mocks show inputs only, without options and without secretness, and accept two resources of one name.
The recorder stands where the engine does, keeps each request as it came, and answers as the providers would.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import hypothesis
import pulumi
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import mocks, rpc
from pulumi.runtime import settings as runtime_settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack

_T = TypeVar("_T")

_REPLACED_BY_CONTENT = ("kubernetes:core/v1:Secret", "kubernetes:batch/v1:Job")

PROJECT: Final = "airflow"
STACK_TYPE: Final = "pulumi:pulumi:Stack"
AWS_REGION: Final = "eu-central-1"
AWS_ACCOUNT: Final = "123456789012"
UNKNOWN: Final = rpc.UNKNOWN
"""How a value that is not known in a preview stands in a request."""

# Property tests must not fail because the machine is busy.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


@dataclass(frozen=True)
class SecretValue:
    """A value that the program marked as secret, as the recorder shows it."""

    value: Any


class Registration:
    """One registered resource: the request as it came, and views of it."""

    def __init__(self, urn: str, request: resource_pb2.RegisterResourceRequest) -> None:
        self.urn, self.request = urn, request

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
    def protected(self) -> bool:
        return bool(self.request.protect)

    @property
    def inputs(self) -> dict[str, Any]:
        """Inputs with each secret as a `SecretValue`."""
        return _decoded(self.request.object, SecretValue)

    @property
    def revealed(self) -> dict[str, Any]:
        """Inputs with each secret as its value."""
        return _decoded(self.request.object, lambda value: value)

    @property
    def plain_text(self) -> str:
        """All that is not secret in the inputs, as JSON: where a leaked secret would be seen."""
        return json.dumps(_decoded(self.request.object, lambda _: "[secret]"), ensure_ascii=False)

    def __repr__(self) -> str:
        return f"{self.type} {self.name}"


class Recorder(mocks.MockMonitor):
    """The engine's part in a test: runs a program, keeps what it registers, and answers with computed outputs."""

    def __init__(self) -> None:
        super().__init__(_NoMocks())
        self.registrations: dict[str, Registration] = {}
        self.outputs: dict[str, dict[str, Any]] = {}
        """Registered outputs by URN of a component; each secret is a `SecretValue`."""
        self.hooks: dict[str, pulumi.ResourceHook | pulumi.ErrorHook] = {}
        """What a resource's request names as its hooks: a test calls them itself."""
        self.preview, self.stack = False, ""
        self._lock = threading.Lock()

    # What a test asks

    def run(self, program: Callable[[], _T], *, preview: bool = False, stack: str = "dev") -> _T:
        """Runs `program` whole, as the language host does, and returns its value when all is registered."""
        if self.registrations:
            raise AssertionError("expected a recorder for each program, got a second program")
        self.preview, self.stack = preview, stack
        result: list[_T] = []
        # A root that is not None keeps `set_mocks` from making a stack of its own.
        runtime_settings.set_root_resource(cast(pulumi.Resource, self))
        mocks.set_mocks(_NoMocks(), project=PROJECT, stack=stack, preview=preview, monitor=self)
        runtime_settings.set_root_resource(cast(pulumi.Resource, None))
        runtime_settings.SETTINGS.callbacks = _Callbacks(self.hooks)

        async def whole() -> None:
            await run_in_stack(lambda: result.append(program()))

        asyncio.get_event_loop().run_until_complete(whole())
        return result[0]

    def every(self, type_: str | None = None) -> list[Registration]:
        """All resources but the stack, or those of a type, ordered by URN."""
        return [found for _, found in sorted(self.registrations.items()) if type_ is None or found.type == type_]

    def one(self, type_: str, name: str | None = None) -> Registration:
        """The only resource of a type, or of a type and a name."""
        found = [resource for resource in self.every(type_) if name is None or resource.name == name]
        assert len(found) == 1, f"expected one {type_} {name or ''}, got {found} of {self.every()}"
        return found[0]

    def secret_data(self, name: str) -> dict[str, Any]:
        """Content of a Kubernetes Secret by logical name; asserts that all of it is marked as secret."""
        data = self.one("kubernetes:core/v1:Secret", name).inputs["stringData"]
        content = data.value if isinstance(data, SecretValue) else data
        assert all(isinstance(data, SecretValue) or isinstance(value, SecretValue) for value in content.values())
        return {key: value.value if isinstance(value, SecretValue) else value for key, value in content.items()}

    def exports(self) -> dict[str, Any]:
        """The stack's outputs; each secret is a `SecretValue`."""
        return next(outputs for urn, outputs in self.outputs.items() if f"::{STACK_TYPE}::" in urn)

    # What the SDK asks

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine does; the SDK's own looks for the stack in a context that threads do not always have."""
        parents = f"{parent.split('::')[2]}$" if parent and STACK_TYPE not in parent else ""
        return f"urn:pulumi:{self.stack}::{PROJECT}::{parents}{type_}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        with self._lock:
            if urn in self.registrations:
                raise AssertionError(f"duplicate resource {urn}")
            self.registrations[urn] = Registration(urn, request)
        state: dict[str, Any] = json_format.MessageToDict(request.object)
        identity = ""
        if request.custom and not self.preview:
            identity = _complete(request, state)
        for key in request.additionalSecretOutputs:
            if key in state:
                state[key] = _secret(state[key])
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=identity, object=json_format.ParseDict(state, struct_pb2.Struct())
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        with self._lock:
            if request.urn in self.outputs:
                raise AssertionError(f"outputs registered twice: {request.urn}")
            self.outputs[request.urn] = _decoded(request.outputs, SecretValue)
        return empty_pb2.Empty()


class _NoMocks(mocks.Mocks):
    """The recorder answers registrations itself; this program calls no provider function."""

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise AssertionError(f"expected no provider function to be called, got {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:
        raise AssertionError(f"expected no resource to be read, got {args.typ} {args.name}")


class _Callbacks:
    """Takes the SDK's hooks without a server."""

    def __init__(self, hooks: dict[str, pulumi.ResourceHook | pulumi.ErrorHook]) -> None:
        self._hooks = hooks

    def register_resource_hook(self, hook: pulumi.ResourceHook | pulumi.ErrorHook) -> None:
        assert hook.name not in self._hooks, f"duplicate hook {hook.name}"
        self._hooks[hook.name] = hook

    register_error_hook = register_resource_hook


def _complete(request: Any, state: dict[str, Any]) -> str:
    """Adds what the provider computes to `state`, and returns the resource's id.

    The SDK asks for the secretness of a generated value (`additionalSecretOutputs`); the caller sees to it.
    """
    # As with the real provider, an object keeps its generated name until it is replaced: other content does that to
    # an immutable Secret and to a Job.
    content = json.dumps(state, sort_keys=True) if request.type in _REPLACED_BY_CONTENT else ""
    suffix = hashlib.sha256(f"{request.name} {content}".encode()).hexdigest()[:8]
    if request.type == "random:index/randomPassword:RandomPassword":
        generated = f"{suffix}Gen{request.name.title().replace('-', '')}"
        state["result"] = (generated * 9)[: int(state["length"])]
    elif request.type == "random:index/randomBytes:RandomBytes":
        # Standard base64 with both characters that the URL-safe alphabet replaces.
        state["base64"] = "+/" + "Ab" * 20 + "A="
    elif request.type == "kubernetes:helm.sh/v3:Release":
        state["status"] = {"status": "deployed"}
        return f"{state['namespace']}/{state['name']}"
    elif request.type.startswith("kubernetes:"):
        metadata = state["metadata"]
        metadata.setdefault("name", f"{request.name}-{suffix}")
        if request.type == "kubernetes:core/v1:Secret":
            # The provider keeps a copy of a Secret's data among the annotations: the metadata then holds a secret.
            metadata["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": _secret("{}")}
        return f"{metadata.get('namespace', '')}/{metadata['name']}"
    elif request.type.startswith("aws:"):
        return _complete_aws(request.type, f"{request.name}-{suffix}", state)
    return f"{request.name}-{suffix}"


def _complete_aws(type_: str, generated: str, state: dict[str, Any]) -> str:
    """As `_complete`, for AWS: a name where none is given, and the ARN that is made of it."""
    service, _, kind = type_.removeprefix("aws:").partition("/")
    name = str(next((state[key] for key in ("bucket", "name", "identifier") if state.get(key)), generated))
    # An S3 ARN names neither region nor account; an IAM one no region.
    place = {"s3": "::", "iam": f"::{AWS_ACCOUNT}"}.get(service, f":{AWS_REGION}:{AWS_ACCOUNT}")
    state.setdefault("arn", f"arn:aws:{service}{place}:{name}")
    if type_ == "aws:rds/instance:Instance":
        state |= {"address": f"{name}.abc.{AWS_REGION}.rds.amazonaws.com", "port": state.get("port", 5432)}
        state["endpoint"] = f"{state['address']}:{state['port']}"
    elif type_ == "aws:kms/key:Key":
        state["keyId"] = generated
    elif type_ == "aws:s3/bucket:Bucket":
        state["bucket"] = name
    elif kind.partition(":")[2] in ("Role", "SubnetGroup", "ParameterGroup"):
        state["name"] = name
    return str(state["arn"]) if service == "secretsmanager" else name


def _secret(value: Any) -> dict[str, Any]:
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


def _decoded(struct: Any, secret: Callable[[Any], Any]) -> dict[str, Any]:
    """A request's properties as plain Python: whole numbers as int, each secret through `secret`."""

    def decode(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
                return secret(decode(value.get("value")))
            return {key: decode(item) for key, item in value.items()}
        if isinstance(value, list):
            return [decode(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    found: dict[str, Any] = decode(json_format.MessageToDict(struct))
    return found


@pytest.fixture
def recorder(runtime: None) -> Recorder:
    """A recorder for one program."""
    return Recorder()


@pytest.fixture
def record(runtime: None) -> Callable[..., Recorder]:
    """Runs a program on a recorder of its own and returns the recorder: for tests that compare programs."""

    def record(program: Callable[[], object], *, preview: bool = False, stack: str = "dev") -> Recorder:
        recorder = Recorder()
        recorder.run(program, preview=preview, stack=stack)
        return recorder

    return record


@pytest.fixture
def runtime() -> Iterator[None]:
    """A fresh event loop, and nothing of a program left afterwards."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    asyncio.set_event_loop(None)
    runtime_settings.SETTINGS.callbacks = None
    runtime_settings.reset_options()
    set_config({}, ())


def set_config(config: Mapping[str, str], secret_keys: Iterable[str]) -> None:
    pulumi.runtime.set_all_config(dict(config), list(secret_keys))


@pytest.fixture
def stack_config(runtime: None) -> Callable[[Mapping[str, str], Iterable[str]], None]:
    """Sets the config of the stack that runs next, by full key; `runtime` takes it back."""
    return set_config


@pytest.fixture(autouse=True)
def hermetic(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees this machine's clusters, stacks, caches or networks, unless it says that it needs an engine."""
    if any(request.node.get_closest_marker(marker) for marker in ("engine", "cluster")):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for variable in list(os.environ):
            if variable.startswith(("PULUMI_", "AIRFLOW_", "AWS_")) or variable == "KUBECONFIG":
                patch.delenv(variable)
        patch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")  # an Output in an f-string is an error, not a text
        patch.setenv("XDG_CACHE_HOME", str(_empty_folder(tmp_path_factory)))
        patch.setattr(socket.socket, "connect", _local_only(socket.socket.connect))
        yield


_EMPTY: list[Path] = []


def _empty_folder(factory: pytest.TempPathFactory) -> Path:
    """One empty cache folder for the whole session; a test that writes there sets its own."""
    if not _EMPTY:
        _EMPTY.append(factory.mktemp("cache"))
    return _EMPTY[0]


def _local_only(connect: Callable[[socket.socket, Any], None]) -> Callable[[socket.socket, Any], None]:
    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise AssertionError(f"expected no network in a unit test, got a connection to {address[0]}")
        connect(self, address)

    return guarded
