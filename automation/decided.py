"""Reads the committed list of decisions, and adds what a verb replaces: the change report then does not warn of it."""

from __future__ import annotations

from pathlib import Path

from automation.errors import FileInvalid
from automation.folder import write_file
from policy.context import DECIDED, DecisionsInvalid, decided_in


def decided(project_dir: Path, stack: str) -> frozenset[str]:
    """Return the decided resources of a stack. Raises FileInvalid."""
    try:
        return decided_in(project_dir, stack)
    except DecisionsInvalid as error:
        raise FileInvalid(str(error), f"edit {DECIDED.as_posix()}") from None


def decide(project_dir: Path, stack: str, resource: str, why: str) -> None:
    """Add a line for a resource to the list, unless it has one. Raises FileInvalid."""
    if resource in decided(project_dir, stack):
        return
    path = project_dir / DECIDED
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    text = before if not before or before.endswith("\n") else f"{before}\n"
    write_file(path, f"{text}{stack} {resource}  # {why}\n", mode=0o644)
