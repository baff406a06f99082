"""The events of a running update: short ones, each with the line that a person reads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from typing import Any, Final

from components.kube.workload_states import WorkloadState
from components.secrets.masker import Masker

_LOG: Final = logging.getLogger(__name__)


@unique
class EventKind(StrEnum):
    """The subject of an event."""

    NOTE = "note"
    """Something that this package itself does."""
    WAITING = "waiting"
    """A wait, for a lock or for a component."""
    PLANNED = "planned"
    """A step of a preview."""
    BEGUN = "begun"
    """The begin of a step."""
    DONE = "done"
    """The end of a step."""
    FAILED = "failed"
    """The failure of a step."""
    STILL = "still"
    """A reminder that steps are not over yet."""
    WORKLOAD = "workload"
    """A workload, a Job or a volume that a step waits for has changed."""
    WARNING = "warning"
    """What the program or a provider warns of."""
    ERROR = "error"
    """An error of the program or of a provider."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event."""

    kind: EventKind
    text: str
    """One line, or more if a program wrote more."""
    stack: str = ""
    """The stack."""
    verb: str = ""
    """What was asked for: `up`, `preview`, …"""
    operation: str = ""
    """What a step does to its resource: `create`, …; "" if the event is about no step."""
    type: str = ""
    """The Pulumi type of the step's resource."""
    name: str = ""
    """The logical name of the step's resource."""
    seconds: float | None = None
    """How long the step took, None before its end."""
    usual_seconds: float | None = None
    """How long the step usually takes on this machine, None if that is not known."""
    workload: WorkloadState | None = None
    """What a step waits for: its pods, and why the worst one is not ready. None if the event is about no workload."""

    def to_json(self) -> dict[str, Any]:
        """Return a map for `json.dumps`."""
        return asdict(self)


OnEvent = Callable[[Event], object]


def ignore(event: Event) -> None:
    """Receive events and do nothing."""


class Teller:
    """Passes the events of one update on, with what they have in common and without known secrets.

    A receiver that raises does not disturb the update: the type of its error is logged, and it gets the next event.
    """

    def __init__(self, on_event: OnEvent, stack: str, verb: str, masker: Masker | None = None) -> None:
        self._on_event, self._stack, self._verb = on_event, stack, verb
        self.masker = masker or Masker()
        """Knows the stack's secrets. It is replaced when more are learned."""

    def tell(self, kind: EventKind, text: str, **about: Any) -> None:
        """Pass one event on. `about` gives further fields of `Event`."""
        event = Event(kind=kind, text=self.masker.text(text), stack=self._stack, verb=self._verb, **about)
        try:
            self._on_event(event)
        except Exception as error:
            # Not its text: it may quote the event, and more.
            _LOG.warning("the receiver of events of %s raised %s", self._stack, type(error).__name__)

    def note(self, text: str) -> None:
        """Tell something that this package itself does."""
        self.tell(EventKind.NOTE, text)
