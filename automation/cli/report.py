"""The verb `report`: what a change does to stacks, as Markdown for a pull request and as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from automation.change_report.checkout import Checkout, checkout
from automation.change_report.compare import compare_plans
from automation.change_report.markdown import LIMIT, check_link, markdown
from automation.change_report.model import Category, ChangeReport, StackReport
from automation.errors import AutomationError, FileInvalid, StackUnknown
from automation.folder import short_name, write_file
from automation.plan.model import FailureKind, Plan
from automation.plan.process import new_key, plan_checkout
from policy.context import DECIDED, DecisionsInvalid, decided_in
from policy.model import Level

if TYPE_CHECKING:
    from automation.cli.console import Console

_STDOUT: Final = "-"
_LEAST: Final = 1000
_WRITE: Final = "write it with: pulumi preview --json --show-sames"
_OF_THE_LIBRARY: Final = {"stack", "changes", "steps"}
"""Keys of `automation.results.Preview` as JSON."""


class NothingToReport(AutomationError):  # noqa: N818 - as its siblings in `errors`
    """Neither two commits nor a preview is named."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("--base", metavar="DIR_OR_REV", help="what is there: a folder or a commit")
    parser.add_argument("--head", metavar="DIR_OR_REV", help="what shall be: a folder or a commit")
    parser.add_argument("--stacks", default="", metavar="NAMES", help="stacks of both, with commas: dev,prod")
    parser.add_argument(
        "--preview",
        action="append",
        default=[],
        type=_preview,
        metavar="STACK=FILE",
        help="also what `pulumi preview --json --show-sames`, or the engine's event log, wrote into a file",
    )
    parser.add_argument("--markdown", metavar="FILE", help="the comment, cut to --limit; - writes it to the output")
    parser.add_argument("--whole", metavar="FILE", help="the same Markdown, not cut")
    parser.add_argument("--json", metavar="FILE", help="all of it as JSON")
    parser.add_argument("--link", metavar="URL", default="", type=_link, help="https address of the whole report")
    parser.add_argument("--limit", type=_limit, default=LIMIT, help=f"characters of the comment; default: {LIMIT}")
    parser.add_argument("--no-render", action="store_true", help="leave out what Helm would make of the chart")


def run(args: argparse.Namespace, console: Console, project_dir: Path) -> int:
    """Writes the report. Exit code 1 where the change must not go on; the report then says why.

    That is where a stack cannot be planned with it, where the engine's preview failed, and where it breaks a mandatory
    policy that nobody decided to break. Raises NothingToReport, RevisionUnknown, StackUnknown, FileInvalid.
    """
    report = _report(args, project_dir)
    comment = markdown(report, limit=args.limit, link=args.link)
    if args.markdown == _STDOUT or not (args.markdown or args.json or args.whole):
        console.result(comment.rstrip("\n"))
    elif args.markdown:
        write_file(Path(args.markdown), comment)
    if args.whole:
        write_file(Path(args.whole), markdown(report, limit=None))
    if args.json:
        write_file(Path(args.json), report_json(report))
    refusals = [text for found in report.stacks for text in _refusals(found)]
    for text in refusals:
        console.line(text)
    return 1 if refusals else 0


def change_report(base: Checkout, head: Checkout, stacks: list[str], *, render: bool = True) -> ChangeReport:
    """Plans each stack of both, the two sides at once, and compares them.

    Of one side one after the other: the first may still be putting the chart into its folder.
    """
    key = new_key()

    def plans(side: Checkout) -> list[Plan]:
        return [plan_checkout(side.folder, stack, render=render, key=key) for stack in stacks]

    with ThreadPoolExecutor(max_workers=2) as pool:
        before, after = pool.map(plans, (base, head))
    return ChangeReport(base=base.label, head=head.label, stacks=tuple(map(compare_plans, before, after)))


