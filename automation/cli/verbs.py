"""The verbs for any stack, as commands: the library's methods with a person, or a program, in front of them.

Each prints its result, as tables and lines or as one JSON document, and returns whether something changed, or would.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi.automation import EngineEvent

from automation.cli import dev
from automation.cli.console import Console
from automation.cli.report_text import Table, write_table
from automation.engine import operations
from automation.environment import Environment
from automation.errors import AdoptionRefused, AutomationError, NotHealthy
from automation.folder import short_name, write_file
from automation.recovery.status import StackStatus
from automation.results import HelmsmanExport, History, Preview, Update
from automation.stacks.place import no_such_stack

if TYPE_CHECKING:
    from automation.adoption.plan import AdoptionPlan


class ChangesFound(AutomationError):  # noqa: N818 - as the others
    """A preview found changes where none were expected."""


def up(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Deploys a stack."""
    with _opened(args, console, project_dir) as environment:
        return _updated(environment.up(on_event=console.event, plan=args.plan), args, console)


def preview(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Says what `up` would do. Raises ChangesFound where none were expected."""
    events: list[EngineEvent] = []
    try:
        with _opened(args, console, project_dir) as environment, operations.listening(events.append):
            found = environment.preview(on_event=console.event, save_plan=args.save_plan, refresh=args.refresh)
    finally:
        # Of a preview that failed too: as far as it came, and why.
        if args.report and events:
            _write_report(args, events, console, project_dir)
    if args.json:
        console.json(found.to_json())
    else:
        _write_preview(found, console)
    if args.expect_no_changes and found.changes.any:
        raise ChangesFound(
            f"preview of {found.stack}: expected no changes, found {found.changes}",
            f"look at them: python -m automation preview {found.stack}; up makes them",
        )
    return found.changes.any


def roll(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Moves the image tag in the stack's file, and deploys."""
    with _opened(args, console, project_dir) as environment:
        return _updated(environment.roll_image(args.tag, on_event=console.event), args, console)


def refresh(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Makes the state as the cluster is."""
    with _opened(args, console, project_dir) as environment:
        done = environment.refresh(new_cluster=args.new_cluster, on_event=console.event)
        return _updated(done, args, console)


def destroy(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Deletes what a stack owns."""
    with _opened(args, console, project_dir) as environment:
        return _updated(environment.destroy(remove=args.remove, on_event=console.event), args, console)


def outputs(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Prints a stack's outputs."""
    with _opened(args, console, project_dir) as environment:
        found = environment.outputs()
    if args.json:
        console.json(found.to_json())
    else:
        rows = tuple((name, str(value)) for name, value in sorted(found.values.items()))
        write_table(Table(("output", "value"), rows), console.results)
    return False


def history(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Prints earlier operations."""
    with _opened(args, console, project_dir) as environment:
        found = environment.history(args.limit)
    if args.json:
        console.json(found.to_json())
    else:
        write_table(_history_table(found), console.results)
    return False


def verify(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Verifies a stack. Raises NotHealthy where something failed."""
    with _opened(args, console, project_dir) as environment:
        found = environment.verify(dag_id=args.dag, timeout_seconds=args.timeout, on_event=console.event)
    dev.settle_verification(found, console, as_json=args.json)
    return False


def status(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Prints what is wrong with a stack. Raises NotHealthy where something is."""
    with _opened(args, console, project_dir) as environment:
        found = environment.status()
    if args.json:
        console.json(found.to_json())
    else:
        _write_status(found, console)
    if not found.exists:
        raise no_such_stack(found.stack, environment.backend)
    if not found.healthy:
        raise NotHealthy(
            f"stack {found.stack} is not healthy",
            f"what an interrupted update left: python -m automation recover {found.stack}; else see above",
        )
    return False


def recover(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Mends what an interrupted update left."""
    from automation.recovery.steps import Decisions

    decisions = Decisions(
        lock_is_stale=args.lock_is_stale, adopt=dict(args.adopt or ()), forget=frozenset(args.forget or ())
    )
    with _opened(args, console, project_dir) as environment:
        if args.dry_run:
            plan = environment.recovery(decisions)
            if args.json:
                console.json(plan.to_json())
            else:
                for step in plan.steps:
                    console.result(f"would {step.text}")
            return plan.interrupted
        found = environment.recover(decisions, timeout_seconds=args.timeout, on_event=console.event)
    if args.json:
        console.json(found.to_json())
    else:
        console.result(f"recover of {found.update.stack}: {found.update.changes}; healthy")
    return found.plan.interrupted or found.update.changes.any


def adopt(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Takes over a release that something else installed. Raises AdoptionRefused where it cannot."""
    with _opened(args, console, project_dir) as environment:
        if not args.dry_run:
            found = environment.adopt(timeout_seconds=args.timeout, on_event=console.event)
            if args.json:
                console.json(found.to_json())
            else:
                console.result(f"adopt of {found.update.stack}: {found.update.changes}; healthy")
            return True
        plan = environment.adoption(on_event=console.event)
    if args.json:
        console.json(plan.to_json())
    else:
        _write_adoption(plan, console)
    if plan.refusals:
        raise AdoptionRefused(plan.stack, plan.refusals)
    return True


def export_helmsman(args: argparse.Namespace, console: Console, project_dir: Path) -> bool:
    """Writes a stack as files for Helmsman."""
    with _opened(args, console, project_dir) as environment:
        done = environment.export_helmsman(args.output, planned=args.planned)
    if args.json:
        console.json(done.to_json())
    else:
        _write_export(done, console)
    return False


@contextmanager
def _opened(args: argparse.Namespace, console: Console, project_dir: Path) -> Iterator[Environment]:
    with dev.opened(project_dir, args.stack, console, lock_seconds=args.lock_timeout) as environment:
        console.line(f"stack {args.stack}, state in {environment.backend}")
        yield environment


def _updated(done: Update, args: argparse.Namespace, console: Console) -> bool:
    if args.json:
        console.json(done.to_json())
    else:
        console.result(f"{args.verb} of {done.stack}: {done.changes}")
    return done.changes.any


def _write_report(args: argparse.Namespace, events: Sequence[EngineEvent], console: Console, project_dir: Path) -> None:
    """The change report of what the engine said, as Markdown. Where it cannot be made, that is told, and no more."""
    from automation.change_report.engine_steps import preview_report
    from automation.change_report.markdown import markdown
    from automation.change_report.model import ChangeReport
    from components.release.chart_archive import ARCHIVE
    from policy.context import decided_in

    stack = short_name(args.stack)
    try:
        chart, decided = project_dir / ".charts" / ARCHIVE, decided_in(project_dir, stack)
        report = preview_report(stack, events, chart=chart, decided=decided)
        text = markdown(ChangeReport(base="what is deployed", head="this program", stacks=(report,)), limit=None)
        write_file(args.report, text)
    except Exception as error:
        # The preview's own result must not be lost with it. Not the error's text: it may quote the events.
        console.line(f"warning: no report of the preview: {type(error).__name__}")


def _write_preview(found: Preview, console: Console) -> None:
    rows = tuple(
        (step.operation, step.type.rpartition(":")[2], step.name, _properties(step.properties)) for step in found.steps
    )
    if rows:
        write_table(Table(("", "type", "name", "what differs"), rows), console.results)
    console.result(f"preview of {found.stack}: {found.changes}")


def _write_adoption(plan: AdoptionPlan, console: Console) -> None:
    """What is taken over, and the change report of the first update."""
    from automation.change_report.markdown import markdown
    from automation.change_report.model import ChangeReport

    console.result(
        f"release airflow in {plan.namespace}: revision {plan.revision}, chart {plan.chart_version}, "
        f"Airflow {plan.airflow_version}"
    )
    rows = tuple((item.key, item.value, item.source) for item in plan.taken)
    if rows:
        write_table(Table(("config that it decides", "value", "from"), rows), console.results)
    if plan.report is not None:
        base = f"release airflow, revision {plan.revision}"
        console.result(markdown(ChangeReport(base=base, head=f"stack {plan.stack}", stacks=(plan.report,)), limit=None))
    for note in plan.notes:
        console.result(note)


def _write_export(done: HelmsmanExport, console: Console) -> None:
    from automation.helmsman import DESIRED_STATE, PREREQUISITES

    folder = Path(done.folder)
    made_of = "its state" if done.deployed else "its plan"
    console.result(f"export of {done.stack}: {folder / DESIRED_STATE}, of {made_of}")
    if done.secrets_to_make:
        console.result(f"{len(done.secrets_to_make)} Secrets are to be made first: {folder / PREREQUISITES}")
    for clause in done.made_up:
        console.result(f"not real, to be replaced in the files: {clause}")


def _properties(properties: object) -> str:
    return ", ".join(sorted(properties)) if isinstance(properties, dict) else ""


def _history_table(found: History) -> Table:
    styles = {"succeeded": "green", "failed": "bold red"}
    return Table(
        headings=("result", "kind", "ended", "image", "changes"),
        rows=tuple(
            (entry.result, entry.kind, entry.ended or "never", entry.image_tag, str(entry.changes))
            for entry in found.entries
        ),
        styles=tuple(styles.get(entry.result, "") for entry in found.entries),
    )


def _write_status(found: StackStatus, console: Console) -> None:
    for problem in found.problems:
        console.result(problem)
    if found.locks is None:
        console.result("this backend does not tell who holds a lock")
    if found.exists and found.healthy:
        console.result(f"stack {found.stack} is {'healthy' if found.deployed else 'empty'}")
