"""The verb `plan`: what the program would register for a stack, without engine, cluster or credentials."""

from __future__ import annotations

import json

from automation.cli.declare import DONE, FAILED, STACK, Call, argument, verb
from automation.folder import short_name


@verb(
    "show what the program would register, without engine, cluster or credentials",
    STACK,
    argument("--json", action="store_true", help="write the plan as JSON"),
    argument("--no-render", action="store_true", help="leave out what Helm would make of the chart"),
)
def plan(call: Call) -> int:
    """Print the plan, or why there is none; then the exit code is 1. Raises StackUnknown."""
    from automation.plan.process import plan_checkout
    from automation.plan.text import plan_text

    result = plan_checkout(call.project_dir, short_name(call.args.stack), render=not call.args.no_render)
    if call.args.json:
        call.console.result(json.dumps(result.to_json(), indent=2, sort_keys=True, ensure_ascii=False))
    else:
        call.console.result(plan_text(result).rstrip("\n"))
    return DONE if result.failure is None else FAILED
