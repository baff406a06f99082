"""A stack of the Automation API whose updates start the engine once.

By itself the Automation API asks after each update for the outputs, twice, and for the history: three more starts of
the engine, 0.3 s each, for what nothing here reads. One of them gets the secret outputs in clear.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pulumi.automation import Stack, UpdateSummary

_NOTHING: Final = UpdateSummary(
    kind="", start_time=datetime.fromtimestamp(0, UTC), message="", environment={}, config={}, result=""
)


def without_questions(stack: Stack) -> Stack:
    """Return the stack, whose updates return no outputs and no summary: the engine's events tell of an update."""
    stack.outputs = dict  # type: ignore[method-assign]
    stack.info = lambda show_secrets=True: _NOTHING  # type: ignore[method-assign]
    return stack
