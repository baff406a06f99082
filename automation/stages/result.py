"""The stages that a verb would do, and those that it has done."""

from __future__ import annotations

from dataclasses import dataclass

from automation.results import Changes, Result


@dataclass(frozen=True, kw_only=True)
class PlannedStage(Result):
    """A stage that would be done."""

    text: str
    """The result of the stage, as a sentence."""
    rolls: tuple[str, ...] = ()
    """The components whose pods are replaced or stopped."""
    seconds: float | None = None
    """About how long it takes, by the last updates of the stack; None if there were none."""
    done: bool = False
    """Whether it is done already."""


@dataclass(frozen=True, kw_only=True)
class DoneStage(Result):
    """A stage that was done."""

    number: int
    """Its number, from 1."""
    text: str
    """The result of the stage, as a sentence."""
    seconds: float
    """How long it took, with its waits."""
    changes: Changes
    """What its update changed."""
