"""Fixtures of the policies' tests: recorded programs, and the policy pack where it can run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policy import context
from policy.model import JudgedResource
from tests import samples
from tests.automation.checkouts import checkouts
from tests.cluster.harness import pulumi
from tests.policy.programs import PROGRAMS, resources_of

if TYPE_CHECKING:
    from automation.plan.recorder import Recorder

    Record = Callable[..., Recorder]

__all__ = ["checkouts"]

Recorded = Callable[..., list[JudgedResource]]
_RECORDED: dict[tuple[str, bool], list[JudgedResource]] = {}


@pytest.fixture(autouse=True)
def shipped_registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shipped list of registries in place of the committed one, which is the team's."""
    monkeypatch.setattr(context, "ALLOWED_REGISTRIES", samples.SHIPPED / "policy" / "allowed-registries.txt")
    context.allowed_registries.cache_clear()
    yield
    context.allowed_registries.cache_clear()


@pytest.fixture
def recorded(registered: Callable[..., Recorder]) -> Recorded:
    """The resources of a program by name, converted once for all tests. Nobody may change them."""

    def recorded(name: str, *, preview: bool = False) -> list[JudgedResource]:
        if (name, preview) not in _RECORDED:
            _RECORDED[name, preview] = resources_of(registered(PROGRAMS[name](), preview=preview))
        return _RECORDED[name, preview]

    return recorded


@pytest.fixture(scope="session")
def pack() -> Path:
    """The policy pack, where there are an engine, its plugin random, and the pack's own environment."""
    command = pulumi()
    if command is None:
        pytest.skip("no engine: pulumi is not on PATH")
    folder = samples.ROOT / "policy"
    if not (samples.ROOT / ".venv" / "policy" / "bin" / "python").is_file():
        pytest.skip("no environment of the policy pack: make policy")
    listed = subprocess.run([command, "plugin", "ls", "--json"], capture_output=True, text=True, check=True).stdout
    if "random" not in {plugin["name"] for plugin in json.loads(listed)}:
        pytest.skip("no engine: its plugin random is not here")
    return folder
