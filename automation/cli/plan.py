"""The verb `plan`: what the program would register for a stack, without engine, cluster or credentials."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automation.folder import short_name
from automation.plan.process import plan_checkout
from automation.plan.text import plan_text

if TYPE_CHECKING:
    from automation.cli.console import Console

_DEFAULT: Final = "dev"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("stack", nargs="?", default=_DEFAULT, help=f"default: {_DEFAULT}")
    parser.add_argument("--json", action="store_true", help="the plan as JSON")
    parser.add_argument("--no-render", action="store_true", help="leave out what Helm would make of the chart")


def run(args: argparse.Namespace, console: Console, project_dir: Path) -> int:
    """Prints the plan, or why there is none: then the exit code is 1. Raises StackUnknown."""
    plan = plan_checkout(project_dir, short_name(args.stack), render=not args.no_render)
    if args.json:
        console.result(json.dumps(plan.to_json(), indent=2, sort_keys=True, ensure_ascii=False))
    else:
        console.result(plan_text(plan).rstrip("\n"))
    return 0 if plan.failure is None else 1
