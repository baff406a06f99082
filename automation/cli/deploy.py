"""The verbs that update a stack, or say what an update would do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automation.cli.decisions import DECISIONS, decisions_of
from automation.cli.declare import CLUSTER_GONE, COMMON, STACK, Call, argument, verb
from automation.cli.report_text import Table
from automation.errors import AutomationError
from automation.folder import short_name, write_file

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent

    from automation.results import Preview


class ChangesFound(AutomationError):  # noqa: N818 - like the others
    """A preview found changes where none were expected."""


def _tag(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"expected a tag of the Airflow image, found {text!r}")
    return text


@verb(
    "show what up would change",
    STACK,
    *COMMON,
    argument("--save-plan", type=Path, metavar="FILE", help="save the update plan, for up --plan"),
    argument("--refresh", action="store_true", help="compare with what really exists; the state stays as it is"),
    argument("--report", type=Path, metavar="FILE", help="also write what changes, for reviewers, as Markdown"),
    argument("--expect-no-changes", action="store_true", help="fail if something would change"),
)
def preview(call: Call) -> int:
    """Say what `up` would do. Raises ChangesFound where none were expected."""
    from automation.engine import operations

    args = call.args
    events: list[EngineEvent] = []
    try:
        with call.opened() as environment, operations.listening(events.append):
            result = environment.preview(on_event=call.console.event, save_plan=args.save_plan, refresh=args.refresh)
    finally:
        # A preview that failed has a report too: how far it came, and why it stopped.
        if args.report and events:
            _write_report(call, events)
    call.show(result, *_preview_lines(result))
    if args.expect_no_changes and result.changes.any:
        raise ChangesFound(
            f"preview of {result.stack}: expected no changes, found {result.changes}",
            f"look at them: python -m automation preview {result.stack}; up makes them",
        )
    return call.exit_code(changed=result.changes.any)


@verb(
    "deploy a stack",
    STACK,
    *COMMON,
    argument("--plan", type=Path, metavar="FILE", help="do what the saved update plan says, or fail"),
)
def up(call: Call) -> int:
    """Deploy a stack."""
    with call.opened() as environment:
        return call.updated(environment.up(on_event=call.console.event, plan=call.args.plan))


@verb(
    "move the Airflow image to another tag, and deploy",
    # Required: an optional stack would take the tag for the stack.
    argument("stack"),
    *COMMON,
    argument("tag", type=_tag, help="tag of the Airflow image"),
    aliases=("roll_image",),
)
def roll(call: Call) -> int:
    """Move the image tag in the stack's file, and deploy."""
    with call.opened() as environment:
        return call.updated(environment.roll_image(call.args.tag, on_event=call.console.event))


@verb(
    "update a stack's state from what really exists",
    STACK,
    *COMMON,
    argument("--new-cluster", action="store_true", help="accept another cluster than the one that the stack was in"),
)
def refresh(call: Call) -> int:
    """Update the state from what really exists."""
    with call.opened() as environment:
        return call.updated(environment.refresh(new_cluster=call.args.new_cluster, on_event=call.console.event))


@verb(
    "delete what a stack owns",
    STACK,
    *COMMON,
    argument("--remove", action="store_true", help="also remove the stack itself, with its history"),
    CLUSTER_GONE,
    *DECISIONS,
)
def destroy(call: Call) -> int:
    """Delete what a stack owns."""
    args = call.args
    with call.opened() as environment:
        return call.updated(
            environment.destroy(
                remove=args.remove,
                cluster_gone=args.cluster_gone,
                decisions=decisions_of(args),
                on_event=call.console.event,
            )
        )


def _preview_lines(result: Preview) -> list[str | Table]:
    rows = tuple(
        (step.operation, step.type.rpartition(":")[2], step.name, _properties(step.properties)) for step in result.steps
    )
    tables: list[str | Table] = [Table(("", "type", "name", "what differs"), rows)] if rows else []
    return [*tables, f"preview of {result.stack}: {result.changes}"]


def _properties(properties: object) -> str:
    return ", ".join(sorted(properties)) if isinstance(properties, dict) else ""


def _write_report(call: Call, events: Sequence[EngineEvent]) -> None:
    """Write the change report of the engine's events as Markdown. A report that fails is a warning."""
    from automation.change_report.engine_steps import preview_report
    from automation.change_report.markdown import markdown
    from automation.change_report.model import ChangeReport
    from components.release.chart_archive import ARCHIVE
    from policy.context import decided_in

    stack = short_name(call.args.stack)
    try:
        chart, decided = call.project_dir / ".charts" / ARCHIVE, decided_in(call.project_dir, stack)
        report = preview_report(stack, events, chart=chart, decided=decided)
        text = markdown(ChangeReport(base="what is deployed", head="this program", stacks=(report,)), limit=None)
        write_file(call.args.report, text)
    except Exception as error:
        # The preview's result must not be lost with the report. The error's text may quote the events.
        call.console.line(f"warning: no report of the preview: {type(error).__name__}")
