"""The steps of a recovery as values, what a recovery returns, and what only a person can decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique

from automation.cluster.objects import Found
from automation.recovery.status import StackStatus
from automation.results import Result, Update


@unique
class RecoveryAction(StrEnum):
    """The action of a recovery step."""

    END = "end"
    """Ends a process that the killed engine left."""
    WAIT = "wait"
    """Waits for the end of such a process."""
    UNLOCK = "unlock"
    """Removes a lock."""
    ADOPT = "adopt"
    """Takes an object into the state."""
    FORGET = "forget"
    """Drops an interrupted step from the state."""
    REFRESH = "refresh"
    """Waits for the end of a delete that was interrupted, and updates the state from what really exists."""
    DELETE = "delete"
    """Deletes an object that a later update has made again."""
    KEEP = "keep"
    """Drops an interrupted step from the state, and leaves the object, which may hold data."""
    REPLACE_POD = "replace_pod"
    """Deletes a pod, which its StatefulSet then makes anew."""
    UPDATE = "update"
    """Runs `up`."""


@dataclass(frozen=True, kw_only=True)
class RecoveryStep(Result):
    """One step of a recovery."""

    doing: RecoveryAction
    text: str
    """What it does and why."""
    urn: str = ""
    """The URN of its resource, "" if it is about none."""
    id: str = ""
    """The id of its object, "" if it is about none."""
    pid: int = 0
    """The id of its process, 0 if it is about none."""
    found: Found | None = None
    """The object to delete, to keep, or whose end to wait for."""


@dataclass(frozen=True, kw_only=True)
class RecoverySteps(Result):
    """The steps of a recovery, in their order. The last of a recovery is always an update."""

    stack: str
    steps: tuple[RecoveryStep, ...]

    SHOWN = ("interrupted",)

    @property
    def interrupted(self) -> bool:
        """There is something to repair before the update."""
        return any(step.doing is not RecoveryAction.UPDATE for step in self.steps)

    def of(self, doing: RecoveryAction) -> tuple[RecoveryStep, ...]:
        """Return the steps of one kind."""
        return tuple(step for step in self.steps if step.doing is doing)


@dataclass(frozen=True, kw_only=True)
class Recovery(Result):
    """What a recovery has done."""

    plan: RecoverySteps
    """Its steps."""
    update: Update
    """What the update at its end did."""
    status: StackStatus
    """How the stack is now."""


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """Answers that only a person can give to `recover`."""

    lock_is_stale: bool = False
    """The process that holds the lock does not run any more."""
    adopt: Mapping[str, str] = field(default_factory=dict)
    """Ids of resources whose creation was interrupted and that exist, by URN."""
    forget: frozenset[str] = frozenset()
    """URNs of resources whose creation was interrupted and that do not exist."""
