"""What a stage is, and how the next one is found. Pure: a stage says what must hold when it is done.

Nothing remembers how far a verb is. The next stage is the first that lacks something, so to resume a verb that was
killed, begin it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

_Facts = TypeVar("_Facts", contravariant=True)


class Stage(Protocol[_Facts]):
    """One stage. The facts are what it looks at."""

    @property
    def text(self) -> str:
        """The result of the stage, as a sentence."""

    @property
    def lacks(self) -> Callable[[_Facts], str]:
        """Return what is missing for its postcondition; "" if it holds."""


AnyStage = TypeVar("AnyStage", bound=Stage[Any])


def next_stage(stages: Sequence[AnyStage], facts: Any) -> tuple[int, AnyStage] | None:
    """Return number, from 1, and stage of the first that lacks something; None if all is done."""
    return next(((number, stage) for number, stage in enumerate(stages, 1) if stage.lacks(facts)), None)
