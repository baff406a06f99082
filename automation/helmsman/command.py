"""The verb `export_helmsman`: finds what a stack is, and writes it as Helmsman's files."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from automation.errors import StackUnknown
from automation.folder import Folder, short_name
from automation.helmsman.export import DESIRED_STATE, PREREQUISITES, Source, files, from_plan, from_state, write_folder
from automation.plan.process import new_key, plan_checkout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automation.console import Console

_DEFAULT: Final = "dev"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("stack", nargs="?", default=_DEFAULT, help=f"default: {_DEFAULT}")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder; an earlier export goes")
    parser.add_argument(
        "--planned", action="store_true", help="of the stack's files alone, also where the stack is deployed"
    )


def run(args: argparse.Namespace, console: Console, project_dir: Path) -> int:
    """Writes the folder. Raises NotExportable, FolderRefused, StackUnknown, and what opening a stack raises."""
    source = _source(args.stack, project_dir, console, planned=args.planned)
    write_folder(args.output, files(source))
    made_of = "its state" if source.deployed else "its plan"
    console.result(f"export of {source.stack}: {args.output / DESIRED_STATE}, of {made_of}")
    if not source.deployed:
        console.result(f"{len(source.secrets)} Secrets are to be made first: {args.output / PREREQUISITES}")
    for clause in source.made_up:
        console.result(f"not real, to be replaced in the files: {clause}")
    return 0


def _source(stack: str, project_dir: Path, console: Console, *, planned: bool) -> Source:
    if not planned:
        deployment = _deployment(stack, project_dir, console)
        source = None if deployment is None else from_state(short_name(stack), deployment)
        if source is not None:
            return source
    return from_plan(plan_checkout(project_dir, short_name(stack), render=False, key=new_key()))


def _deployment(stack: str, project_dir: Path, console: Console) -> Mapping[str, Any] | None:
    """The stack's state, secrets encrypted; None where the backend has no such stack."""
    # Imported here: a plan needs no engine's SDK.
    from automation.backend import is_local
    from automation.engine import find_engine
    from automation.workspace import Place, open_stack

    place = Place.of(project_dir)
    if is_local(place.project_dir, os.environ) and not Folder(place.project_dir).state.exists():
        return None  # no engine is fetched only to find nothing
    engine = find_engine(place.project_dir, console.line)
    try:
        opened = open_stack(place, stack, engine, create=False)
    except StackUnknown:
        return None
    # Not by the SDK, which asks for the secrets in clear.
    words = ["stack", "export", "--stack", opened.name]
    exported = json.loads(engine.run(words, opened.workspace.work_dir, opened.workspace.env_vars).stdout)
    return dict(exported.get("deployment") or {})
