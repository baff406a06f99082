"""The verb `recover`: repairs what an interrupted update left, and deploys."""

from __future__ import annotations

import argparse

from automation.cli.declare import COMMON, DRY_RUN, STACK, TIMEOUT, Call, argument, verb


def _pair(text: str) -> tuple[str, str]:
    urn, separator, id_ = text.rpartition("=")
    if not separator or not urn.startswith("urn:pulumi:") or not id_:
        raise argparse.ArgumentTypeError(f"expected URN=ID, found {text!r}")
    return urn, id_


@verb(
    "repair what an interrupted update left, and deploy",
    STACK,
    *COMMON,
    DRY_RUN,
    argument("--lock-is-stale", action="store_true", help="you know that the process that holds the lock has ended"),
    argument("--adopt", type=_pair, action="append", metavar="URN=ID", help="you know that this resource exists"),
    argument("--forget", action="append", metavar="URN", help="you know that this resource was not made"),
    TIMEOUT,
)
def recover(call: Call) -> int:
    """Repair what an interrupted update left. The exit code says "changed" where there was something to repair."""
    from automation.recovery.result import Decisions

    args = call.args
    decisions = Decisions(
        lock_is_stale=args.lock_is_stale, adopt=dict(args.adopt or ()), forget=frozenset(args.forget or ())
    )
    with call.opened() as environment:
        if args.dry_run:
            steps = environment.recovery(decisions)
            call.show(steps, *(f"would {step.text}" for step in steps.steps))
            return call.exit_code(changed=steps.interrupted)
        result = environment.recover(decisions, timeout_seconds=args.timeout, on_event=call.console.event)
    call.show(result, f"recover of {result.update.stack}: {result.update.changes}; healthy")
    return call.exit_code(changed=result.plan.interrupted or result.update.changes.any)
