"""The mark of a restore that is under way, as it stands in a stack's config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from components.chart_values.running import Running
from components.database.rds_settings import Move
from components.texts import fields

BACKUP: Final = re.compile(r"airflow-[0-9]{8}T[0-9]{6}Z\.dump")
"""Form of a dump's name."""
_RUNNING: Final = "(all|frozen|stopped)"
_DUMP: Final = re.compile(rf"([0-9]{{14}}) ({BACKUP.pattern}) {_RUNNING}")
_MOVE: Final = re.compile(rf"([0-9]{{14}}) (snapshot|moment) (\S+) ([a-z0-9-]+) ([a-z0-9-]+) {_RUNNING}")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """The backup that is restored, and how much of Airflow runs afterwards."""

    id: str
    """When it was begun: 14 digits, UTC."""
    backup: str
    """Name of the dump."""
    running: Running
    """`airflow:running` before it, and after it."""

    @staticmethod
    def of(text: str) -> Restoration:
        """Read a mark. Raises ValueError."""
        found = _DUMP.fullmatch(text)
        if found is None:
            _refuse(text)
        return Restoration(id=found[1], backup=found[2], running=Running(found[3]))

    def __str__(self) -> str:
        return f"{self.id} {self.backup} {self.running}"

    @property
    def comment(self) -> str:
        """The comment that marks a database that was restored whole."""
        return f"restored {self.id}"

    def told(self, stack: str) -> str:
        """Return that it is under way, and what continues it."""
        return _told(self.backup, stack)


@dataclass(frozen=True, kw_only=True)
class InstanceRestoration:
    """Which instance of RDS is left for which, and how much of Airflow runs afterwards."""

    move: Move
    running: Running
    """`airflow:running` before it, and after it."""

    @staticmethod
    def of(text: str) -> InstanceRestoration:
        """Read a mark. Raises ValueError."""
        found = _MOVE.fullmatch(text)
        if found is None or (found[2] == "moment" and not _MOMENT.fullmatch(found[3])):
            _refuse(text)
        source = {found[2]: found[3]}
        return InstanceRestoration(
            move=Move(id=found[1], old=found[4], new=found[5], **source), running=Running(found[6])
        )

    def __str__(self) -> str:
        move = self.move
        kind, source = ("snapshot", move.snapshot) if move.snapshot else ("moment", move.moment)
        return f"{move.id} {kind} {source} {move.old} {move.new} {self.running}"

    def told(self, stack: str) -> str:
        """Return that it is under way, and what continues it."""
        return _told(self.move.source, stack)


def restoration_of(text: str) -> Restoration | InstanceRestoration:
    """Read a mark of either kind. Raises ValueError."""
    return InstanceRestoration.of(text) if _MOVE.fullmatch(text) else Restoration.of(text)


def _refuse(text: str) -> NoReturn:
    fields.refuse(f"expected what `python -m automation restore` wrote, found {fields.shown(text)}")


def _told(what: str, stack: str) -> str:
    return f"the restore of {what} is not finished; python -m automation restore {stack} continues it"
