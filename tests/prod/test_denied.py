"""Every right that the deploying role needs, refused once: the error names it and the statement that gives it.

The first resource that needs a right is refused it for a whole attempt. Each attempt fails, and the next one is granted
exactly what AWS refused before. So the deployment, its changes and its end take as many attempts as they need.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

import pytest

from components.aws.deploying_role import statements_for
from tests.prod.account import POLICIES, TEARDOWN, Account, statements
from tests.prod.checkout import Checkout
from tests.prod.drift import change_by_hand
from tests.prod.emulator.policies import listed
from tests.prod.rights_seen import refused_once, unneeded_after

pytestmark = [pytest.mark.engine, pytest.mark.aws, pytest.mark.xdist_group("prod-denied")]

ATTEMPTS: Final = 80
UNSEEN: Final = frozenset({"s3:ListBucket", "s3:UntagResource"})
"""Without the first, the provider does not see that the bucket exists: it waits for 20 minutes, and then says that it
cannot find it. Without the second, it uses the older API."""
OLDER: Final = frozenset({"s3:ListTagsForResource", "s3:TagResource"})
"""Without them, the provider uses the older API, which needs `s3:GetBucketTagging` and `s3:PutBucketTagging`: the error
names those, or nothing fails."""


class Ratchet:
    """Gives the role what it was refused.

    `given`: the actions that it was refused so far, each with the statement that gives it. `unnamed`: those that the
    error did not name with that statement, and the error.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._missing = {action for item in statements(*POLICIES, TEARDOWN) for action in listed(item["Action"])}
        self._missing -= UNSEEN
        self.given: dict[str, str] = {}
        self.unnamed: dict[str, str] = {}
        self._order()

    def _order(self) -> None:
        self._account.order(teardown=True, missing=sorted(self._missing))

    def succeed(self, checkout: Checkout, *words: str, module: str = "automation") -> None:
        """Run a verb again and again until it succeeds. `module`: of its command line."""
        for _ in range(ATTEMPTS):
            started = time.time()
            result = checkout.run([".venv/bin/python", "-m", module, *words], check=False)
            refused = dict(self._refused(started))
            print(f"{words[0]}: exit {result.code} after {time.time() - started:.0f} s, {sorted(refused)}", flush=True)
            if result.code == 0:
                assert not refused, "a refusal that nobody sees"
                unnamed, self.unnamed = self.unnamed, {}
                assert unnamed == {}
                return
            assert refused, result.output[-3000:]
            for action, statement in refused.items():
                self.given[action] = statement
                # By the engine at the end, or by the program about a look.
                named = re.search(rf"{action}( in an IAM policy of that identity)? \({statement}\)", result.output)
                if not named and action not in OLDER:
                    self.unnamed[action] = result.output[-3000:]
            self._missing -= refused.keys()
            self._order()
        pytest.fail(f"not within {ATTEMPTS} attempts")

    def _refused(self, since: float) -> Iterator[tuple[str, str]]:
        """Yield each action that was refused, with what gives it on that resource."""
        for call in self._account.calls(since):
            if call.refused:
                resource = next(found for action, found in call.rights if action == call.refused)
                yield call.refused, statements_for(call.refused, "" if resource == "*" else resource)


@pytest.fixture(scope="module")
def ratchet(account: Account, checkout: Checkout) -> Ratchet:
    # An attempt then meets what all independent resources are refused, and not only the first of them.
    checkout.more = {**checkout.more, "PULUMI_CONTINUE_ON_ERROR": "true"}
    return Ratchet(account)


def test_it_comes_to_be_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    ratchet.succeed(checkout, "up", "prod")
    assert checkout.up().steps == ()


def test_it_is_read_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    ratchet.succeed(checkout, "preview", "prod", "--refresh")


def test_its_database_is_saved_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    for verb in ("backup", "backups"):
        ratchet.succeed(checkout, verb, "prod", module="tests.prod.restoring")


def test_it_is_changed_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    tags = {"application": "airflow", "stack": "prod"}
    checkout.set(awsTags={**tags, "team": "data"}, databaseInstanceClass="db.m7g.xlarge")
    ratchet.succeed(checkout, "up", "prod")
    checkout.set(awsTags=tags, databaseApplyImmediately=True, protect=False)
    ratchet.succeed(checkout, "up", "prod")


def test_what_a_person_changed_is_put_back_by_the_rights_that_errors_name(
    ratchet: Ratchet, checkout: Checkout, account: Account
) -> None:
    change_by_hand(account, "db.m7g.4xlarge")
    ratchet.succeed(checkout, "refresh", "prod")
    ratchet.succeed(checkout, "up", "prod")
    # The provider counts a change as done that it was refused.
    checkout.refresh()
    ratchet.succeed(checkout, "up", "prod")
    assert checkout.refresh().steps == ()


def test_it_is_removed_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    ratchet.succeed(checkout, "destroy", "prod")
    by_statement = sorted((statement, action) for action, statement in ratchet.given.items())
    for statement, found in groupby(by_statement, key=itemgetter(0)):
        print(f"| {statement} | {', '.join(f'`{action}`' for _, action in found)} |")
    assert refused_once().keys() <= ratchet.given.keys()


def test_the_rights_of_which_the_page_says_so_were_needed(account: Account) -> None:
    assert unneeded_after(account, "test_denied.py") == set()
