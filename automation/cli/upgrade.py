"""The verbs `upgrade` and `rollback`: move to another Airflow in stages, and go back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from automation.cli.backup import check_choice, choice, show_plan, show_restored
from automation.cli.declare import COMMON, DRY_RUN, TIMEOUT, Call, argument, verb
from automation.cli.report_text import Table, stage_table
from automation.errors import UpgradeRefused

if TYPE_CHECKING:
    from automation.upgrade.result import UpgradePlan

_VERSION: Final = re.compile(r"(?:slim-)?v?([0-9]+\.[0-9]+\.[0-9]+)(?:[-_.+].*)?")
# Required: a stack that may be left out would be dev, and nobody means to upgrade that one by accident.
_STACK: Final = argument("stack")
_TAG_HELP: Final = "tag of the Airflow image"
_VERSION_HELP: Final = "Airflow in the image; without it, the version with which the tag begins"


@verb(
    "move to another Airflow, and to this checkout's chart: try the image on the stack, then migrate, roll and verify; "
    "run it again to continue",
    _STACK,
    *COMMON,
    argument("--tag", help=f"{_TAG_HELP}; without it, only the chart changes"),
    argument("--airflow-version", metavar="VERSION", help=_VERSION_HELP),
    argument("--chart", metavar="VERSION", help="refuse to begin unless this checkout has this version of the chart"),
    DRY_RUN,
    TIMEOUT,
)
def upgrade(call: Call) -> int:
    """Upgrade a stack. Raises UpgradeRefused, UpgradeStopped."""
    tag, chart, on_event = call.args.tag, call.args.chart, call.console.event
    airflow = _version(call, tag) if tag else None
    with call.opened() as environment:
        if not call.args.dry_run:
            result = environment.upgrade(
                tag, airflow, chart=chart, timeout_seconds=call.args.timeout, on_event=on_event
            )
            call.show(result, _done(result.plan, result.seconds))
            return call.exit_code(changed=True)
        plan = environment.upgrade_plan(tag, airflow, chart=chart, on_event=on_event)
    return _show(call, plan)


@verb(
    "go back to the Airflow before an upgrade, with its database and this checkout's chart; run it again to continue",
    _STACK,
    *COMMON,
    argument("--tag", help=f"{_TAG_HELP} to go back to; without it, the one before"),
    argument("--airflow-version", metavar="VERSION", help=_VERSION_HELP),
    argument(
        "--restore",
        action="store_true",
        help="restore a backup from before the upgrade, where the database cannot be taken back",
    ),
    *choice("the last from before the upgrade", "with --restore: "),
    DRY_RUN,
    TIMEOUT,
)
def rollback(call: Call) -> int:
    """Go back. Raises UpgradeRefused, UpgradeStopped, with `--restore` BackupFailed."""
    args, tag = call.args, call.args.tag
    airflow = _version(call, tag) if tag else None
    if (args.backup or args.at) and not args.restore:
        chosen = f"--from {args.backup}" if args.backup else f"--at {args.at.isoformat()}"
        reason = (
            "--from, --at: expected --restore with them, found none. "
            f"Fix: python -m automation rollback {args.stack} --restore {chosen}"
        )
        raise UpgradeRefused(args.stack, "rollback", (reason,))
    check_choice(args)
    with call.opened() as environment:
        if args.restore and args.dry_run:
            return show_plan(call, environment.rollback_restoration(tag, airflow, backup=args.backup, at=args.at))
        if args.restore:
            options = {"timeout_seconds": args.timeout, "on_event": call.console.event}
            restored = environment.rollback_by_restore(tag, airflow, backup=args.backup, at=args.at, **options)
            return show_restored(call, restored)
        if not call.args.dry_run:
            result = environment.rollback(tag, airflow, timeout_seconds=call.args.timeout, on_event=call.console.event)
            call.show(result, _done(result.plan, result.seconds))
            return call.exit_code(changed=True)
        plan = environment.rollback_plan(tag, airflow, on_event=call.console.event)
    return _show(call, plan)


def _version(call: Call, tag: str) -> str:
    """Return the version that was given, or with which a tag begins. Raises UpgradeRefused."""
    found = _VERSION.fullmatch(tag)
    version = call.args.airflow_version or (found[1] if found else "")
    if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version):
        from components.secrets.shapes import harmless

        reason = (
            f"--airflow-version: expected Airflow's version in {harmless(tag)}, such as 3.3.2, "
            f"found {version or 'none'}. Fix: give it; docker run --rm IMAGE version prints it"
        )
        raise UpgradeRefused(call.args.stack, call.args.verb, (reason,))
    return str(version)


def _show(call: Call, plan: UpgradePlan) -> int:
    call.show(plan, *(() if call.args.json else _lines(plan)))
    if plan.refusals:
        raise UpgradeRefused(plan.stack, plan.verb, plan.refusals)
    return call.exit_code(changed=True)


def _done(plan: UpgradePlan, seconds: float) -> str:
    return f"{plan.stack} runs Airflow {plan.after} ({seconds:.0f} s); commit what changed"


def _lines(plan: UpgradePlan) -> list[str | Table]:
    begun = ["was begun before, and would be continued"] if plan.resumed else []
    locks = [f"locks a table: {lock}" for lock in plan.locks]
    return [
        f"from Airflow {plan.before} to {plan.after}",
        *begun,
        stage_table(plan.stages, "rolls or stops"),
        *plan.notes,
        *locks,
    ]
