"""Where people read: results and progress, with colours on a terminal, as plain lines in a pipe."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from automation.engine.events import Event, EventKind

_STYLE: Final = {
    EventKind.NOTE: "bold",
    EventKind.WAITING: "dim",
    EventKind.PLANNED: "cyan",
    EventKind.BEGUN: "",
    EventKind.DONE: "green",
    EventKind.FAILED: "bold red",
    EventKind.STILL: "dim",
    EventKind.WARNING: "yellow",
    EventKind.ERROR: "bold red",
}


@dataclass(frozen=True)
class Console:
    """results: what was asked for; progress: what is being done. documents: counts what `json` has written."""

    results: TextIO = field(default_factory=lambda: sys.stdout)
    progress: TextIO = field(default_factory=lambda: sys.stdout)
    documents: list[Any] = field(default_factory=list)

    def line(self, text: str) -> None:
        """A line of progress."""
        print(text, file=self.progress, flush=True)

    def event(self, event: Event) -> None:
        """An event of an operation."""
        style = _STYLE[event.kind]
        if style and self.progress.isatty():
            from rich.console import Console as Terminal
            from rich.text import Text

            # Text, not markup: it may hold brackets.
            Terminal(file=self.progress, soft_wrap=True).print(Text(event.text, style))
        else:
            self.line(event.text)

    def result(self, text: str) -> None:
        """A line of the result."""
        print(text, file=self.results, flush=True)

    def json(self, content: Any) -> None:
        """The result for a program: one document."""
        self.documents.append(content)
        self.result(json.dumps(content, indent=2))
