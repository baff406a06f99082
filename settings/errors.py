"""The one error that lists every problem of a config, and the text of a problem."""

from __future__ import annotations

import re
from typing import Any, Final

import pulumi

from settings.keys import PROJECT, Key

_MOST_LISTED: Final = 200
"""Problems that the text of an error lists."""


class SettingsError(pulumi.RunError):
    """Everything that is wrong with a stack's config.

    It is a RunError, so the engine shows its text without a traceback.
    """

    problems: tuple[str, ...]
    """One text for each problem. None shows a secret."""

    def __init__(self, stack: str, problems: list[str]) -> None:
        self.stack, self.problems = stack, tuple(problems)
        listed, more = problems[:_MOST_LISTED], len(problems) - _MOST_LISTED
        if more > 0:
            listed = [*listed, f"and {more} more, which are listed when these are solved"]
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"config of stack {stack}: {count}", *(f"  {text}" for text in listed)]))


def problem_text(stack: str, full: str, text: str, fix: str) -> str:
    """Return the text of one problem.

    Args:
        stack: Completes the commands in `fix`. Without it they would change the stack that the shell has selected.
        full: Key with its namespace.
        text: What was expected, and what was found.
        fix: The command, or the edit, that solves the problem.
    """
    fix = re.sub(r"\bpulumi config (set|rm)\b", lambda command: f"{command[0]} --stack {stack}", fix)
    return f"{full}: {text}. Fix: {fix.replace('Pulumi.STACK.yaml', f'Pulumi.{stack}.yaml')}"


def set_command(full: str, key: Key[Any] | None, option: str = "") -> str:
    """Return the command that sets a key.

    Args:
        full: Key with its namespace.
        key: Its declaration, or None for a key that is not this project's.
        option: Option of `pulumi config set`. A secret key always gets `--secret`.
    """
    if key is None:
        return f"pulumi config set {full} VALUE"
    # Without a value the command asks for it, so a secret is in no shell's history.
    value = f" < {key.file}" if key.file else "" if key.secret else " VALUE"
    return f"pulumi config set {'--secret ' if key.secret else option}{full}{value}"


def remove_command(key: Key[Any]) -> str:
    """Return the command that takes a key out of the config."""
    return f"pulumi config rm {PROJECT}:{key.name}"
