"""Runs a verb of several stages: finds the next stage, does it and proves it, until all are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic

from automation.engine.events import EventKind, OnEvent
from automation.errors import NotHealthy
from automation.results import Changes
from automation.stacks.session import Session
from automation.stages.result import DoneStage
from automation.stages.stage import AnyStage, next_stage
from automation.wait import answered, wait_for

_INTERVAL_SECONDS: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class StagedRun(Generic[AnyStage]):
    """One run of a verb."""

    session: Session
    verb: str
    what: str
    """What the verb does, such as `rotation`."""
    again: str
    """The command that continues it."""
    stages: Sequence[AnyStage]
    on_event: OnEvent

    def done(self, look: Callable[[], Any], do: Callable[[int, AnyStage], Changes]) -> tuple[DoneStage, ...]:
        """Do what is left, and return the stages that this run has done.

        Args:
            look: Returns the facts as they are now.
            do: Does a stage of that number and proves it.

        Raises:
            NotHealthy: A stage that was done does not hold any more.
        """
        teller, done = self.session.events(self.verb, self.on_event), list[DoneStage]()
        clock = self.session.cancellation.clock()
        while (found := answered(lambda: next_stage(self.stages, look()), clock)) is not None:
            number, stage = found
            if done and number <= done[-1].number:
                raise NotHealthy(f"stage {number} was done, and does not hold any more", self.again)
            teller.note(f"stage {number} of {len(self.stages)}: {stage.text}")
            begun = time.monotonic()
            changes = do(number, stage)
            seconds = round(time.monotonic() - begun, 1)
            done.append(DoneStage(number=number, text=stage.text, seconds=seconds, changes=changes))
            teller.note(f"stage {number} of {len(self.stages)} is done and proved ({seconds:.0f} s)")
            self.session.cancellation.record(f"stage {number} of the {self.what}", self.again)
            self.session.cancellation.raise_if_cancelled()
        return tuple(done)

    def until_it_holds(self, number: int, look: Callable[[], Any], seconds: float) -> None:
        """Wait until the stage of a number lacks nothing. Raises NotHealthy if it still does after so many seconds.

        A worker that is ending may take `airflow:workerGraceSeconds` more for its tasks.
        """
        teller, stage = self.session.events(self.verb, self.on_event), self.stages[number - 1]
        clock = self.session.cancellation.clock()

        def lacks() -> str:
            self.session.cancellation.raise_if_cancelled()
            lacking = answered(lambda: stage.lacks(look()), clock)
            if lacking:
                teller.tell(EventKind.WAITING, f"waiting: {lacking}")
            return lacking

        lacking = wait_for(
            lacks,
            lambda text: not text,
            seconds=seconds + self.session.config().worker_grace_seconds,
            interval=_INTERVAL_SECONDS,
            clock=clock,
        )
        if lacking:
            raise NotHealthy(f"stage {number} of the {self.what} is not done: {lacking}", self.again)
