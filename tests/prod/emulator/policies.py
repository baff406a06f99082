"""Decides by identity policies whether a right is given, and by which statement: IAM's rules, as far as policies here
use them (docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html)."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tests.prod.emulator.rights import Right

Statement = Mapping[str, Any]

_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "ArnEquals": fnmatch.fnmatchcase,
    "ArnLike": fnmatch.fnmatchcase,
    "Bool": lambda found, wanted: found.lower() == wanted.lower(),
    "StringEquals": lambda found, wanted: found == wanted,
    "StringLike": fnmatch.fnmatchcase,
}


def given_by(right: Right, statements: Iterable[Statement]) -> Statement | None:
    """Return the first statement that gives the right, or None. Raises KeyError for an unknown kind of condition."""
    found = [statement for statement in statements if _covers(statement, right)]
    if any(statement["Effect"] == "Deny" for statement in found):
        return None
    return found[0] if found else None


def _covers(statement: Statement, right: Right) -> bool:
    return (
        any(fnmatch.fnmatchcase(right.action.lower(), pattern.lower()) for pattern in listed(statement["Action"]))
        and any(_matches(right.resource, pattern) for pattern in listed(statement["Resource"]))
        and all(
            _holds(operator, right.context.get(key), listed(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, found: str | tuple[str, ...] | None, wanted: list[str]) -> bool:
    """Return whether one key of a condition holds: an absent key fails, but for `ForAllValues`, `…IfExists`, `Null`."""
    if operator.startswith("ForAllValues:"):
        values = [] if found is None else listed(found)
        return all(_holds(operator.partition(":")[2], value, wanted) for value in values)
    assert not isinstance(found, tuple), "several values are for ForAllValues"
    if operator == "Null":
        return (found is None) == (wanted == ["true"])
    if found is None:
        return operator.endswith("IfExists")
    return any(_TESTS[operator.removesuffix("IfExists")](found, pattern) for pattern in wanted)


def _matches(resource: str, pattern: str) -> bool:
    return pattern == "*" or fnmatch.fnmatchcase(resource, pattern)


def listed(value: str | Iterable[str]) -> list[str]:
    """Return the value of a policy's element as a list: IAM takes one text for a list of one."""
    return [value] if isinstance(value, str) else list(value)
