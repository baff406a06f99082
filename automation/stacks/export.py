"""Writing a stack as files for Helmsman: what is deployed, or what would be."""

from __future__ import annotations

import contextlib
from pathlib import Path

from automation.engine import operations
from automation.errors import StackUnknown
from automation.folder import short_name
from automation.helmsman import files, from_plan, from_state, write_folder
from automation.plan.process import new_key, plan_checkout
from automation.results import HelmsmanExport
from automation.stacks.session import Session
from automation.stacks.work_directory import checkout


def export_helmsman(session: Session, folder: Path, *, planned: bool) -> HelmsmanExport:
    """See `Environment.export_helmsman`."""
    name, source = short_name(session.name), None
    if not planned:
        with contextlib.suppress(StackUnknown), session.open_for_reading("export_helmsman") as opened:
            source = from_state(name, operations.deployment(opened))
    if source is None:
        with checkout(session.place, name) as project_dir:
            source = from_plan(plan_checkout(project_dir, name, render=False, key=new_key()))
    write_folder(folder, files(source))
    return HelmsmanExport(
        stack=name,
        folder=str(folder),
        deployed=source.deployed,
        secrets_to_make=() if source.deployed else tuple(secret.name for secret in source.secrets),
        made_up=tuple(source.made_up),
    )
