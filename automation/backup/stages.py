"""The stages of a restore from a dump. Pure: a stage says what must hold when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias

from automation.backup.restoring import RestoreAction, RestoreFacts, RestoreStage, last_stage
from automation.stages.writers import AIRFLOW, writers
from components.chart_values.running import Running
from settings.restoration import Restoration


class DumpFacts(RestoreFacts, Protocol):
    """The facts of a restore from a dump."""

    @property
    def comments(self) -> Mapping[str, str]:
        """The comment of each database, by its name."""

    @property
    def name(self) -> str:
        """Name of the stack's database."""


DumpStage: TypeAlias = RestoreStage[DumpFacts]


def restore_stages(restoration: Restoration) -> tuple[DumpStage, ...]:
    """Return the stages of a restore. The database that is replaced stays, under another name."""

    def swapped(facts: DumpFacts) -> bool:
        return facts.comments.get(facts.name) == restoration.comment

    def running(facts: DumpFacts) -> str:
        lacking = writers(facts.running, facts.pods if facts.running is Running.STOPPED else ())
        return "" if not lacking or swapped(facts) else lacking

    def unrestored(facts: DumpFacts) -> str:
        return "" if restoration.comment in facts.comments.values() else "no database holds the whole backup"

    return (
        RestoreStage(text="nothing of Airflow runs", doing=RestoreAction.STOP, lacks=running, rolls=AIRFLOW),
        RestoreStage(text="the backup is restored into a new database", doing=RestoreAction.RESTORE, lacks=unrestored),
        RestoreStage(
            text="the new database has the name of the old one, which is kept",
            doing=RestoreAction.SWAP,
            lacks=lambda facts: "" if swapped(facts) else "Airflow would use the old database",
        ),
        last_stage("Airflow runs on the restored database, and is verified", restoration.running),
    )


_NAME_LIMIT: Final = 63
"""Bytes that PostgreSQL keeps of a name (NAMEDATALEN - 1)."""


def database_name(name: str, kind: str, id_: str) -> str:
    """Return the name of a database that a restore or a drill makes or leaves: `airflow_old_20260131104500`.

    Args:
        name: Name of the stack's database.
        kind: `new`, `old` or `drill`.
        id_: The id of the restore or the drill.
    """
    suffix = f"_{kind}_{id_}"
    return f"{name[: _NAME_LIMIT - len(suffix)]}{suffix}"
