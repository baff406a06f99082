"""The parts that every restore shares: it changes the config, updates, starts Airflow and verifies it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

from automation.engine.events import OnEvent
from automation.recovery.recover import resumed_update, wait_until_healthy
from automation.results import Changes
from automation.stacks.config import Keep
from automation.stacks.session import Session
from automation.stacks.verify_stack import verified_stack
from automation.stages.config import write_config
from automation.stages.result import DoneStage, PlannedStage
from automation.stages.run import StagedRun
from automation.stages.stage import AnyStage, next_stage
from automation.verification.result import Verification
from components.release.running import Running

VERB: Final = "restore"
ID_FORMAT: Final = "%Y%m%d%H%M%S"
"""The format of a restore's id: the time at which it began."""

_Doing = TypeVar("_Doing")
_Facts = TypeVar("_Facts")


@dataclass(frozen=True, kw_only=True)
class RestoreStage(Generic[_Doing, _Facts]):
    """One stage."""

    text: str
    """The result of the stage, as a sentence."""
    doing: _Doing
    """How it is done."""
    lacks: Callable[[_Facts], str]
    """Returns what is missing for its postcondition; "" if it holds."""
    rolls: tuple[str, ...] = ()
    """The components whose pods stop or start."""


AnyRestoreStage = TypeVar("AnyRestoreStage", bound=RestoreStage[Any, Any])


def planned_stages(
    stages: Sequence[AnyRestoreStage],
    facts: object,
    *,
    resumed: bool,
    seconds: Callable[[AnyRestoreStage], float | None] = lambda stage: None,
) -> tuple[PlannedStage, ...]:
    """Return the stages of a plan.

    Args:
        stages: All stages.
        facts: What they look at.
        resumed: Whether the restore was begun before. Else none is done, whatever there is.
        seconds: About how long a stage takes, None where that is not known.
    """
    following = next_stage(stages, facts) if resumed else (1, stages[0])
    first = following[0] if following else len(stages) + 1
    return tuple(
        PlannedStage(text=stage.text, rolls=stage.rolls, seconds=seconds(stage), done=number < first)
        for number, stage in enumerate(stages, 1)
    )


def again(session: Session) -> str:
    """Return what continues a restore."""
    return f"python -m automation restore {session.name} continues it"


@dataclass(kw_only=True)
class RestoreRun(Generic[AnyStage]):
    """One run of the verb."""

    session: Session
    planned: tuple[AnyStage, ...]
    """Its stages."""
    before: Running
    """What ran before the restore."""
    timeout_seconds: float
    keep: Keep
    on_event: OnEvent
    verification: Verification = field(default_factory=lambda: Verification(()))

    @cached_property
    def stages(self) -> StagedRun[AnyStage]:
        return StagedRun(
            session=self.session,
            verb=VERB,
            what="restore",
            again=again(self.session),
            stages=self.planned,
            on_event=self.on_event,
        )

    def done(self, look: Callable[[], Any], do: Callable[[int, AnyStage], Changes]) -> tuple[DoneStage, ...]:
        """Do the stages that are left (see `StagedRun.done`), and take the mark away.

        A run that finds them all done verifies the stack too: the one before it may have been killed at its end.
        """
        done = self.stages.done(look, do)
        if not self.verification.checks:
            self.start()
        self.forget()
        return done

    def start(self) -> Changes:
        """Start what ran before, and verify it. Raises NotHealthy."""
        self.write({"running": None if self.before is Running.ALL else self.before.value})
        changes = self.update()
        wait_until_healthy(self.session, self.timeout_seconds)
        self.verification = verified_stack(self.session, self.timeout_seconds, self.on_event, again(self.session))
        return changes

    def write(self, changed: Mapping[str, Any], finishes: str = "") -> None:
        """Write down what the next stage needs, before anything uses it. finishes: what goes on after a kill."""
        write_config(self.session, VERB, changed, self.keep, finishes or again(self.session))

    def forget(self) -> None:
        """Take the mark out of the config. From here on, another call of the verb would be another restore."""
        self.write({"restore": None}, f"python -m automation up {self.session.name} finishes it")

    def update(self) -> Changes:
        """Update the stack."""
        return resumed_update(self.session, VERB, self.timeout_seconds, self.on_event).changes