def report_json(report: ChangeReport) -> str:
    """The report as JSON text; the same for the same report."""
    return json.dumps(report.to_json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_events(path: Path) -> list[Mapping[str, Any]]:
    """What the engine wrote: the document of `pulumi preview --json --show-sames`, or an event a line.

    Raises FileInvalid for anything else, and where what does not change is left out: without it policies cannot tell
    what stack it is.
    """
    # Imported here: two plans need no engine's SDK.
    from automation.change_report.engine_events import fault

    try:
        text = path.read_text(encoding="utf-8")
        try:
            document = json.loads(text)
        except ValueError:
            document = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError):
        # Not the error's text, which may quote the file.
        raise FileInvalid(f"{path.name} is neither a preview's JSON nor an event log", _WRITE) from None
    if isinstance(document, Mapping) and document.keys() >= _OF_THE_LIBRARY:
        found = "`python -m automation preview --json` wrote it, which does not say what changes in a resource"
    else:
        document = _as_events(document)
        found = fault(document)
    if found:
        raise FileInvalid(f"{path.name} is no whole preview of the engine: {found}", _WRITE)
    return list(document)


def _as_events(document: Any) -> list[Any]:
    """The document of `preview --json` as the events that it is made of; a list, or one event, as it is."""
    if not isinstance(document, Mapping):
        return document if isinstance(document, list) else [document]
    parts = [document.get(key) for key in ("steps", "diagnostics")]
    events = [event for part in parts if isinstance(part, list) for event in part]
    if isinstance(document.get("changeSummary"), Mapping):
        events.append({"summaryEvent": {"resourceChanges": document["changeSummary"]}})
    return events or [document]


def _report(args: argparse.Namespace, project_dir: Path) -> ChangeReport:
    stacks = [short_name(name.strip()) for name in args.stacks.split(",") if name.strip()]
    compare = bool(args.base and args.head and stacks)
    if not compare and (args.base or args.head or stacks or not args.preview):
        raise NothingToReport(
            "expected --base, --head and --stacks, or --preview alone", "give what is missing, or leave all three out"
        )
    previews = tuple(_previewed(short_name(stack), path, project_dir) for stack, path in args.preview)
    if not compare:
        return ChangeReport(base="what is deployed", head="this program", stacks=previews)
    with checkout(args.base, project_dir) as base, checkout(args.head, project_dir) as head:
        _check_stacks(stacks, base, head)
        report = change_report(base, head, stacks, render=not args.no_render)
    return ChangeReport(base=report.base, head=report.head, stacks=(*report.stacks, *previews))


def _check_stacks(stacks: list[str], *sides: Checkout) -> None:
    """Raises StackUnknown for one that has a file on neither side: with one on the base's alone, it is removed."""
    files = {path.name for side in sides for path in side.folder.glob("Pulumi.*.yaml")}
    for stack in stacks:
        if f"Pulumi.{stack}.yaml" not in files:
            there = ", ".join(sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in files))
            raise StackUnknown(
                f"--stacks: no Pulumi.{stack}.yaml in base or head; there are: {there or 'none'}", "name one of these"
            )


def _previewed(stack: str, path: Path, project_dir: Path) -> StackReport:
    # Imported here: two plans need no engine's SDK.
    from automation.change_report.engine_steps import preview_report
    from components.release.chart_archive import ARCHIVE

    try:
        decided = decided_in(project_dir, stack)
    except DecisionsInvalid as error:
        raise FileInvalid(str(error), f"edit {DECIDED.as_posix()}") from None
    chart = project_dir / ".charts" / ARCHIVE
    return preview_report(stack, read_events(path), chart=chart, decided=decided)


def _refusals(stack: StackReport) -> Iterator[str]:
    """Why a change must not go on, a line each."""
    failure = stack.head_failure
    if failure is not None and failure.kind is not FailureKind.NO_STACK:
        yield f"{stack.stack} cannot be planned with this change ({failure.kind})"
    if any(found.category is Category.FAILED for found in stack.warnings):
        yield f"{stack.stack}: the engine's preview failed"
    # What is decided on is advisory.
    results = [found.result for found in stack.policies if found.new]
    broken = sorted({found.rule for found in results if found.level == Level.MANDATORY})
    if broken:
        yield f"{stack.stack}: this change breaks mandatory policies (docs/policy.md): {', '.join(broken)}"


def _preview(text: str) -> tuple[str, Path]:
    stack, separator, path = text.partition("=")
    if not separator or not stack or not path:
        raise argparse.ArgumentTypeError(f"expected STACK=FILE, found {text!r}")
    return stack, Path(path)


def _link(text: str) -> str:
    try:
        return check_link(text) if text else ""
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _limit(text: str) -> int:
    if not text.isdigit() or int(text) < _LEAST:
        raise argparse.ArgumentTypeError(f"expected a number of characters, {_LEAST} or more, found {text!r}")
    return int(text)
