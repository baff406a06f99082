"""The stages of a database's role that takes another one's place. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from automation.rotation.database import new_password
from automation.rotation.stages import RotationAction, RotationFacts, RotationStage, others

MASTER_PASSWORD: Final = "databaseMasterPassword"


def container_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the stages where the database's own pod makes the role.

    Args:
        old: The roles in use, with passwords.
        new: The new one.
    """
    return (
        RotationStage(text="the database accepts the new role", beside=new, doing=RotationAction.ADMIT, lacks=_refused),
        _used(new),
        _alone("no earlier role has a password"),
    )


def managed_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the stages where a Job of the stack makes the role, as the master user.

    In the first rotation Airflow itself still logs in as the master. Its password is what Airflow's pods log in to
    PgBouncer with, so the master gets another one.
    """
    return (
        RotationStage(text="the database accepts the new role", beside=new, rolls=(), lacks=_refused),
        _used(new),
        RotationStage(
            text="the master user has a password that no pod of Airflow has",
            makes=(MASTER_PASSWORD, new_password),
            rolls=(),
            lacks=lambda facts: "" if facts.apart else "the master user has the password that pods have",
        ),
        _alone("no earlier role can log in"),
    )


def given_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the only stage of a role that others made, and that was tried before."""
    return (_used(new, beside=None),)


def _refused(facts: RotationFacts) -> str:
    return "" if facts.accepted else "the database refuses the new role"


def _used(new: str, beside: str | None = "") -> RotationStage:
    return RotationStage(
        text="pods and Jobs log in with the new role",
        value=new,
        beside=beside,
        lacks=lambda facts: others("pods that log in with another role", facts.pods, lambda value: value == new),
    )


def _alone(text: str) -> RotationStage:
    return RotationStage(
        text=text, doing=RotationAction.RETIRE, lacks=lambda facts: "" if facts.alone else "an earlier role can log in"
    )
