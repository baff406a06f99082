"""What taking over a release would do and what it did, as data without secrets."""

from __future__ import annotations

from dataclasses import dataclass

from automation.adoption.taken_over import TakenOver
from automation.change_report.model import StackReport
from automation.recovery.status import StackStatus
from automation.results import Result, Update


@dataclass(frozen=True, kw_only=True)
class AdoptionPlan(Result):
    """What would be taken over, and what would change."""

    stack: str
    """The name of the stack."""
    namespace: str
    """The namespace of the release."""
    revision: int
    """The newest revision of the release."""
    chart_version: str
    """The version of the release's chart."""
    airflow_version: str
    """The version of Airflow that the release deploys."""
    taken: tuple[TakenOver, ...] = ()
    """The config that the release decides."""
    report: StackReport | None = None
    """What the first update changes in the release and adds beside it; None if a refusal comes before."""
    notes: tuple[str, ...] = ()
    """What else you should know."""
    refusals: tuple[str, ...] = ()
    """Why the release cannot be taken over, each with a fix; empty if it can."""

    SHOWN = ("possible",)

    @property
    def possible(self) -> bool:
        """Whether nothing is refused."""
        return not self.refusals


@dataclass(frozen=True, kw_only=True)
class Adoption(Result):
    """An adoption that was carried out."""

    plan: AdoptionPlan
    """What was to be done."""
    update: Update
    """What the update did."""
    status: StackStatus
    """The state of the stack after the update."""
