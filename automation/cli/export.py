"""The verb `export_helmsman`: writes a stack as files for Helmsman."""

from __future__ import annotations

from pathlib import Path

from automation.cli.declare import COMMON, DONE, STACK, Call, argument, verb


@verb(
    "write a stack as files for Helmsman",
    STACK,
    *COMMON,
    argument("--output", type=Path, required=True, metavar="DIR", help="folder; an earlier export in it is replaced"),
    argument("--planned", action="store_true", help="export the stack's plan, even if the stack is deployed"),
)
def export_helmsman(call: Call) -> int:
    """Write a stack as files for Helmsman."""
    from automation.helmsman import DESIRED_STATE, PREREQUISITES

    with call.opened() as environment:
        result = environment.export_helmsman(call.args.output, planned=call.args.planned)
    folder, source = Path(result.folder), "its state" if result.deployed else "its plan"
    lines = [f"export of {result.stack}: {folder / DESIRED_STATE}, of {source}"]
    if result.secrets_to_make:
        lines.append(f"make {len(result.secrets_to_make)} Secrets first: {folder / PREREQUISITES}")
    lines += [f"not real, to be replaced in the files: {clause}" for clause in result.made_up]
    call.show(result, *lines)
    return DONE
