"""What a rotation would do, and what it has done."""

from __future__ import annotations

from dataclasses import dataclass

from automation.results import Result
from automation.stages.result import DoneStage, PlannedStage


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
class Rotation(Result):
    """What a rotation has done."""

    plan: RotationPlan
    stages: tuple[DoneStage, ...]
    """Without those that an earlier run had done."""
    seconds: float
