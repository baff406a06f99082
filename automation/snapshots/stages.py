"""The stages of a restore to another instance. Pure: a stage says what must hold when it is done."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from automation.backup.restoring import RestoreAction, RestoreFacts, RestoreStage, last_stage
from automation.stages.writers import AIRFLOW, writers
from settings.restoration import InstanceRestoration


class InstanceFacts(RestoreFacts, Protocol):
    """The facts of a restore to another instance."""

    @property
    def instance(self) -> str:
        """Identifier of the instance in the stack's state, "" if it has none. It is there once it is made whole."""

    @property
    def retained(self) -> bool:
        """If the engine had to delete that instance, it would forget it instead."""


InstanceStage: TypeAlias = RestoreStage[InstanceFacts]


def restore_stages(restoration: InstanceRestoration) -> tuple[InstanceStage, ...]:
    """Return the stages of a restore. The instance that is left stays, and RDS protects it."""
    move = restoration.move

    def moved(facts: InstanceFacts) -> bool:
        return facts.instance == move.new

    def unready(facts: InstanceFacts) -> str:
        if moved(facts):
            return ""
        return writers(facts.running, facts.pods) or ("" if facts.retained else "the engine would delete the instance")

    return (
        RestoreStage(
            text=f"nothing of Airflow runs, and {move.old} may be left",
            doing=RestoreAction.STOP,
            lacks=unready,
            rolls=AIRFLOW,
        ),
        RestoreStage(
            text=f"the stack has the instance {move.new}, made from {move.source}",
            doing=RestoreAction.MOVE,
            lacks=lambda facts: "" if moved(facts) else f"the stack has {facts.instance or 'no instance'}",
        ),
        last_stage("Airflow runs on it, and is verified", restoration.running),
    )
