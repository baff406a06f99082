"""Fixtures that give each test a recorder, and keep tests apart from each other and from here."""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import hypothesis
import pulumi
import pytest

from tests.compiled_once import pytest_collection  # isort: skip - what comes after it is compiled once

from automation.plan.answers import AWS_ACCOUNT, AWS_REGION
from automation.plan.answers import complete as _complete
from automation.plan.recorder import (
    STACK_TYPE,
    UNKNOWN,
    Recorder,
    Registration,
    SecretValue,
)
from settings import PROJECT
from tests import samples
from tests.fewer_reports import pytest_report_to_serializable, pytest_sessionstart
from tests.lighter_hypothesis import lighten_hypothesis
from tests.lighter_sdks import lighten_aws, lighten_pulumi
from tests.one_program import room_for_one_program
from tests.scheduler import pytest_collection_modifyitems, pytest_xdist_make_scheduler
from tests.skipped import pytest_terminal_summary

__all__ = [
    "AWS_ACCOUNT",
    "AWS_REGION",
    "PROJECT",
    "STACK_TYPE",
    "UNKNOWN",
    "Recorder",
    "Registration",
    "SecretValue",
    "_complete",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_report_to_serializable",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_xdist_make_scheduler",
]

# A shell starts what runs in its background with SIGINT ignored, and no script that a test starts could then trap it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# What the imports leave is alive until the end. Searched for garbage again and again, it cost half of a program's run.
gc.disable()
lighten_pulumi()
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # half of an emulated account's time, and no test needs them


def pytest_collection_finish() -> None:
    """Collect garbage from here on, seldom, and only among what the tests themselves make."""
    lighten_aws()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def pytest_unconfigure() -> None:
    """Search for no garbage while Python ends: that takes a second and more for all that was imported."""
    gc.freeze()
    gc.disable()


# Property tests must not fail because the machine is busy.
_BUSY: dict[str, Any] = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
_FEW: Final = 25
hypothesis.settings.register_profile("suite", max_examples=_FEW, **_BUSY)
hypothesis.settings.register_profile("long", max_examples=1000, **_BUSY)
hypothesis.settings.load_profile("suite")
lighten_hypothesis(_FEW)


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
    with room_for_one_program():
        yield


_RUNS: dict[tuple[object, ...], Recorder] = {}


@pytest.fixture
def registered(
    record: Callable[..., Recorder], stack_config: Callable[[Mapping[str, str], Iterable[str]], None]
) -> Callable[..., Recorder]:
    """Returns what `__main__.py` registers with a config, while AWS is as in `samples`.

    Each config is run once for all tests of a process, so nobody may change what comes back.
    """
    from settings import loading

    def registered(config: samples.StackConfig, *, preview: bool = False) -> Recorder:
        key = (config.stack, frozenset(config.values.items()), config.secret_keys, preview)
        if key not in _RUNS:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(loading, "chart_archive", lambda *_: samples.CHART)
                samples.fake_aws(patch)
                stack_config(config.values, config.secret_keys)
                _RUNS[key] = record(config.program(), preview=preview, stack=config.stack)
        return _RUNS[key]

    return registered


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
