"""The command that checks or rewrites the database's encrypted values, in a container of Airflow's image."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SCRIPT: Final = (Path(__file__).parent / "in_image" / "encrypted_values.py").read_text(encoding="utf-8")
"""A Python script. Its first lines say what it does and what it needs."""


def command(mode: str) -> list[str]:
    """Return the command that runs the script in a mode."""
    return ["python", "-c", SCRIPT, mode]
