"""The command that makes the roles of a managed database, for a container that runs Airflow's image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

SCRIPT: Final = (Path(__file__).parent / "in_image" / "roles.py").read_text(encoding="utf-8")
"""A Python script. Its first lines say what it does and what it needs."""
MASTER: Final = "AIRFLOW_DATABASE_MASTER"
"""Variable with the URI of the master user."""
COMING: Final = "AIRFLOW_DATABASE_COMING"
"""Variable with the URI of a role that nothing uses yet."""


MADE_BY_ROTATION: Final = "airflow_[0-9a-f]{6}"
"""How a rotation names the roles that it makes, as the script has it (tested)."""


def made_by_rotation(role: str) -> bool:
    return re.fullmatch(MADE_BY_ROTATION, role) is not None


def owner_of(master: str) -> str:
    """Return the name of the owner, as the script has it (tested)."""
    return f"{master[:57]}_owner"


def roles_command(mode: str, host: str = "") -> list[str]:
    """Return the command of a container of the Airflow image.

    Args:
        mode: What to do; see the script.
        host: Its server, "" for that of the stack. The logins are the stack's.
    """
    return ["python", "-c", SCRIPT, mode, *([host] if host else [])]
