"""The page that says what was seen of the deploying role's rights: read for the tests that hold it to their runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from tests.prod.account import Account
from tests.samples import ROOT

_PAGE: Final = ROOT / "docs" / "rights-of-the-deploying-role.md"
_ACTION: Final = re.compile(r"`([a-z0-9]+:[A-Z]\w+)`")


def refused_once() -> Mapping[str, str]:
    """Return the statement of each action that the deploying role was refused."""
    return {action: place for place, rest in _rows("Refused once") for action in _ACTION.findall(rest)}


def needed(run: str) -> set[str]:
    """Return the actions of which the page says that a test's run needed them beside those that were refused."""
    return {action for place, rest in _rows("Needed by other runs") if run in place for action in _ACTION.findall(rest)}


def runs() -> set[str]:
    """Return the files of the tests that the page names for that."""
    return {name for place, _ in _rows("Needed by other runs") for name in re.findall(r"test_\w+\.py", place)}


def never_needed() -> Mapping[str, str]:
    """Return why each action is allowed that no run needed."""
    return {action: rest for place, rest in _rows("Never needed") for action in _ACTION.findall(place)}


def unneeded_after(account: Account, run: str) -> set[str]:
    """Return what the page says that this run needs, and the deploying role's calls so far did not."""
    used = {action for call in account.calls() if not call.refused for action in call.actions}
    assert needed(run), run
    return needed(run) - used


def _rows(heading: str) -> Iterator[tuple[str, str]]:
    """Yield the first cell and the rest of each row of the table below a heading."""
    section = _PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for line in re.findall(r"^\| (.+) \|$", section, re.MULTILINE)[2:]:
        first, _, rest = line.partition(" | ")
        yield first, rest
