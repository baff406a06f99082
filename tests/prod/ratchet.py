"""The deploying role without some of its rights, each of which it is given when AWS has refused it once."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from typing import Any, Final

import pytest

from benchmarks.plain_stack import Result
from components.aws.deploying_role import statements_for
from tests.prod.account import Account
from tests.prod.checkout import Checkout

ATTEMPTS: Final = 80


class Ratchet:
    """Gives the role what it was refused.

    `missing`: the actions that it lacks so far. `given`: those that it was refused, each with the statement that gives
    it. `unnamed`: those of them that the error did not name with that statement, and the error.
    """

    def __init__(
        self, account: Account, missing: Collection[str], *, unnamed_too: Collection[str] = (), **orders: Any
    ) -> None:
        """Take the rights from the role.

        Args:
            account: Where it deploys.
            missing: IAM actions.
            unnamed_too: Those of them that an error need not name.
            orders: Those for the account beside them, as of `Account.order`.
        """
        self._account, self._unnamed_too, self._orders = account, unnamed_too, orders
        self.missing = set(missing)
        self.given: dict[str, str] = {}
        self.unnamed: dict[str, str] = {}
        self._order()

    def _order(self) -> None:
        self._account.order(missing=sorted(self.missing), **self._orders)

    def succeed(self, checkout: Checkout, *words: str, module: str = "automation") -> Result:
        """Run a verb again and again until it succeeds, and return what it did then. `module`: of its command line."""
        for _ in range(ATTEMPTS):
            done = self.attempt(checkout, *words, module=module)
            if done.code == 0:
                unnamed, self.unnamed = self.unnamed, {}
                assert unnamed == {}
                return done
        pytest.fail(f"not within {ATTEMPTS} attempts")

    def attempt(self, checkout: Checkout, *words: str, module: str = "automation") -> Result:
        """Run a verb once. It must succeed, or be refused something, which the role has afterwards."""
        started = time.time()
        done = checkout.run([".venv/bin/python", "-m", module, *words], check=False)
        refused = dict(self._refused(started))
        print(f"{words[0]}: exit {done.code} after {time.time() - started:.0f} s, {sorted(refused)}", flush=True)
        if done.code == 0:
            assert not refused, "a refusal that nobody sees"
            return done
        assert refused, done.output[-3000:]
        for action, statement in refused.items():
            self.given[action] = statement
            # By the engine at the end, or by the program about a look.
            named = re.search(rf"{action}( in an IAM policy of that identity)? \({statement}\)", done.output)
            if not named and action not in self._unnamed_too:
                self.unnamed[action] = done.output[-3000:]
        self.missing -= refused.keys()
        self._order()
        return done

    def _refused(self, since: float) -> Iterator[tuple[str, str]]:
        """Yield each action that was refused, with what gives it on that resource."""
        for call in self._account.calls(since):
            if call.refused:
                resource = next(found for action, found in call.rights if action == call.refused)
                yield call.refused, statements_for(call.refused, "" if resource == "*" else resource)
