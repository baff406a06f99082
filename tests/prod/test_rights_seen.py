"""The page about the deploying role's rights says the same as the policies."""

from __future__ import annotations

import re
from typing import Final

from tests.prod.account import DRILL, POLICIES, TEARDOWN, statements
from tests.prod.emulator.policies import listed
from tests.prod.rights_seen import needed, never_needed, refused_once, runs
from tests.samples import ROOT

FEW: Final = 9
"""Rights at most that no run needed."""


def test_every_right_was_seen_to_be_needed_or_has_its_reason() -> None:
    allowed = {action for item in statements(*POLICIES, TEARDOWN, DRILL) for action in listed(item["Action"])}
    seen = refused_once().keys() | {action for run in runs() for action in needed(run)}
    assert never_needed().keys() == allowed - seen
    assert not seen - allowed
    assert len(never_needed()) <= FEW


def test_the_statements_are_those_that_give_the_rights() -> None:
    for action, place in refused_once().items():
        named = re.findall(r"statements? ([\w, ]+) of docs/([\w-]+\.json)", place)
        assert named, place
        for names, file in named:
            given = {str(item["Sid"]) for item in statements(file) if action in listed(item["Action"])}
            assert set(names.split(", ")) <= given, action


def test_every_run_on_the_page_exists() -> None:
    assert all((ROOT / "tests" / "prod" / run).is_file() for run in runs())
