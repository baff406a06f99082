"""The AWS half of `prod`, in the order of the tests. Each test leaves the stack whole for the next.

Kubernetes is a stand-in here; `test_whole.py` has a real one.
"""

from __future__ import annotations

import pytest

from tests.prod.account import Account
from tests.prod.checkout import Checkout

pytestmark = [pytest.mark.engine, pytest.mark.aws]


def test_up_from_nothing(checkout: Checkout) -> None:
    made = checkout.up()
    assert {step.split()[0] for step in made.steps} == {"create"}


def test_a_second_up_changes_nothing(checkout: Checkout) -> None:
    assert checkout.up().steps == ()


def test_a_refresh_finds_nothing_else(checkout: Checkout) -> None:
    assert checkout.refresh().steps == ()
    assert checkout.preview().steps == ()


def test_every_call_so_far_was_allowed_by_the_policies_of_every_day(account: Account) -> None:
    assert [(call.operation, call.refused) for call in account.calls() if call.refused] == []
