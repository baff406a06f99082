"""`python -m automation VERB [STACK]`. Exit codes: 0 done, or nothing to do; 1 failure; 2 usage.

With `--detailed-exitcode`: 2 something changed or would change; 1 also for a wrong command line.
"""

from __future__ import annotations

import argparse
import functools
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from automation.cli.console import Console
from automation.cli.declare import DEV, FAILED, Call, Verb
from automation.cli.error_text import write_error
from automation.cli.verbs import VERBS
from automation.errors import AutomationError, FileUnusable, from_text, of_system
from automation.remedies import complete

PROJECT_DIR: Final = Path(__file__).resolve().parent.parent
_USAGE: Final = 2
_DETAILED: Final = "--detailed-exitcode"


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser with another exit code for a wrong command line."""

    failure = _USAGE

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(self.failure, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb, and return the exit code. Raises SystemExit for a wrong command line."""
    # The Automation API warns of an event that it cannot parse, and its warning holds the whole event.
    warnings.filterwarnings("ignore", module=r"pulumi\.automation")
    words = list(sys.argv[1:] if arguments is None else arguments)
    args = parse(words)
    declared: Verb = args.declared
    # Progress is not mixed into a result that a program reads.
    for_program = declared.for_shell or getattr(args, "json", False)
    console = Console(progress=sys.stderr if for_program else sys.stdout)
    try:
        return declared.run(Call(args, console, PROJECT_DIR))
    except AutomationError as error:
        if stack := getattr(args, "stack", None):
            complete(error, stack)
        return _failed(str(error), error, args, console)
    except KeyboardInterrupt:
        print(f"interrupted; run it again to go on: python -m automation {shlex.join(words)}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError:
        raise
    except Exception as error:
        text, typed = _typed(error, args)
        return _failed(text, typed, args, console)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse a command line. Raises SystemExit for a wrong one."""
    return _parser(FAILED if _DETAILED in words else _USAGE, VERBS).parse_args(words)


@functools.cache
def _parser(failure: int, declared: Sequence[Verb]) -> argparse.ArgumentParser:
    kind: Any = type("Parser", (_Parser,), {"failure": failure})
    parser: argparse.ArgumentParser = kind(
        prog="python -m automation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in declared:
        verb.add_to(verbs)
    return parser


def _typed(error: Exception, args: argparse.Namespace) -> tuple[str, AutomationError]:
    """Return the text and the type of an error of the program or of the engine. Raises any other error again."""
    # Imported here: only a failure needs the engine's SDK.
    import pulumi
    from pulumi.automation import CommandError

    from automation.engine.failures import engine_error

    if isinstance(error, pulumi.RunError):
        # The program's own: its settings, its chart, or what AWS refuses.
        return str(error), from_text(AutomationError, str(error))
    if isinstance(error, OSError):
        typed = of_system(error)
        return str(typed), typed
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        # Path.home() and Path.expanduser(), where neither HOME nor the system's list of users has one.
        typed = FileUnusable("this user has no home folder", "export HOME=FOLDER, one that can be written")
        return str(typed), typed
    if isinstance(error, CommandError):
        # A command of the engine that was not expected to fail; its text is all that the engine wrote.
        failed = engine_error(error, f"{args.verb} of {(stack := getattr(args, 'stack', None) or DEV)}", stack=stack)
        return str(failed), failed
    raise error


def _failed(text: str, error: AutomationError, args: argparse.Namespace, console: Console) -> int:
    write_error(text, sys.stderr)
    try:
        if getattr(args, "json", False) and not console.documents:
            console.json({"error": error.to_json()})
        sys.stdout.flush()
    except OSError:
        # Nothing can be written there. Python would try it again at its end, and change the exit code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _run() -> int:
    """Run the command line. If this Python lacks the project's libraries, one line says which Python to use."""
    try:
        return main()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if any((PROJECT_DIR / name).exists() for name in (missing, f"{missing}.py")):
            raise
        sys.exit(
            f"error: {sys.executable or 'this Python'} has no module {missing}. "
            "Fix: use .venv/bin/python, which make .venv/run makes"
        )


if __name__ == "__main__":
    sys.exit(_run())
