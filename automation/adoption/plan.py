"""What taking over a release would do, as data. None of it holds a secret."""

from __future__ import annotations

from dataclasses import dataclass

from automation.adoption.taken_over import TakenOver
from automation.change_report.model import StackReport
from automation.recovery.status import StackStatus
from automation.results import Result, Update


@dataclass(frozen=True, kw_only=True)
class AdoptionPlan(Result):
    """What would be taken over, and what would change.

    revision, chart_version, airflow_version: of the release. taken: config that the release decides.
    report: what the first update does to the release and its objects, and makes beside it; None where that cannot be
    told because of what is refused. notes: what else is to be known. refusals: why it cannot be taken over, with what
    mends it; empty where it can.
    """

    stack: str
    namespace: str
    revision: int
    chart_version: str
    airflow_version: str
    taken: tuple[TakenOver, ...] = ()
    report: StackReport | None = None
    notes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    SHOWN = ("possible",)

    @property
    def possible(self) -> bool:
        """Nothing is refused."""
        return not self.refusals


@dataclass(frozen=True, kw_only=True)
class Adoption(Result):
    """What was planned, what the update did, and how the stack is now."""

    plan: AdoptionPlan
    update: Update
    status: StackStatus
