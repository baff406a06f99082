"""Completes the commands in errors, so that they can be copied as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from automation.errors import AutomationError

_KUBECTL: Final = re.compile(r"\bkubectl (?!config )(?=[a-z])")
"""A command that asks a cluster; `kubectl config` reads a file."""


def complete(error: AutomationError, stack: str, kubectl: Callable[[], str] = lambda: "") -> None:
    """Write the stack's name in place of STACK, and tell kubectl which cluster and namespace are meant.

    Without them a command would be about `dev`, or about what the shell has selected.

    Args:
        error: An error of this stack.
        stack: The name of the stack.
        kubectl: Returns `kubectl` with its options for the stack's namespace; "" if that is not known.
    """

    def completed(remedy: str) -> str:
        remedy = re.sub(r"\bSTACK\b", stack, remedy)
        known = kubectl() if _KUBECTL.search(remedy) else ""
        return _KUBECTL.sub(lambda match: f"{known} ", remedy) if known else remedy

    error.reword(completed)
