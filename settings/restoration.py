"""The mark of a restore that is under way, as it stands in a stack's config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from components import fields
from components.release.running import Running

BACKUP: Final = re.compile(r"airflow-[0-9]{8}T[0-9]{6}Z\.dump")
"""Form of a backup's name."""
_FORM: Final = re.compile(rf"([0-9]{{14}}) ({BACKUP.pattern}) (all|frozen|stopped)")


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """What is restored, and how much of Airflow runs afterwards."""

    id: str
    """When it was begun: 14 digits, UTC."""
    backup: str
    """Name of the backup."""
    running: Running
    """`airflow:running` before it, and after it."""

    @staticmethod
    def of(text: str) -> Restoration:
        """Read a mark. Raises ValueError."""
        found = _FORM.fullmatch(text)
        if found is None:
            fields.refuse(f"expected what `python -m automation restore` wrote, found {fields.shown(text)}")
        return Restoration(id=found[1], backup=found[2], running=Running(found[3]))

    def __str__(self) -> str:
        return f"{self.id} {self.backup} {self.running}"

    @property
    def comment(self) -> str:
        """What marks a database that was restored whole."""
        return f"restored {self.id}"

    def told(self, stack: str) -> str:
        """Return that it is under way, and what continues it."""
        return f"the restore of {self.backup} is not finished; python -m automation restore {stack} continues it"
