"""The verb `rotate`: gives a key of a stack another value, in stages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automation.cli.declare import COMMON, DRY_RUN, STACK, TIMEOUT, Call, argument, verb
from automation.cli.report_text import Table, stage_table
from automation.errors import RotationRefused, files_told

_KEYS: Final = (
    *("fernet", "api-secret-key", "admin-password", "jwt", "redis-password", "git-key", "database-password"),
    *("registry", "ca"),
)
"""Those of `settings.rotation.ROTATED`, which the help of the other verbs should not load (tested)."""

if TYPE_CHECKING:
    from automation.rotation.result import RotationPlan


@verb(
    "give a key a new value, in stages; run it again to continue",
    argument("key", metavar="KEY", choices=_KEYS, help=f"one of {', '.join(_KEYS)}"),
    STACK,
    *COMMON,
    argument(
        "--from",
        dest="file",
        type=Path,
        metavar="FILE",
        help="file with the new value, or - for standard input: a Docker config.json for registry, a PEM file for ca, "
        "ROLE:PASSWORD for database-password of an external database",
    ),
    DRY_RUN,
    TIMEOUT,
)
def rotate(call: Call) -> int:
    """Rotate a key. Raises RotationRefused where that is not possible."""
    from components.kube.secret import Secret

    key, file = call.args.key, call.args.file
    with files_told(file):
        given = None if file is None else Secret(_text(file))
    with call.opened() as environment:
        if not call.args.dry_run:
            result = environment.rotate(
                key, given=given, timeout_seconds=call.args.timeout, on_event=call.console.event
            )
            call.show(result, f"{key} of {result.plan.stack} is rotated ({result.seconds:.0f} s); commit what changed")
            return call.exit_code(changed=True)
        plan = environment.rotation(key, given=given)
    call.show(plan, *(() if call.args.json else _lines(plan)))
    if plan.refusals:
        raise RotationRefused(plan.stack, key, plan.refusals)
    return call.exit_code(changed=True)


def _text(file: Path) -> str:
    return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")


def _lines(plan: RotationPlan) -> list[str | Table]:
    begun = ["was begun before, and would be continued"] if plan.resumed else []
    return [*begun, stage_table(plan.stages), *plan.notes]
