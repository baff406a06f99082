"""What an upgrade or a rollback would do, and what it has done."""

from __future__ import annotations

from dataclasses import dataclass

from automation.results import Result
from automation.stages.result import DoneStage, PlannedStage
from automation.upgrade.statements import Locking


@dataclass(frozen=True, kw_only=True)
class UpgradePlan(Result):
    """What an upgrade or a rollback would do."""

    stack: str
    verb: str
    """`upgrade` or `rollback`."""
    before: str
    """The Airflow that runs, with its tag if that is another text."""
    after: str
    """The Airflow that will run."""
    resumed: bool
    """It was begun before, and not finished."""
    migrates: bool | None = None
    """Whether the database changes; None if that was not looked at."""
    stages: tuple[PlannedStage, ...] = ()
    notes: tuple[str, ...] = ()
    """What is good to know before it begins, a sentence each."""
    locks: tuple[Locking, ...] = ()
    """The statements of the migration that lock a table with rows in it."""
    refusals: tuple[str, ...] = ()
    """Why it cannot begin, each with its remedy."""


@dataclass(frozen=True, kw_only=True)
class Upgrade(Result):
    """What an upgrade or a rollback has done."""

    plan: UpgradePlan
    stages: tuple[DoneStage, ...]
    """Without those that an earlier run had done, or that there was nothing to do for."""
    seconds: float
