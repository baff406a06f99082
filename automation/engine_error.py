"""One of our errors for one of the engine's, whose own text is all that it wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pulumi.automation import CommandError, ConcurrentUpdateError

from automation.errors import AutomationError, StackLocked, UpdateFailed

_EXCEPTION: Final = re.compile(r"^[\w.]*(?:Error|Exception)\b.*", re.MULTILINE | re.DOTALL)
_ERROR_LINE: Final = re.compile(r"^ *(?:stderr: )?error: *(.+)$", re.MULTILINE)
"""In the text of a CommandError, where each stream begins with its name."""
_LENGTH: Final = 600


def engine_error(error: CommandError, action: str, reported: Iterable[str] = ()) -> AutomationError:
    """action: what was tried, as the beginning of a sentence. reported: errors among the engine's events, if any.

    Raise it `from None`: the cause holds the engine's whole output.
    """
    if isinstance(error, ConcurrentUpdateError):
        return StackLocked(
            f"{action}: another update of this stack is under way, or was killed and left its lock",
            "wait for it; only if none runs anywhere: pulumi cancel --yes STACK",
        )
    # The engine ends with "update failed", which says nothing that was not said before.
    reasons = [text for text in reported if not text.endswith("update failed")]
    reasons += _ERROR_LINE.findall(str(error))
    reason = first_lines(reasons[0]) if reasons else "no reason given"
    return UpdateFailed(f"{action} failed: {reason}", "mend that, and run it again")


def first_lines(text: str) -> str:
    """One line, cut where it is long; of a Python traceback the exception alone."""
    if "Traceback (most recent call last)" in text:
        found = _EXCEPTION.search(text.partition("Traceback (most recent call last)")[2])
        text = found.group() if found else text
    line = " ".join(text.removeprefix("error:").split())
    return line if len(line) <= _LENGTH else f"{line[:_LENGTH]}…"
