"""What operations give back: frozen values that survive JSON. None holds a secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_QUIET: Final = frozenset({"same", "read", "refresh"})


class Result:
    """A frozen dataclass that can be written as JSON."""

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`: fields, and the properties that say how it went."""
        found = plain(self)
        assert isinstance(found, dict)
        return found


def plain(value: Any) -> Any:
    """Dataclasses as maps with the properties that they name in `SHOWN`; tuples as lists."""
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
    """counts: resources by what was done to them (`same`, `create`, `update`, …)."""

    counts: Mapping[str, int]

    SHOWN = ("any",)

    @property
    def any(self) -> bool:
        """Something was, or would be, done."""
        return any(count for kind, count in self.counts.items() if kind not in _QUIET)

    def __str__(self) -> str:
        if not self.any:
            return "no changes"
        done = [f"{count} {kind}" for kind, count in sorted(self.counts.items()) if count and kind != "read"]
        return ", ".join(done)


@dataclass(frozen=True, kw_only=True)
class Step(Result):
    """What was, or would be, done to one resource.

    operation: `create`, `update`, `replace`, `delete`, … as the engine calls it. type, name, urn: of the resource.
    properties: paths of what differs, each with `add`, `update`, `delete`, or one of these and `-replace`.
    """

    operation: str
    type: str
    name: str
    urn: str
    properties: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.operation} {self.type.rpartition(':')[2]} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Preview(Result):
    """What `up` would do. plan_file: where the engine's plan was saved, or None."""

    stack: str
    changes: Changes
    steps: tuple[Step, ...]
    plan_file: str | None = None


@dataclass(frozen=True, kw_only=True)
class Update(Result):
    """What `up`, `roll_image`, `refresh` or `destroy` (the verb) did. seconds: of the operation, waiting left out.

    outputs: of the stack afterwards.
    """

    stack: str
    verb: str
    changes: Changes
    steps: tuple[Step, ...]
    seconds: float
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outputs(Result):
    """values: by name (see `outputs.py`); what is secret is masked, and no output of this program is."""

    stack: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class HelmsmanExport(Result):
    """folder: where the files are. deployed: they are of what is deployed.

    secrets_to_make: names of Secrets that must be there before the files are applied. made_up: what is not real in
    them, a clause each, and must be replaced.
    """

    stack: str
    folder: str
    deployed: bool
    secrets_to_make: tuple[str, ...] = ()
    made_up: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HistoryEntry(Result):
    """One earlier operation. version: counts updates. kind: `update`, `refresh`, `destroy`, …; result: `succeeded`, …

    started, ended: ISO 8601, UTC; ended is "" where it never did. image_tag: config of the time, "" where unset.
    """

    version: int
    kind: str
    result: str
    started: str
    ended: str
    changes: Changes
    image_tag: str


@dataclass(frozen=True, kw_only=True)
class History(Result):
    """entries: the newest first. An operation that was killed is not among them."""

    stack: str
    entries: tuple[HistoryEntry, ...]
