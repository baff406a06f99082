"""What people read: results and progress, in colour on a terminal and as plain lines in a pipe."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TextIO

from automation.cli.live import LiveView
from automation.cli.plain_text import plain

if TYPE_CHECKING:
    from automation.engine.events import Event

_STYLE: Final = {
    "note": "bold",
    "waiting": "dim",
    "planned": "cyan",
    "begun": "",
    "done": "green",
    "failed": "bold red",
    "still": "dim",
    "workload": "dim",
    "warning": "yellow",
    "error": "bold red",
}
"""Style by kind of event. The kinds are texts: `EventKind` would load the engine's SDK for every `--help`."""


@dataclass(frozen=True)
class Console:
    """Where a verb writes."""

    results: TextIO = field(default_factory=lambda: sys.stdout)
    """What was asked for."""
    progress: TextIO = field(default_factory=lambda: sys.stdout)
    """What is being done."""
    documents: list[Any] = field(default_factory=list)
    """The documents that `json` has written."""
    view: LiveView = field(default_factory=LiveView)
    """What is under way, on a terminal."""

    def line(self, text: str) -> None:
        """Write a line of progress."""
        if self.view.open:
            self.view.print(text, "", self.progress)
        else:
            print(plain(text), file=self.progress, flush=True)

    def event(self, event: Event) -> None:
        """Write an event of an update as progress. A terminal shows what is under way, and prints what is over."""
        if not _shows_a_view(self.progress):
            self.line(event.text)
        elif not self.view.event(event, self.progress):
            self.view.print(event.text, _STYLE[event.kind], self.progress, event.kind)

    def close(self) -> None:
        """Leave the terminal as it was, whatever is still under way."""
        self.view.close()

    def result(self, text: str) -> None:
        """Write a line of the result. Nothing is under way any more."""
        self.for_shell(plain(text))

    def for_shell(self, text: str) -> None:
        """Write a line of the result that a shell reads, so it must be exactly this."""
        self.close()
        print(text, file=self.results, flush=True)

    def json(self, content: Any) -> None:
        """Write the result for a program, as one document."""
        self.documents.append(content)
        self.result(json.dumps(content, indent=2))


def _shows_a_view(file: TextIO) -> bool:
    """Return whether lines can be written over. On a terminal that cannot do it, rich shows no view at all."""
    return file.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
