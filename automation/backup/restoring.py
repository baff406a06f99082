"""The parts that every restore shares: its stages, and how each is done; it ends with a verified Airflow."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from functools import cached_property
from typing import Any, Final, Generic, Protocol, TypeVar

import outputs
from automation.backup.result import Restored, RestorePlan
from automation.engine.events import OnEvent
from automation.errors import BackupFailed
from automation.folder import short_name
from automation.recovery.recover import resumed_update, wait_until_healthy
from automation.results import Changes
from automation.stacks.config import Keep
from automation.stacks.plain_values import write_values
from automation.stacks.session import Session
from automation.stacks.verify_stack import verified_stack
from automation.stages.config import write_config
from automation.stages.result import PlannedStage
from automation.stages.run import StagedRun
from automation.stages.stage import next_stage
from automation.stages.writers import AIRFLOW, airflow_pods
from automation.verification.result import Verification
from components.chart_values.running import Running
from settings.restoration import InstanceRestoration, Restoration, restoration_of
from settings.upgrade import UpgradeMark

VERB: Final = "restore"
ID_FORMAT: Final = "%Y%m%d%H%M%S"
"""The format of a restore's id: the time at which it began."""


@unique
class RestoreAction(StrEnum):
    """How a stage is done."""

    STOP = "stop"
    """The config says that nothing runs, and an update follows. It also lets the engine forget a managed instance."""
    RESTORE = "restore"
    """A Job restores a dump."""
    SWAP = "swap"
    """A Job renames both databases in one transaction."""
    MOVE = "move"
    """The config names the new instance, and an update makes it."""
    START = "start"
    """The config says what it said before, an update follows, and a verification."""


class RestoreFacts(Protocol):
    """The facts that the stages of every restore ask for. Each is looked up when it is asked for."""

    @property
    def running(self) -> Running:
        """How much of Airflow the last update deployed."""

    @property
    def pods(self) -> Sequence[str]:
        """Names of Airflow's pods, those that are ending included."""


class AirflowFacts:
    """The `RestoreFacts` of a deployment, each looked up once: make another one to look again."""

    def __init__(self, session: Session, found: Mapping[str, Any]) -> None:
        """Take the stack's outputs. Asks nothing yet."""
        self.session = session
        self.running = Running(found.get(outputs.RUNNING) or Running.ALL)

    @cached_property
    def pods(self) -> tuple[str, ...]:
        return airflow_pods(self.session)


_Facts = TypeVar("_Facts", bound=RestoreFacts)
_AskedFacts = TypeVar("_AskedFacts", bound=RestoreFacts, contravariant=True)


@dataclass(frozen=True, kw_only=True)
class RestoreStage(Generic[_AskedFacts]):
    """One stage."""

    text: str
    """The result of the stage, as a sentence."""
    doing: RestoreAction
    lacks: Callable[[_AskedFacts], str]
    """Returns what is missing for its postcondition; "" if it holds."""
    rolls: tuple[str, ...] = ()
    """The components whose pods stop or start."""


def last_stage(text: str, running: Running) -> RestoreStage[RestoreFacts]:
    """Return the stage after which as much of Airflow runs as before the restore."""
    return RestoreStage(
        text=text,
        doing=RestoreAction.START,
        lacks=lambda facts: "" if facts.running is running else "the last update deployed less",
        rolls=AIRFLOW if running is Running.ALL else (),
    )


def again(session: Session) -> str:
    """Return what continues a restore."""
    return f"python -m automation restore {session.name} continues it"


def must_continue(session: Session, name: str | None, at: datetime | None, *, begun: str, source: str) -> None:
    """Raise BackupFailed if another restore is asked for than the one that is under way.

    Args:
        session: The stack.
        name: The backup that is asked for, or None.
        at: The moment that is asked for, or None.
        begun: Name of the backup that is being restored; "" for a moment.
        source: What is being restored, in words.
    """
    if name not in (None, begun) or (name is None and at is not None):
        raise BackupFailed(f"the restore of {source} is not finished", again(session))


