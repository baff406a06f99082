"""The verbs `spawn` and `expire`: make a stack for a limited time, and remove it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Final

from automation.cli.declare import CLUSTER_GONE, COMMON, DONE, DRY_RUN, FAILED, Call, all_opened, argument, verb
from automation.cli.report_text import Table

if TYPE_CHECKING:
    from automation.lifetime.result import Expiry

_SET: Final = re.compile(r"([A-Za-z]+)=(.*)", re.DOTALL)
_MOST_HOURS: Final = 24 * 365.0


def _value(text: str) -> tuple[str, str]:
    found = _SET.fullmatch(text.removeprefix("airflow:"))
    if found is None:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, found {text!r}")
    return found[1], found[2]


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0
    if not 0 < hours <= _MOST_HOURS:
        raise argparse.ArgumentTypeError(f"expected hours, more than 0 and at most {_MOST_HOURS:.0f}, found {text!r}")
    return hours


@verb(
    "deploy a stack like another one, in a namespace of its own, for a limited time; again to update and keep it",
    argument("stack"),
    *COMMON,
    argument("--like", required=True, metavar="STACK", help="the stack whose config it takes over"),
    argument("--hours", required=True, type=_hours, help="how long it is kept from now on"),
    argument(
        "--set",
        action="append",
        default=[],
        type=_value,
        metavar="KEY=VALUE",
        help="a config key, such as dagsRef, in which it differs; may be repeated",
    ),
    DRY_RUN,
)
def spawn(call: Call) -> int:
    """Deploy a stack for a limited time."""
    args = call.args
    with call.opened() as environment:
        if args.dry_run:
            plan = environment.spawn_plan(args.like, dict(args.set), hours=args.hours)
            does = "update" if plan.exists else "make"
            call.show(
                plan, f"would {does} {plan.stack} in namespace {plan.namespace}, and keep it until {plan.expires}"
            )
            return call.exit_code(changed=True)
        done = environment.spawn(args.like, dict(args.set), hours=args.hours, on_event=call.console.event)
    call.show(done, f"{done.stack} runs in namespace {done.namespace} until {done.expires}: {done.update.changes}")
    return call.exit_code(changed=done.update.changes.any)


@verb(
    "remove the stacks whose time to live has passed, with all that they own",
    argument(
        "names", nargs="*", metavar="STACK", help="remove these now, and no others; each must have a time to live"
    ),
    *COMMON,
    DRY_RUN,
    CLUSTER_GONE,
)
def expire(call: Call) -> int:
    """Remove what has expired. The exit code is 1 if something of it could not be removed."""
    args = call.args
    with all_opened(call.project_dir, call.console, lock_seconds=args.lock_timeout) as environments:
        call.console.line(f"stacks in {environments.backend}")
        done = environments.expire(
            args.names, dry_run=args.dry_run, cluster_gone=args.cluster_gone, on_event=call.console.event
        )
    call.show(done, *_lines(done))
    changed = any(item.fate in ("due", "removed") for item in done.stacks)
    return FAILED if done.failed else call.exit_code(changed=changed) if changed else DONE


def _lines(done: Expiry) -> list[str | Table]:
    if not done.stacks:
        return ["no stack has a time to live"]
    rows = tuple((item.stack, str(item.fate), item.expires, item.reason) for item in done.stacks)
    return [Table(("stack", "", "kept until", "why"), rows)]
