"""What an operation tells while it runs: short events, each with the line that a person reads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from typing import Any, Final

from components.secrets.masker import Masker

_LOG: Final = logging.getLogger(__name__)


@unique
class EventKind(StrEnum):
    """note: what this package does itself. waiting: for somebody else's lock, or for a component.

    planned: a step of a preview. begun, done, failed, still: a step of an operation, and that it is not over yet.
    warning, error: what the program or a provider says.
    """

    NOTE = "note"
    WAITING = "waiting"
    PLANNED = "planned"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    STILL = "still"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Event:
    """text: one line, or more where a program wrote more. stack, verb: of the operation.

    operation, type, name: of the resource that a step is about, else "". seconds: since the step began, else None.
    """

    kind: EventKind
    text: str
    stack: str = ""
    verb: str = ""
    operation: str = ""
    type: str = ""
    name: str = ""
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return asdict(self)


OnEvent = Callable[[Event], object]


def ignore(event: Event) -> None:
    """For who wants no events."""


class Teller:
    """Passes events of one operation on, with what they have in common, and without a known secret.

    A receiver that raises does not disturb the operation: the type of its error is logged, and it gets the next event
    all the same.
    """

    def __init__(self, on_event: OnEvent, stack: str, verb: str, masker: Masker | None = None) -> None:
        self._on_event, self._stack, self._verb = on_event, stack, verb
        self._masker = masker or Masker()

    def tell(self, kind: EventKind, text: str, **about: Any) -> None:
        """about: further fields of `Event`."""
        event = Event(kind=kind, text=self._masker.text(text), stack=self._stack, verb=self._verb, **about)
        try:
            self._on_event(event)
        except Exception as error:
            # Not its text: it may quote the event, and more.
            _LOG.warning("the receiver of events of %s raised %s", self._stack, type(error).__name__)

    def note(self, text: str) -> None:
        """What this package itself does."""
        self.tell(EventKind.NOTE, text)
