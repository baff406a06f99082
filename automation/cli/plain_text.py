"""Text of others for a terminal and for the log of a CI job: neither may take a part of it for a command."""

from __future__ import annotations

import re
from typing import Final

from components.texts.unseen import written_out

_COMMAND: Final = re.compile(r"^(\s*):(?=:[A-Za-z])", re.MULTILINE)
"""`::name ::` at the beginning of a line is a command to GitHub's runner, and `##[name]` is one anywhere
(github.com/actions/runner, src/Runner.Common/ActionCommand.cs)."""


def plain(text: str) -> str:
    """Return a text that shows as it is. What JSON is stays the same JSON.

    Pods, Kubernetes, a Git host and a branch's author say what they like: a log could clear the screen, write over the
    line before, or hide from then on what a job says.
    """
    shown = written_out(text, kept="\n\t").replace("##[", "\\u0023#[")
    return _COMMAND.sub(r"\1\\u003a", shown)
