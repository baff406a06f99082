"""The engine's events as short lines that a person can follow."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Final

from pulumi.automation import EngineEvent, OpType
from pulumi.automation.events import DiagnosticEvent, StepEventMetadata

from automation.wait import Clock

_DOING: Final = {
    OpType.CREATE: ("creating", "created"),
    OpType.UPDATE: ("updating", "updated"),
    OpType.DELETE: ("deleting", "deleted"),
    OpType.CREATE_REPLACEMENT: ("creating a new", "created a new"),
    OpType.DELETE_REPLACED: ("deleting the old", "deleted the old"),
    OpType.IMPORT: ("importing", "imported"),
}
"""Steps that do something; the engine also reports what stays the same, what it reads, and its own book-keeping."""
_PLANNED: Final = {
    OpType.CREATE: "would create",
    OpType.UPDATE: "would update",
    OpType.DELETE: "would delete",
    OpType.REPLACE: "would replace",
    OpType.IMPORT: "would import",
}
_MARKUP: Final = re.compile(r"<\{%.*?%\}>")
_SILENCE_SECONDS: Final = 20.0


class Progress:
    """Takes events, gives lines; keeps the errors. Thread-safe: events come on a thread of the Automation API."""

    def __init__(self, on_line: Callable[[str], None], clock: Clock | None = None) -> None:
        self._on_line, self._clock = on_line, clock or Clock()
        self._lock = threading.Lock()
        self._started: dict[str, tuple[str, float]] = {}
        self._spoke = self._clock.now()
        self.errors: list[str] = []

    def __call__(self, event: EngineEvent) -> None:
        """For `on_event` of the Automation API."""
        with self._lock:
            if event.resource_pre_event:
                self._begin(event.resource_pre_event.metadata, bool(event.resource_pre_event.planning))
            elif event.res_outputs_event and not event.res_outputs_event.planning:
                self._end(event.res_outputs_event.metadata, done=True)
            elif event.res_op_failed_event:
                self._end(event.res_op_failed_event.metadata, done=False)
            elif event.diagnostic_event:
                self._diagnose(event.diagnostic_event)

    def remind(self) -> None:
        """Says what is under way, where nothing has been said for a while."""
        with self._lock:
            if self._started and self._clock.now() - self._spoke >= _SILENCE_SECONDS:
                self._say(
                    "; ".join(
                        f"still {doing} ({self._clock.now() - since:.0f} s)" for doing, since in self._started.values()
                    )
                )

    def _begin(self, step: StepEventMetadata, planning: bool) -> None:
        if planning:
            if step.op in _PLANNED and _is_real(step):
                self._say(f"{_PLANNED[step.op]} {_name(step)}")
        elif step.op in _DOING and _is_real(step):
            doing = f"{_DOING[step.op][0]} {_name(step)}"
            self._started[_key(step)] = (doing, self._clock.now())
            self._say(doing)

    def _end(self, step: StepEventMetadata, *, done: bool) -> None:
        doing, since = self._started.pop(_key(step), ("", 0.0))
        if doing:
            seconds = f"({self._clock.now() - since:.0f} s)"
            self._say(f"{_DOING[step.op][1]} {_name(step)} {seconds}" if done else f"failed {doing} {seconds}")

    def _diagnose(self, event: DiagnosticEvent) -> None:
        if event.ephemeral or event.severity not in ("error", "warning"):
            return
        message = _MARKUP.sub("", event.message).strip().removeprefix(f"{event.severity}: ")
        name = (event.urn or "").rpartition("::")[2]
        text = f"{name}: {message}" if name else message
        if event.severity == "error":
            self.errors.append(text)
        self._say(f"{event.severity}: {text}")

    def _say(self, line: str) -> None:
        self._spoke = self._clock.now()
        self._on_line(line)


def _is_real(step: StepEventMetadata) -> bool:
    """Something outside the state, not a component, the stack or a provider."""
    state = step.new or step.old
    return bool(state and state.custom) and not step.type.startswith("pulumi:")


def _name(step: StepEventMetadata) -> str:
    """`Release airflow` of type `kubernetes:helm.sh/v3:Release` and a URN that ends with `::airflow`."""
    return f"{step.type.rpartition(':')[2]} {step.urn.rpartition('::')[2]}"


def _key(step: StepEventMetadata) -> str:
    return f"{step.op}:{step.urn}"
