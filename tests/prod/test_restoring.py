"""The stand-ins of the command line are for what the code has: known without an engine, before a test of an hour."""

from __future__ import annotations

import pkgutil

from tests.prod.restoring import STAND_INS


def test_each_stand_in_replaces_what_exists() -> None:
    for name in STAND_INS:
        assert callable(pkgutil.resolve_name(name)), name
