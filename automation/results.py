"""What the methods of an `Environment` return: frozen values that survive JSON. None holds a secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_QUIET: Final = frozenset({"same", "read", "refresh"})


class Result:
    """A frozen dataclass that can be written as JSON."""

    def to_json(self) -> dict[str, Any]:
        """Return a map for `json.dumps`: the fields, and the properties that `SHOWN` names."""
        content = plain(self)
        assert isinstance(content, dict)
        return content


def plain(value: Any) -> Any:
    """Return dataclasses as maps, with the properties that they name in `SHOWN`, and tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in dataclasses.fields(value)]
        return {name: plain(getattr(value, name)) for name in (*names, *getattr(value, "SHOWN", ()))}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


@dataclass(frozen=True)
class Changes(Result):
    """Numbers of resources that were changed, or would be."""

    counts: Mapping[str, int]
    """Numbers of resources by what is done to them: `same`, `create`, `update`, …"""

    SHOWN = ("any",)

    @property
    def any(self) -> bool:
        """Something was, or would be, changed."""
        return any(count for kind, count in self.counts.items() if kind not in _QUIET)

    def __str__(self) -> str:
        if not self.any:
            return "no changes"
        done = [f"{count} {kind}" for kind, count in sorted(self.counts.items()) if count and kind != "read"]
        return ", ".join(done)


@dataclass(frozen=True, kw_only=True)
class Step(Result):
    """One resource change inside an update, as the engine names it."""

    operation: str
    """`create`, `update`, `replace`, `delete`, …"""
    type: str
    """The Pulumi type of the resource."""
    name: str
    """The logical name of the resource."""
    urn: str
    """The URN of the resource."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """Paths of what differs, each with `add`, `update` or `delete`, or one of these and `-replace`."""

    def __str__(self) -> str:
        return f"{self.operation} {self.type.rpartition(':')[2]} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Preview(Result):
    """What `up` would do."""

    stack: str
    changes: Changes
    steps: tuple[Step, ...]
    """In the engine's order."""
    plan_file: str | None = None
    """The file with the engine's update plan, None if it was not saved."""


@dataclass(frozen=True, kw_only=True)
class Update(Result):
    """What an update did."""

    stack: str
    verb: str
    """What was asked for: `up`, `roll_image`, `refresh`, `destroy`, `recover` or `adopt`."""
    changes: Changes
    steps: tuple[Step, ...]
    """In the engine's order."""
    seconds: float
    """How long it took, without the wait for a lock."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The stack's outputs after it."""


@dataclass(frozen=True, kw_only=True)
class Outputs(Result):
    """A stack's outputs."""

    stack: str
    values: Mapping[str, Any]
    """The outputs by name (see `outputs.py`). A secret one would be masked; this program has none."""


@dataclass(frozen=True, kw_only=True)
class HelmsmanExport(Result):
    """A stack that was written as files for Helmsman."""

    stack: str
    folder: str
    """Where the files are."""
    deployed: bool
    """They hold what is deployed; else what would be."""
    secrets_to_make: tuple[str, ...] = ()
    """Names of the Secrets that must exist before the files are applied."""
    made_up: tuple[str, ...] = ()
    """What is not real in the files and must be replaced, a clause each."""


@dataclass(frozen=True, kw_only=True)
class HistoryEntry(Result):
    """One earlier update."""

    version: int
    """Its number; the first has 1."""
    kind: str
    """`update`, `refresh`, `destroy`, …"""
    result: str
    """`succeeded`, `failed`, …"""
    started: str
    """ISO 8601, UTC."""
    ended: str
    """ISO 8601, UTC; "" if it never ended."""
    changes: Changes
    image_tag: str
    """The image tag in the config of the time, "" if it was not set."""


@dataclass(frozen=True, kw_only=True)
class History(Result):
    """The earlier updates of a stack, without those that were killed."""

    stack: str
    entries: tuple[HistoryEntry, ...]
    """The newest first."""
