"""A first deployment that is killed again and again while AWS makes something, and goes on each time.

Every command is killed when AWS has done what it asked for, but has not said so: the state knows nothing of it.
"""

from __future__ import annotations

import json
from typing import Final

import pytest

from tests.prod.account import Account
from tests.prod.checkout import Checkout
from tests.prod.killing import killed_at
from tests.prod.ownership import not_in_the_state
from tests.prod.ratchet import Ratchet
from tests.prod.rights_seen import unneeded_after

pytestmark = [pytest.mark.engine, pytest.mark.aws, pytest.mark.xdist_group("prod-killed")]

MODULE: Final = "tests.prod.restoring"
COMMAND: Final = ("python", "-m", MODULE)
LOOK: Final = "tag:GetResources"
"""The right by which `recover` finds a key."""
MOMENTS: Final = frozenset(
    {"kms:CreateKey", "logs:CreateLogGroup", "s3:CreateBucket", "secretsmanager:CreateSecret", "rds:CreateDBInstance"}
)
"""Much else is being made at each. Which comes first is up to the engine."""


def keys(checkout: Checkout) -> dict[str, str]:
    """Return what was generated, by URN."""
    shown = checkout.run(["pulumi", "stack", "export", "--stack", "prod", "--show-secrets"]).output
    resources = json.loads(shown)["deployment"].get("resources") or []
    return {item["urn"]: json.dumps(item["outputs"]) for item in resources if item["type"].startswith("random:")}


def test_it_goes_on_after_each_kill_and_makes_nothing_twice(checkout: Checkout, account: Account) -> None:
    found: dict[str, str] = {}
    to_come = set(MOMENTS)
    while to_come:
        done = killed_at(checkout, account, to_come, *COMMAND, "up" if to_come == MOMENTS else "recover", "prod")
        to_come -= done
        if "kms:CreateKey" in done:
            _require_that_recover_names_the_right_to_look(checkout, account)
        now = keys(checkout)
        assert {urn: now.get(urn) for urn in found} == found, "another key"
        found = now
    refused = checkout.run([*COMMAND, "up", "prod"], check=False)
    assert refused.code != 0
    assert "python -m automation recover prod" in refused.output
    recovered = checkout.run([*COMMAND, "recover", "prod"])
    print(recovered.output, flush=True)
    assert {urn: keys(checkout)[urn] for urn in found} == found
    assert not_in_the_state(account, checkout) == []


def _require_that_recover_names_the_right_to_look(checkout: Checkout, account: Account) -> None:
    ratchet = Ratchet(account, {LOOK})
    assert ratchet.attempt(checkout, "recover", "prod", module=MODULE).code != 0
    assert (set(ratchet.given), ratchet.unnamed) == ({LOOK}, {})


def test_nothing_is_left_to_do(checkout: Checkout) -> None:
    assert checkout.up().steps == ()
    assert checkout.refresh().steps == ()


def test_every_other_call_was_allowed(account: Account) -> None:
    assert [call.refused for call in account.calls() if call.refused] == [LOOK]


def test_the_rights_of_which_the_page_says_so_were_needed(account: Account) -> None:
    assert unneeded_after(account, "test_killed.py") == set()
