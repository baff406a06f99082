"""The verb `recover`: repairs what an interrupted update left, and deploys."""

from __future__ import annotations

from automation.cli.decisions import DECISIONS, decisions_of
from automation.cli.declare import COMMON, DRY_RUN, STACK, TIMEOUT, Call, verb


@verb(
    "repair what an interrupted update left, and deploy",
    STACK,
    *COMMON,
    DRY_RUN,
    *DECISIONS,
    TIMEOUT,
)
def recover(call: Call) -> int:
    """Repair what an interrupted update left. The exit code says "changed" where there was something to repair."""
    args, decisions = call.args, decisions_of(call.args)
    with call.opened() as environment:
        if args.dry_run:
            steps = environment.recovery(decisions)
            call.show(steps, *(f"would {step.text}" for step in steps.steps))
            return call.exit_code(changed=steps.interrupted)
        result = environment.recover(decisions, timeout_seconds=args.timeout, on_event=call.console.event)
    call.show(result, f"recover of {result.update.stack}: {result.update.changes}; healthy")
    return call.exit_code(changed=result.plan.interrupted or result.update.changes.any)
