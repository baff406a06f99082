"""What tests tell a running emulator, and what it tells them: files in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

CALLS: Final = "calls.jsonl"
_ORDERS: Final = "orders.json"


@dataclass(frozen=True, kw_only=True)
class Orders:
    """How the emulator treats everybody but the tests' administrator."""

    identities: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Statements of the policies of a user by its access key. Whoever is not here is an administrator, unless it is a
    role that was assumed: that has its own policies."""
    throttled: float = 0
    """The part of all calls that is refused as too many, 0 to 1."""
    unsettled: float = 0
    """The part of calls on what was made a moment ago that do not find it yet, 0 to 1."""
    missing: Sequence[str] = ()
    """IAM actions that are refused on the first resource for which a statement with an ID gives them, until they leave
    this list."""
    held: Sequence[str] = ()
    """Operations, such as `iam:CreateRole`, that are done but not answered for as long as this is in force."""
    expired: bool = False
    """Whether every token has expired."""

    @staticmethod
    def read(folder: Path) -> Orders:
        path = folder / _ORDERS
        return Orders(**json.loads(path.read_text())) if path.exists() else Orders()

    def write(self, folder: Path) -> None:
        new = folder / f"{_ORDERS}.new"
        new.write_text(json.dumps(asdict(self)))
        new.rename(folder / _ORDERS)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that the emulator answered."""

    time: float
    """Seconds since 1970."""
    access_key: str
    operation: str
    """Such as `iam:CreateRole`, by the names of the API."""
    rights: Sequence[Sequence[str]]
    """IAM action and resource of all that it needed."""
    refused: str
    """The action that the caller was not allowed, or ""."""
    status: int
    """Of HTTP."""
    answer: str
    """The beginning of an answer that is an error, or ""."""

    @property
    def actions(self) -> set[str]:
        return {right[0] for right in self.rights}


def calls(folder: Path, since: float = 0) -> Iterator[Call]:
    """Yield the calls so far, from a moment on."""
    for line in (folder / CALLS).read_text().splitlines():
        call = Call(**json.loads(line))
        if call.time >= since:
            yield call
