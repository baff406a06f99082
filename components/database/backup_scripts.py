"""The commands that back up, restore and look at databases, for containers of the pods in `backups.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from components.database.encrypted_values import SCRIPT as ENCRYPTED_VALUES

_IN_IMAGE: Final = Path(__file__).parent / "in_image"
BACKUPS: Final = (_IN_IMAGE / "backups.sh").read_text(encoding="utf-8")
"""A Bash script. Its first lines say what it does and what it needs."""
DUMP_BUCKET: Final = (_IN_IMAGE / "dump_bucket.py").read_text(encoding="utf-8")
"""A Python script. Its first lines say what it does and what it needs."""
OTHER_FAILED: Final = 3
"""Its exit code where the container beside it has failed, whose words say why."""
RESTORED: Final = (_IN_IMAGE / "restored.py").read_text(encoding="utf-8")
"""A Python script. Its first lines say what it does and what it needs."""


def database_command(mode: str, *arguments: str) -> list[str]:
    """Return the command of a container of the PostgreSQL image."""
    return ["bash", "-c", BACKUPS, "backups", mode, *arguments]


def bucket_command(mode: str, *arguments: str) -> list[str]:
    """Return the command of a container of the Airflow image that reaches the bucket of dumps."""
    return ["python", "-c", DUMP_BUCKET, mode, *arguments]


def look_command(database: str, host: str = "") -> list[str]:
    """Return the command of a container of the Airflow image that looks at a restored database.

    Args:
        database: Its name.
        host: Its server, "" for that of the stack. The login is the stack's.
    """
    return ["python", "-c", RESTORED, database, ENCRYPTED_VALUES, *([host] if host else [])]
