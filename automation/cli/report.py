"""The verb `report`: what a change does to stacks, as Markdown for a pull request and as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automation.cli.declare import DONE, FAILED, Call, argument, verb
from automation.errors import AutomationError
from automation.folder import short_name, write_file

if TYPE_CHECKING:
    from automation.change_report.model import ChangeReport, StackReport

LIMIT: Final = 65_000
"""Default of `--limit`, as in `automation.change_report.markdown` (tested). Not imported: the help would load it."""
_STDOUT: Final = "-"
_LEAST: Final = 1000


class NothingToReport(AutomationError):  # noqa: N818 - like its siblings in `errors`
    """Neither two commits nor a preview is named."""


def _preview(text: str) -> tuple[str, Path]:
    stack, separator, path = text.partition("=")
    if not separator or not stack or not path:
        raise argparse.ArgumentTypeError(f"expected STACK=FILE, found {text!r}")
    return stack, Path(path)


def _link(text: str) -> str:
    from automation.change_report.markdown import check_link

    try:
        return check_link(text) if text else ""
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _limit(text: str) -> int:
    if not text.isdigit() or int(text) < _LEAST:
        raise argparse.ArgumentTypeError(f"expected a number of characters, {_LEAST} or more, found {text!r}")
    return int(text)


@verb(
    "show what a change would do to each stack, for reviewers",
    argument("--base", metavar="DIR_OR_REV", help="before the change: a folder or a commit"),
    argument("--head", metavar="DIR_OR_REV", help="after the change: a folder or a commit"),
    argument("--stacks", default="", metavar="NAMES", help="stacks to compare, separated by commas: dev,prod"),
    argument(
        "--preview",
        action="append",
        default=[],
        type=_preview,
        metavar="STACK=FILE",
        help="also a file that `pulumi preview --json --show-sames` wrote, or the engine's event log",
    ),
    argument("--markdown", metavar="FILE", help="the comment, cut to --limit; - writes it to the output"),
    argument("--whole", metavar="FILE", help="the same Markdown, not cut"),
    argument("--json", metavar="FILE", help="the whole report as JSON"),
    argument("--link", metavar="URL", default="", type=_link, help="https address of the whole report"),
    argument("--limit", type=_limit, default=LIMIT, help=f"characters of the comment; default: {LIMIT}"),
    argument("--no-render", action="store_true", help="leave out what Helm would make of the chart"),
)
def report(call: Call) -> int:
    """Write the report. The exit code is 1 where the change must not be deployed; the report then says why.

    That is where a stack cannot be planned with it, where the engine's preview failed, and where the change breaks a
    mandatory policy without a decision. Raises NothingToReport, RevisionUnknown, StackUnknown, FileInvalid.
    """
    from automation.change_report.markdown import markdown

    args = call.args
    result = _report(args, call.project_dir)
    comment = markdown(result, limit=args.limit, link=args.link)
    if args.markdown == _STDOUT or not (args.markdown or args.json or args.whole):
        call.console.result(comment.rstrip("\n"))
    elif args.markdown:
        write_file(Path(args.markdown), comment)
    if args.whole:
        write_file(Path(args.whole), markdown(result, limit=None))
    if args.json:
        write_file(Path(args.json), report_json(result))
    refusals = [text for stack in result.stacks for text in _refusals(stack)]
    for text in refusals:
        call.console.line(text)
    return FAILED if refusals else DONE


def report_json(report: ChangeReport) -> str:
    """Return the report as JSON text; the same for the same report."""
    return json.dumps(report.to_json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _report(args: argparse.Namespace, project_dir: Path) -> ChangeReport:
    from automation.change_report.model import ChangeReport

    stacks = [short_name(name.strip()) for name in args.stacks.split(",") if name.strip()]
    compare = bool(args.base and args.head and stacks)
    if not compare and (args.base or args.head or stacks or not args.preview):
        raise NothingToReport(
            "expected --base, --head and --stacks, or --preview alone", "give what is missing, or leave all three out"
        )
    previews: tuple[StackReport, ...] = ()
    if args.preview:
        # Imported here: two plans need no SDK of the engine.
        from automation.change_report.preview_file import report_of_file

        previews = tuple(report_of_file(short_name(stack), path, project_dir) for stack, path in args.preview)
    if not compare:
        return ChangeReport(base="what is deployed", head="this program", stacks=previews)
    from automation.change_report.two_checkouts import compare_checkouts

    result = compare_checkouts(args.base, args.head, stacks, project_dir, render=not args.no_render)
    return ChangeReport(base=result.base, head=result.head, stacks=(*result.stacks, *previews))


def _refusals(stack: StackReport) -> Iterator[str]:
    """Return why a change must not be deployed, a line for each reason."""
    from automation.change_report.model import Category
    from automation.plan.model import FailureKind
    from policy.model import Level

    failure = stack.head_failure
    if failure is not None and failure.kind is not FailureKind.NO_STACK:
        yield f"{stack.stack} cannot be planned with this change ({failure.kind})"
    if any(warning.category is Category.FAILED for warning in stack.warnings):
        yield f"{stack.stack}: the engine's preview failed"
    # A rule with a decision is advisory.
    results = [policy.result for policy in stack.policies if policy.new]
    broken = sorted({result.rule for result in results if result.level == Level.MANDATORY})
    if broken:
        yield f"{stack.stack}: this change breaks mandatory policies (docs/policy.md): {', '.join(broken)}"
