"""Every target of the fuzzing is a property test that needs no fixture."""

from __future__ import annotations

import importlib
import inspect

from tests.fuzz.__main__ import TARGETS


def test_every_target_is_a_property_test_without_fixtures() -> None:
    for target in TARGETS.values():
        module, _, name = target.partition(":")
        test = getattr(importlib.import_module(f"tests.{module}"), name)
        assert callable(test.hypothesis.fuzz_one_input), target
        assert not inspect.signature(test).parameters, target
