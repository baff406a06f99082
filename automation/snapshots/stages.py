"""The stages of a restore to another instance. Pure: a stage says what must hold when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum, unique
from typing import Protocol, TypeAlias

from automation.backup.restoring import RestoreStage
from automation.stages.writers import AIRFLOW, writers
from components.release.running import Running
from settings.restoration import InstanceRestoration


@unique
class Doing(StrEnum):
    """How a stage is done."""

    STOP = "stop"
    """The config says that nothing runs, and an update follows, which also lets the engine forget the instance."""
    MOVE = "move"
    """The config names the new instance, and an update makes it."""
    START = "start"
    """The config says what it said before, an update follows, and a verification."""


class Facts(Protocol):
    """The facts that stages ask for. Each is looked up when it is asked for."""

    @property
    def running(self) -> Running:
        """How much of Airflow the last update deployed."""

    @property
    def pods(self) -> Sequence[str]:
        """Names of Airflow's pods, those that are ending included."""

    @property
    def instance(self) -> str:
        """Identifier of the instance in the stack's state, "" if it has none. It is there once it is made whole."""

    @property
    def retained(self) -> bool:
        """If the engine had to delete that instance, it would forget it instead."""


Stage: TypeAlias = RestoreStage[Doing, Facts]


def restore_stages(restoration: InstanceRestoration) -> tuple[Stage, ...]:
    """Return the stages of a restore. The instance that is left stays, and RDS protects it."""
    move = restoration.move

    def moved(facts: Facts) -> bool:
        return facts.instance == move.new

    def unready(facts: Facts) -> str:
        if moved(facts):
            return ""
        return writers(facts.running, facts.pods) or ("" if facts.retained else "the engine would delete the instance")

    return (
        Stage(
            text=f"nothing of Airflow runs, and {move.old} may be left",
            doing=Doing.STOP,
            lacks=unready,
            rolls=AIRFLOW,
        ),
        Stage(
            text=f"the stack has the instance {move.new}, made from {move.source}",
            doing=Doing.MOVE,
            lacks=lambda facts: "" if moved(facts) else f"the stack has {facts.instance or 'no instance'}",
        ),
        Stage(
            text="Airflow runs on it, and is verified",
            doing=Doing.START,
            lacks=lambda facts: "" if facts.running is restoration.running else "the last update deployed less",
            rolls=AIRFLOW if restoration.running is Running.ALL else (),
        ),
    )
