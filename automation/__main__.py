"""`python -m automation VERB [STACK]`. Exit codes: 0 good, 1 failure, 2 usage."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pulumi
from pulumi.automation import CommandError

from automation import dev
from automation.engine_error import engine_error
from automation.errors import AutomationError
from automation.verify import TIMEOUT_SECONDS

PROJECT_DIR: Final = Path(__file__).resolve().parent.parent
_VERBS: Final = {
    "dev": "make a local Airflow, from the cluster up, and verify it",
    "up": "deploy a stack",
    "preview": "say what up would do",
    "down": "remove what a stack deployed, and the cluster if dev made it",
    "verify": "check a deployment",
    "ui": "forward a local port to Airflow",
    "env": 'let pulumi itself work on a stack here: eval "$(python -m automation env)"',
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb; the exit code. Raises SystemExit(2) for a wrong command line."""
    # The Automation API warns of an event that it cannot parse with the whole event.
    warnings.filterwarnings("ignore", module=r"pulumi\.automation")
    args = _parser().parse_args(arguments)
    # Where the result is for a program, progress is not mixed into it.
    for_program = args.verb == "env" or getattr(args, "json", False)
    console = dev.Console(progress=sys.stderr if for_program else sys.stdout)

    try:
        _run(args, console)
    except (AutomationError, pulumi.RunError) as error:
        # A RunError is one of the program's own: its settings, its chart, what AWS refuses.
        for line in str(error).splitlines():
            # A line that goes on with the one before is indented.
            print(line if line.startswith(" ") else f"error: {line}", file=sys.stderr, flush=True)
        return 1
    except CommandError as error:
        # A command of the engine that nothing expected to fail; its own text is all that it wrote.
        print(f"error: {engine_error(error, f'{args.verb} of {args.stack}')}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; run it again to go on: python -m automation {args.verb}", file=sys.stderr, flush=True)
        return 1
    return 0


def _run(args: argparse.Namespace, console: dev.Console) -> None:
    match args.verb:
        case "dev":
            dev.dev(PROJECT_DIR, console)
        case "up":
            dev.up(PROJECT_DIR, args.stack, console)
        case "preview":
            dev.preview(PROJECT_DIR, args.stack, console)
        case "down":
            dev.down(PROJECT_DIR, args.stack, console)
        case "verify":
            dev.check(
                PROJECT_DIR,
                args.stack,
                console,
                dag_id=args.dag,
                timeout_seconds=args.timeout,
                as_json=args.json,
            )
        case "env":
            dev.env(PROJECT_DIR, args.stack, console)
        case "ui":
            dev.ui(PROJECT_DIR, args.stack, console)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m automation", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, text in _VERBS.items():
        sub = verbs.add_parser(verb, help=text, description=text)
        if verb == "dev":
            sub.add_argument("stack", nargs="?", choices=[dev.DEV], default=dev.DEV, help="always dev")
        else:
            sub.add_argument("stack", nargs="?", default=dev.DEV, help="default: dev")
        if verb == "verify":
            sub.add_argument("--dag", metavar="DAG_ID", help="the DAG to run; else a harmless one is chosen")
            sub.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds of each wait")
            sub.add_argument("--json", action="store_true", help="the result as JSON, progress on stderr")
    return parser


if __name__ == "__main__":
    sys.exit(main())
