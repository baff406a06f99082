"""What `spawn` and `expire` return."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

from automation.results import Result, Update


@dataclass(frozen=True, kw_only=True)
class Spawned(Result):
    """A stack that was made, or made anew, for a limited time."""

    stack: str
    namespace: str
    expires: str
    """Until when it is kept, as `2026-01-31T10:45:00Z`."""
    update: Update


@dataclass(frozen=True, kw_only=True)
class SpawnPlan(Result):
    """What `spawn` would make."""

    stack: str
    namespace: str
    expires: str
    """Until when the stack would be kept."""
    exists: bool
    """Whether it is there already, and would be updated."""


@unique
class Fate(StrEnum):
    """The outcome for a stack with a time to live."""

    KEPT = "kept"
    """Its time has not passed."""
    DUE = "due"
    """It would be removed."""
    REMOVED = "removed"
    GONE = "gone"
    """There is no such stack any more."""
    FAILED = "failed"
    """It should be removed, and was not."""


@dataclass(frozen=True, kw_only=True)
class Lifetime(Result):
    """A stack with a time to live."""

    stack: str
    expires: str
    fate: Fate
    reason: str = ""
    """Why it failed, with what to do."""


@dataclass(frozen=True, kw_only=True)
class Expiry(Result):
    """Every stack that has a time to live, and what became of it."""

    stacks: tuple[Lifetime, ...]

    SHOWN = ("failed",)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the stacks that should have been removed, and were not."""
        return tuple(item.stack for item in self.stacks if item.fate is Fate.FAILED)
