"""The one error that lists every problem of a config, and the text of a problem."""

from __future__ import annotations

import re
from typing import Any, Final

import pulumi

from components.kube.fix_text import FIX, without_fix
from components.texts.unseen import written_out
from settings.keys import PROJECT, ConfigKey

_FILE: Final = "Pulumi.STACK.yaml"
_WORD: Final = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]*")
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
    # A stack's file may come from a branch that nobody has reviewed yet, and a key is any text.
    what = without_fix(f"{written_out(full)}: {text}")
    return f"{what}{FIX}{fix.replace(_FILE, f'Pulumi.{stack}.yaml')}"


def set_command(full: str, key: ConfigKey[Any] | None, option: str = "") -> str:
    """Return the command that sets a key.

    Args:
        full: Key with its namespace.
        key: Its declaration, or None for a key that is not this project's.
        option: Option of `pulumi config set`. A secret key always gets `--secret`.
    """
    if key is None:
        return f"pulumi config set {full} VALUE" if _WORD.fullmatch(full) else f"edit {_FILE}"
    # Without a value the command asks for it, so a secret is in no shell's history.
    value = f" < {key.file}" if key.file else "" if key.secret else " VALUE"
    return f"pulumi config set {'--secret ' if key.secret else option}{full}{value}"


def removal_of(full: str) -> str:
    """Return what takes a key out of the config that is not this project's, by its name with its namespace.

    A name that a shell would not take for one word is in no command: whoever copies that runs what it says.
    """
    return f"pulumi config rm {full}" if _WORD.fullmatch(full) else f"take it out of {_FILE}"


def remove_command(key: ConfigKey[Any]) -> str:
    """Return the command that takes a key out of the config."""
    return f"pulumi config rm {PROJECT}:{key.name}"
