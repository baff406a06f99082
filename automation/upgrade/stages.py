"""The stages of an upgrade and of a rollback. Pure.

The mark in the config names the stage that was begun last. Everything before the update may be done again, and is: only
the trial knows whether the database changes. Update and verification are continued where they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from automation.stages.writers import AIRFLOW
from settings.upgrade import UpgradeMark


@unique
class UpgradeAction(StrEnum):
    """How a stage is done."""

    TRY = "try"
    """A pod of the newer image looks at the stack. Nothing changes."""
    BACK_UP = "back up"
    """The database is dumped, where the stack has a volume for that."""
    PAUSE = "pause"
    """Everything that writes to the database by itself is stopped, and tasks end where they must."""
    DOWNGRADE = "downgrade"
    """A Job of the newer image takes the database back."""
    UPDATE = "update"
    """The config gets the other image, and an update follows."""
    VERIFY = "verify"
    """The checks of `verify` are made, a DAG run among them."""


@dataclass(frozen=True, kw_only=True)
class UpgradeStage:
    """One stage."""

    doing: UpgradeAction
    text: str
    """The result of the stage, as a sentence."""
    rolls: tuple[str, ...] = ()
    """The components whose pods it replaces or stops."""
    only_migrating: bool = False
    """Whether it is left out if the database does not change."""


_WRITERS: Final = ("dag-processor", "scheduler", "triggerer")
STAGES: Final = {
    "upgrade": (
        UpgradeStage(doing=UpgradeAction.TRY, text="the new image runs the config and the DAGs"),
        UpgradeStage(doing=UpgradeAction.BACK_UP, text="there is a backup of the database", only_migrating=True),
        UpgradeStage(
            doing=UpgradeAction.PAUSE,
            text="nothing of the older Airflow starts tasks or stores DAGs",
            rolls=_WRITERS,
            only_migrating=True,
        ),
        UpgradeStage(
            doing=UpgradeAction.UPDATE, text="the database is migrated, and every pod runs the new image", rolls=AIRFLOW
        ),
        UpgradeStage(doing=UpgradeAction.VERIFY, text="the checks of verify pass"),
    ),
    "rollback": (
        UpgradeStage(doing=UpgradeAction.TRY, text="the newer image knows the way back"),
        UpgradeStage(
            doing=UpgradeAction.PAUSE, text="no task runs, and nothing stores DAGs", rolls=_WRITERS, only_migrating=True
        ),
        UpgradeStage(
            doing=UpgradeAction.DOWNGRADE, text="the database is as the older Airflow needs it", only_migrating=True
        ),
        UpgradeStage(doing=UpgradeAction.UPDATE, text="every pod runs the older image", rolls=AIRFLOW),
        UpgradeStage(doing=UpgradeAction.VERIFY, text="the checks of verify pass"),
    ),
}
"""The stages of each verb."""


def first_number(stages: Sequence[UpgradeStage], mark: UpgradeMark | None) -> int:
    """Return the number, from 1, of the stage with which to begin or to continue."""
    if mark is None or mark.stage > len(stages):
        return 1
    return mark.stage if stages[mark.stage - 1].doing in (UpgradeAction.UPDATE, UpgradeAction.VERIFY) else 1
