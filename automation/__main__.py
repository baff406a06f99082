"""`python -m automation VERB [STACK]`. Exit codes: 0 done, or nothing to do; 1 failure; 2 usage.

With `--detailed-exitcode` 2 says that something changed, or would; a wrong command line is then a failure too.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

PROJECT_DIR: Final = Path(__file__).resolve().parent.parent

try:
    import pulumi
    from pulumi.automation import CommandError

    from automation.cli import dev
    from automation.cli.console import Console
    from automation.engine.failures import engine_error
    from automation.environment import HEALTHY_SECONDS, LOCK_SECONDS
    from automation.errors import AutomationError, from_text
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if __name__ != "__main__" or any((PROJECT_DIR / name).exists() for name in (missing, f"{missing}.py")):
        raise
    sys.exit(
        f"error: {sys.executable or 'this Python'} has no module {missing}. "
        "Fix: use .venv/bin/python, which make .venv/run makes"
    )

DONE: Final = 0
FAILED: Final = 1
CHANGED: Final = 2
_USAGE: Final = 2
_DETAILED: Final = "--detailed-exitcode"

_DEV_VERBS: Final = {
    "dev": "make a local Airflow, from the cluster up, and verify it",
    "down": "remove what a stack deployed, and the cluster if dev made it",
    "ui": "forward a local port to Airflow",
    "env": 'let pulumi itself work on a stack here: eval "$(python -m automation env)"',
}
_VERBS: Final = {
    "preview": "say what up would do",
    "up": "deploy a stack",
    "roll": "move the Airflow image to another tag, and deploy",
    "verify": "check a deployment, a DAG run among it",
    "status": "say what is wrong with a stack: lock, interrupted operations, release, pods",
    "adopt": "take over a release that Helm or Helmsman installed, its database and keys as they are",
    "recover": "mend what an interrupted update left, and deploy",
    "outputs": "print a stack's outputs",
    "history": "print earlier operations of a stack",
    "refresh": "make a stack's state as the cluster is",
    "destroy": "delete what a stack owns",
    "export_helmsman": "write a stack as files for Helmsman",
}
_ALIASES: Final = {"roll": ("roll_image",)}
_MODULES: Final = {
    "plan": ("automation.cli.plan", "say what would be registered, without engine, cluster or credentials"),
    "report": ("automation.cli.report", "say what a change would do to each stack, for reviewers"),
}
"""Verbs whose arguments are their own: modules with `add_arguments(parser)` and `run(args, console, project_dir)`."""


class _Parser(argparse.ArgumentParser):
    """As argparse's, but for the exit code of a wrong command line."""

    failure = _USAGE

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(self.failure, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb; the exit code. Raises SystemExit for a wrong command line."""
    # The Automation API warns of an event that it cannot parse with the whole event.
    warnings.filterwarnings("ignore", module=r"pulumi\.automation")
    args = parse(list(sys.argv[1:] if arguments is None else arguments))
    # Where the result is for a program, progress is not mixed into it.
    for_program = args.verb == "env" or getattr(args, "json", False)
    console = Console(progress=sys.stderr if for_program else sys.stdout)
    try:
        return _run(args, console)
    except AutomationError as error:
        return _failed(str(error), error, args, console)
    except pulumi.RunError as error:
        # One of the program's own: its settings, its chart, what AWS refuses.
        return _failed(str(error), from_text(AutomationError, str(error)), args, console)
    except CommandError as error:
        # A command of the engine that nothing expected to fail; its own text is all that it wrote.
        typed = engine_error(error, f"{args.verb} of {_stack(args)}")
        return _failed(str(typed), typed, args, console)
    except KeyboardInterrupt:
        print(f"interrupted; run it again to go on: python -m automation {args.verb}", file=sys.stderr, flush=True)
        return FAILED


def parse(words: Sequence[str]) -> argparse.Namespace:
    """A command line. Raises SystemExit for a wrong one."""
    return _parser(words).parse_args(words)


def _run(args: argparse.Namespace, console: Console) -> int:
    match args.verb:
        case "dev":
            dev.dev(PROJECT_DIR, console)
        case "down":
            dev.down(PROJECT_DIR, args.stack, console)
        case "env":
            dev.env(PROJECT_DIR, args.stack, console)
        case "ui":
            dev.ui(PROJECT_DIR, args.stack, console)
        case verb if verb in _MODULES:
            return int(import_module(_MODULES[verb][0]).run(args, console, PROJECT_DIR))
        case _:
            from automation.cli import verbs as commands

            changed = getattr(commands, args.command)(args, console, PROJECT_DIR)
            return CHANGED if changed and args.detailed_exitcode else DONE
    return DONE


def _failed(text: str, error: AutomationError, args: argparse.Namespace, console: Console) -> int:
    for line in text.splitlines():
        # A line that goes on with the one before is indented.
        print(line if line.startswith(" ") else f"error: {line}", file=sys.stderr, flush=True)
    if getattr(args, "json", False) and not console.documents:
        console.json({"error": error.to_json()})
    return FAILED


def _stack(args: argparse.Namespace) -> str:
    return getattr(args, "stack", None) or dev.DEV


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    kind: Any = type("Parser", (_Parser,), {"failure": FAILED if _DETAILED in words else _USAGE})
    parser: argparse.ArgumentParser = kind(
        prog="python -m automation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, text in _DEV_VERBS.items():
        sub = verbs.add_parser(verb, help=text, description=text)
        if verb == "dev":
            sub.add_argument("stack", nargs="?", choices=[dev.DEV], default=dev.DEV, help="always dev")
        else:
            _add_stack(sub)
    for verb, text in _VERBS.items():
        sub = verbs.add_parser(verb, aliases=_ALIASES.get(verb, ()), help=text, description=text)
        sub.set_defaults(command=verb)
        # Before another argument that must be there, a stack that may be left out would take its word.
        _add_stack(sub, required=verb == "roll")
        _add_common(sub)
        _add_own(verb, sub)
    for verb, (module, text) in _MODULES.items():
        if importlib.util.find_spec(module.rpartition(".")[0]) and importlib.util.find_spec(module):
            sub = verbs.add_parser(verb, help=text, description=text)
            if verb in words:  # what it needs is loaded only for it
                import_module(module).add_arguments(sub)
    return parser


def _add_stack(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    if required:
        parser.add_argument("stack")
    else:
        parser.add_argument("stack", nargs="?", default=dev.DEV, help="default: dev")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the result as one JSON document, progress on stderr")
    parser.add_argument(_DETAILED, action="store_true", help="exit code 2 where something changed, or would")
    parser.add_argument(
        "--lock-timeout",
        type=float,
        default=LOCK_SECONDS,
        metavar="SECONDS",
        help="how long to wait for another update of the stack; default: %(default).0f",
    )


def _add_own(verb: str, parser: argparse.ArgumentParser) -> None:
    match verb:
        case "preview":
            parser.add_argument("--save-plan", type=Path, metavar="FILE", help="save the plan, for up --plan")
            parser.add_argument(
                "--refresh", action="store_true", help="against what is really there; the state stays as it is"
            )
            parser.add_argument(
                "--report", type=Path, metavar="FILE", help="also write what changes, for reviewers, as Markdown"
            )
            parser.add_argument("--expect-no-changes", action="store_true", help="fail where there are some")
        case "up":
            parser.add_argument("--plan", type=Path, metavar="FILE", help="do what the saved plan says, or fail")
        case "export_helmsman":
            parser.add_argument(
                "--output", type=Path, required=True, metavar="DIR", help="folder; an earlier export goes"
            )
            parser.add_argument(
                "--planned", action="store_true", help="of the stack's files alone, also where the stack is deployed"
            )
        case "roll":
            parser.add_argument("tag", type=_tag, help="of the Airflow image")
        case "verify":
            parser.add_argument("--dag", metavar="DAG_ID", help="the DAG to run; else a harmless one is chosen")
            parser.add_argument("--timeout", type=float, default=HEALTHY_SECONDS, help="seconds of each wait")
        case "adopt":
            parser.add_argument("--dry-run", action="store_true", help="only say what it would do")
            parser.add_argument(
                "--timeout", type=float, default=HEALTHY_SECONDS, help="seconds for all pods to be ready"
            )
        case "recover":
            parser.add_argument("--dry-run", action="store_true", help="only say what it would do")
            parser.add_argument(
                "--lock-is-stale", action="store_true", help="you know that what holds the lock does not run any more"
            )
            parser.add_argument(
                "--adopt", type=_pair, action="append", metavar="URN=ID", help="you know that this resource is there"
            )
            parser.add_argument(
                "--forget", action="append", metavar="URN", help="you know that this resource was not made"
            )
            parser.add_argument(
                "--timeout", type=float, default=HEALTHY_SECONDS, help="seconds for all pods to be ready"
            )
        case "history":
            parser.add_argument("--limit", type=int, default=20, help="how many; default: %(default)s")
        case "refresh":
            parser.add_argument(
                "--new-cluster", action="store_true", help="the cluster may be another one than the stack was in"
            )
        case "destroy":
            parser.add_argument("--remove", action="store_true", help="also the stack itself, with its history")


def _tag(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"expected a tag of the Airflow image, found {text!r}")
    return text


def _pair(text: str) -> tuple[str, str]:
    urn, separator, id_ = text.rpartition("=")
    if not separator or not urn.startswith("urn:pulumi:") or not id_:
        raise argparse.ArgumentTypeError(f"expected URN=ID, found {text!r}")
    return urn, id_


if __name__ == "__main__":
    sys.exit(main())
