"""An AWS that refuses calls as too many, and does not find what it has just made: another `up` ends well."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.prod.account import Account
from tests.prod.checkout import Checkout
from tests.prod.emulator.settling import NOT_THERE
from tests.prod.ownership import not_in_the_state

pytestmark = [pytest.mark.engine, pytest.mark.aws, pytest.mark.xdist_group("prod-busy")]

COMMAND: Final = ("python", "-m", "tests.prod.restoring", "up", "prod")
ATTEMPTS: Final = 12
_TOO_MANY: Final = re.compile(r"Throttling|RequestLimitExceeded|SlowDown")


def test_another_up_ends_well_and_nothing_is_made_twice(checkout: Checkout, account: Account) -> None:
    account.order(throttled=0.15, unsettled=0.5)
    for _ in range(ATTEMPTS):
        done = checkout.run(COMMAND, check=False)
        print(f"up: exit {done.code}", done.output[-700:] if done.code else "", flush=True)
        if done.code == 0:
            break
    else:
        pytest.fail(f"not within {ATTEMPTS} attempts")
    account.order()
    answers = [call.answer for call in account.calls() if call.status >= 400]
    too_many = [answer for answer in answers if _TOO_MANY.search(answer)]
    not_there = [answer for answer in answers if NOT_THERE in answer]
    print(f"{len(too_many)} calls were too many, {len(not_there)} did not find what is new", flush=True)
    assert len(too_many) > 20
    assert len(not_there) > 5
    assert not_in_the_state(account, checkout) == []


def test_nothing_is_left_to_do(checkout: Checkout) -> None:
    assert checkout.up().steps == ()
    assert checkout.refresh().steps == ()
