"""How a verb of the command line is declared: its help, its arguments and what it does, at one function.

Modules of verbs import little at their top: `python -m automation --help` loads all of them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from automation.cli.console import Console
from automation.cli.report_text import Table, write_table

if TYPE_CHECKING:
    from automation.environment import Environment
    from automation.environments import Environments
    from automation.results import Update

DONE: Final = 0
"""Exit code: done, or nothing to do."""
FAILED: Final = 1
"""Exit code: failure."""
CHANGED: Final = 2
"""Exit code with `--detailed-exitcode`: something changed, or would change."""

DEV: Final = "dev"
"""The stack of a verb that is called without one."""
LOCK_SECONDS: Final = 120.0
WAIT_SECONDS: Final = 300.0
"""Those of `automation` (tested). Not imported: the help would load the engine's SDK."""


@dataclass(frozen=True)
class Argument:
    """An argument of a verb: what `ArgumentParser.add_argument` takes."""

    flags: tuple[str, ...]
    """Its name, or its options."""
    options: Mapping[str, Any]
    """The keyword arguments of `add_argument`."""


@dataclass(frozen=True)
class Call:
    """One call of a verb."""

    args: argparse.Namespace
    """The arguments, as the command line gave them."""
    console: Console
    """Where the verb writes results and progress."""
    project_dir: Path
    """The checkout whose stacks it works on."""

    @contextmanager
    def opened(self) -> Iterator[Environment]:
        """Open the stack and say where its state is. Until the end of the block, signals stop an operation cleanly."""
        seconds = getattr(self.args, "lock_timeout", LOCK_SECONDS)
        with opened(self.project_dir, self.args.stack, self.console, lock_seconds=seconds) as environment:
            self.console.line(f"stack {self.args.stack}, state in {environment.backend}")
            yield environment

    def show(self, result: Any, *lines: str | Table) -> None:
        """Write a result: with `--json` its document, else the lines and tables."""
        if self.args.json:
            self.console.json(result.to_json())
            return
        for line in lines:
            if isinstance(line, Table):
                self.console.close()
                write_table(line, self.console.results)
            else:
                self.console.result(line)

    def updated(self, update: Update) -> int:
        """Write what an update changed, and return the exit code."""
        self.show(update, f"{self.args.verb} of {update.stack}: {update.changes}")
        return self.exit_code(changed=update.changes.any)

    def exit_code(self, *, changed: bool) -> int:
        """Return the exit code of a verb that succeeded."""
        return CHANGED if changed and self.args.detailed_exitcode else DONE


@dataclass(frozen=True, eq=False, kw_only=True)
class Verb:
    """A verb of `python -m automation`."""

    name: str
    """Its name on the command line."""
    help: str
    """What it does, in one line."""
    arguments: tuple[Argument, ...]
    """What it takes."""
    run: Callable[[Call], int]
    """Does it, and returns the exit code. Raises AutomationError, which is exit code `FAILED`."""
    aliases: tuple[str, ...] = ()
    """Other names of it."""
    for_shell: bool = False
    """Whether a program always reads its output, so that progress must not be mixed into it."""

    def add_to(self, verbs: Any) -> None:
        """Add its parser to the sub-parsers of the command line."""
        parser = verbs.add_parser(self.name, aliases=self.aliases, help=self.help, description=self.help)
        for item in self.arguments:
            parser.add_argument(*item.flags, **item.options)
        parser.set_defaults(declared=self)


def verb(
    help: str, *arguments: Argument, aliases: tuple[str, ...] = (), for_shell: bool = False
) -> Callable[[Callable[[Call], int]], Verb]:
    """Declare the decorated function as a verb of its name. List its module in `automation.cli.verbs`."""

    def declare(run: Callable[[Call], int]) -> Verb:
        return Verb(name=run.__name__, help=help, arguments=arguments, run=run, aliases=aliases, for_shell=for_shell)

    return declare


def argument(*flags: str, **options: Any) -> Argument:
    """Declare an argument as `ArgumentParser.add_argument` does."""
    return Argument(flags, options)


def seconds(text: str) -> float:
    """Read a number of seconds. Raises argparse.ArgumentTypeError, also for nan, with which a wait would never end."""
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, found {text!r}")
    return found


STACK: Final = argument("stack", nargs="?", default=DEV, help=f"default: {DEV}")
COMMON: Final = (
    argument("--json", action="store_true", help="write the result as one JSON document, and progress to stderr"),
    argument("--detailed-exitcode", action="store_true", help="exit with 2 if something changed or would change"),
    argument(
        "--lock-timeout",
        type=seconds,
        default=LOCK_SECONDS,
        metavar="SECONDS",
        help="how long to wait for another update of the stack; default: %(default).0f",
    ),
)
"""Arguments of every verb that works on a deployed stack."""
TIMEOUT: Final = argument(
    "--timeout",
    type=seconds,
    default=WAIT_SECONDS,
    metavar="SECONDS",
    help="how long to wait until all pods are ready; default: %(default).0f",
)
CLUSTER_GONE: Final = argument(
    "--cluster-gone",
    action="store_true",
    help="the cluster will never answer again: forget what was in it, and delete the rest",
)
DRY_RUN: Final = argument("--dry-run", action="store_true", help="only show what it would do")


@contextmanager
def all_opened(project_dir: Path, console: Console, *, lock_seconds: float) -> Iterator[Environments]:
    """Open the stacks of the checkout. Until the end of the block, signals stop an operation cleanly."""
    from automation.cli.interrupt import interruptible
    from automation.environments import Environments

    environments = Environments(project_dir, lock_seconds=lock_seconds, on_line=console.line)
    with interruptible(environments, console.line):
        try:
            yield environments
        finally:
            console.close()


@contextmanager
def opened(project_dir: Path, stack_name: str, console: Console, *, lock_seconds: float) -> Iterator[Environment]:
    """Open a stack of the checkout, as `all_opened` does."""
    with all_opened(project_dir, console, lock_seconds=lock_seconds) as environments:
        yield environments.open(stack_name)