def restore_plan(
    session: Session,
    stages: Sequence[RestoreStage[_Facts]],
    facts: _Facts,
    *,
    backup: str,
    old_database: str,
    resumed: bool,
    seconds: Callable[[RestoreStage[_Facts]], float | None] = lambda stage: None,
) -> RestorePlan:
    """Return what a restore would do.

    Args:
        session: The stack.
        stages: All stages.
        facts: What they look at.
        backup: Name of the backup, or the moment.
        old_database: What the present database, or its instance, is called afterwards.
        resumed: Whether the restore was begun before. If it was not, no stage counts as done.
        seconds: Returns about how long a stage takes, None where that is not known.
    """
    following = next_stage(stages, facts) if resumed else (1, stages[0])
    first = following[0] if following else len(stages) + 1
    planned = tuple(
        PlannedStage(text=stage.text, rolls=stage.rolls, seconds=seconds(stage), done=number < first)
        for number, stage in enumerate(stages, 1)
    )
    return RestorePlan(
        stack=short_name(session.name), backup=backup, resumed=resumed, stages=planned, old_database=old_database
    )


@dataclass(frozen=True, kw_only=True)
class RestoreOrder:
    """What was asked for: see `Environment.restore`."""

    name: str | None
    at: datetime | None
    timeout_seconds: float
    keep: Keep
    on_event: OnEvent
    image: Mapping[str, str]
    """What the config says of an older image, by short key, if a rollback wants it."""


@dataclass(kw_only=True)
class RestoreRun(ABC, Generic[_Facts]):
    """One run of the verb."""

    session: Session
    restoration: Restoration | InstanceRestoration
    planned: tuple[RestoreStage[_Facts], ...]
    """Its stages."""
    order: RestoreOrder
    started: float = field(default_factory=time.monotonic)
    verification: Verification = field(default_factory=lambda: Verification(()))

    @abstractmethod
    def facts(self) -> _Facts:
        """Return the facts as they are now."""

    @abstractmethod
    def do(self, stage: RestoreStage[_Facts]) -> Changes:
        """Do a stage, but not the last."""

    @cached_property
    def stages(self) -> StagedRun[RestoreStage[_Facts]]:
        return StagedRun(
            session=self.session,
            verb=VERB,
            what="restore",
            again=again(self.session),
            stages=self.planned,
            on_event=self.order.on_event,
        )

    def done(self, plan: RestorePlan) -> Restored:
        """Do the stages that are left (see `StagedRun.done`), take the mark away, and update a last time if needed.

        A run that finds them all done verifies the stack too: the one before it may have been killed at its end.
        """
        done = self.stages.done(self.facts, self._do)
        if not self.verification.checks:
            self.start()
        # From here on, another call of the verb would be another restore.
        self.write({"restore": None}, f"python -m automation up {self.session.name} finishes it")
        if self.changes_without_mark:
            self.update()
        seconds = round(time.monotonic() - self.started, 1)
        return Restored(plan=plan, stages=done, seconds=seconds, verification=self.verification)

    @property
    @abstractmethod
    def changes_without_mark(self) -> bool:
        """Whether an update has something to do once the mark is out of the config."""

    def _do(self, number: int, stage: RestoreStage[_Facts]) -> Changes:
        """Do a stage and prove it. Raises NotHealthy if its postcondition does not come to hold in time."""
        if stage.doing is RestoreAction.START:
            return self.start()
        changes = self.do(stage)
        self.stages.until_it_holds(number, self.facts, self.order.timeout_seconds)
        return changes

    def begin(self) -> None:
        """Write the mark into the config, with the older image in one step. An upgrade from that image ends with it.

        Raises:
            BackupFailed: Somebody else has begun another restore since this run looked.
        """
        session, mark = self.session, str(self.restoration)
        with session.open_for_update(VERB, self.order.on_event, create=False):
            found = session.config().restore
            if found not in ("", mark):
                raise BackupFailed(restoration_of(found).told(session.name).partition(";")[0], again(session))
            write_values(session, {"restore": mark, **self.order.image})
            session.forget_opened()
            session.keep_settings(self.order.keep)
        session.cancellation.record("the config was changed", again(session))
        config = session.config()
        if config.upgrade and UpgradeMark.of(config.upgrade).older.tag == config.image_tag:
            self.write({"upgrade": None})

    def start(self) -> Changes:
        """Start what ran before, and verify it. Raises NotHealthy."""
        before, seconds = self.restoration.running, self.order.timeout_seconds
        self.write({"running": None if before is Running.ALL else before.value})
        changes = self.update()
        wait_until_healthy(self.session, seconds)
        self.verification = verified_stack(self.session, seconds, self.order.on_event, again(self.session))
        return changes

    def write(self, changed: Mapping[str, Any], finishes: str = "") -> None:
        """Write down what the next stage needs, before anything uses it. finishes: what goes on after a kill."""
        write_config(self.session, VERB, changed, self.order.keep, finishes or again(self.session))

    def update(self) -> Changes:
        """Update the stack."""
        return resumed_update(self.session, VERB, self.order.timeout_seconds, self.order.on_event).changes
