"""Questions to a stack that change nothing: what an update would do, its outputs, its earlier updates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automation.engine import operations
from automation.engine.events import OnEvent
from automation.folder import short_name
from automation.results import History, Outputs, Preview
from automation.stacks.session import Session
from automation.stacks.updates import history_entry
from automation.stacks.work_directory import checkout

if TYPE_CHECKING:
    from automation.plan.model import Plan


def plan(session: Session, *, render: bool) -> Plan:
    """See `Environment.plan`."""
    from automation.plan.process import plan_checkout

    name = short_name(session.name)
    with checkout(session.place, name) as project_dir:
        return plan_checkout(project_dir, name, render=render, known_secrets=session.place.known_secrets())


def preview(session: Session, on_event: OnEvent, save_plan: Path | None, *, refresh: bool) -> Preview:
    """See `Environment.preview`."""
    path = None if save_plan is None else str(save_plan.resolve())
    with session.open_for_update("preview", on_event) as opened:
        result = operations.preview(opened, save_plan=path, refresh=refresh)
    return Preview(stack=session.name, changes=result.changes, steps=result.steps, plan_file=path)


def outputs(session: Session) -> Outputs:
    """See `Environment.outputs`."""
    with session.open_for_reading("outputs") as opened:
        return Outputs(stack=session.name, values=operations.stack_outputs(opened))


def history(session: Session, limit: int) -> History:
    """See `Environment.history`."""
    with session.open_for_reading("history") as opened:
        records = operations.history(opened, limit)
    return History(stack=session.name, entries=tuple(map(history_entry, records)))
