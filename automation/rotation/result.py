"""What a rotation would do, and what it has done."""

from __future__ import annotations

from dataclasses import dataclass

from automation.results import Changes, Result


@dataclass(frozen=True, kw_only=True)
class PlannedStage(Result):
    """A stage of a rotation."""

    text: str
    """What is so when it is done."""
    rolls: tuple[str, ...] = ()
    """The components whose pods are replaced."""
    seconds: float | None = None
    """About how long it takes, by the last updates of the stack; None if it has none to go by."""
    done: bool = False
    """It lacks nothing."""


@dataclass(frozen=True, kw_only=True)
class RotationPlan(Result):
    """What a rotation would do."""

    stack: str
    key: str
    """What is rotated, as the verb calls it."""
    resumed: bool
    """It was begun before, and not finished."""
    stages: tuple[PlannedStage, ...]
    notes: tuple[str, ...] = ()
    """What is good to know before it begins, a sentence each."""
    refusals: tuple[str, ...] = ()
    """Why it cannot begin, each with its remedy."""


@dataclass(frozen=True, kw_only=True)
class DoneStage(Result):
    """A stage that was done."""

    number: int
    """Its number, from 1."""
    text: str
    """What is so now."""
    seconds: float
    """How long it took, with its waits."""
    changes: Changes
    """What its update changed."""


@dataclass(frozen=True, kw_only=True)
class Rotation(Result):
    """What a rotation has done."""

    plan: RotationPlan
    stages: tuple[DoneStage, ...]
    """Without those that an earlier run had done."""
    seconds: float
