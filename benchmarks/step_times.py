"""Measure when each step of an update begins and ends, to a twentieth of a second.

The engine's event log has whole seconds only, so it is read while it grows.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.results import Series

_INTERVAL_SECONDS: Final = 0.05
_CREATING: Final = frozenset({"create", "create-replacement", "update"})

RELEASE: Final = "kubernetes:helm.sh/v3:Release::airflow"
MIGRATION: Final = "kubernetes:batch/v1:Job::airflow-database-migrate"
DATABASE: Final = "kubernetes:apps/v1:StatefulSet::airflow-postgres"


@dataclass(frozen=True, kw_only=True)
class Span:
    """When a step began and ended, in seconds since the update began."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, kw_only=True)
class Update:
    """An update that was timed."""

    seconds: float
    """The whole update."""
    steps: Mapping[str, Span]
    """Creations and changes by `type::name`."""


def step_series(name: str, updates: Iterable[Update], step: str) -> Series:
    """Return the seconds of one step of each update."""
    return Series(name=name, unit="s", values=tuple(update.steps[step].seconds for update in updates))


def rest_series(name: str, updates: Iterable[Update], *steps: str) -> Series:
    """Return the seconds of each update in which none of these steps ran. Steps may run side by side."""
    rest = (update.seconds - covered(update.steps[step] for step in steps) for update in updates)
    return Series(name=name, unit="s", values=tuple(rest))


def covered(steps: Iterable[Span]) -> float:
    """Return the seconds in which at least one of the steps ran."""
    found, until = 0.0, 0.0
    for step in sorted(steps, key=lambda step: step.begin):
        found += max(0.0, step.end - max(step.begin, until))
        until = max(until, step.end)
    return found


def timed(action: Callable[[], object], folder: Path) -> Update:
    """Run an update that writes its event log as `events-*.json` into a folder, and time it."""
    before = set(folder.glob("events-*.json"))
    ended = threading.Event()
    seen: list[tuple[float, str]] = []
    begin = time.perf_counter()
    reader = threading.Thread(target=_follow, args=(folder, before, begin, ended, seen), daemon=True)
    reader.start()
    try:
        action()
    finally:
        whole = time.perf_counter() - begin
        ended.set()
        reader.join()
    return Update(seconds=whole, steps=spans(seen))


def spans(seen: list[tuple[float, str]]) -> dict[str, Span]:
    """Return the steps by the lines of an event log, each with the time at which it was seen."""
    begun: dict[str, float] = {}
    ended: dict[str, Span] = {}
    for at, line in seen:
        event: dict[str, Any] = json.loads(line)
        for kind in ("resourcePreEvent", "resOutputsEvent"):
            metadata = (event.get(kind) or {}).get("metadata")
            if metadata is None or metadata["op"] not in _CREATING:
                continue
            key = f"{metadata['type']}::{metadata['urn'].rsplit('::', 1)[1]}"
            if kind == "resourcePreEvent":
                begun[key] = at
            elif key in begun:
                ended[key] = Span(begin=begun[key], end=at)
    return ended


def _follow(
    folder: Path, before: set[Path], begin: float, ended: threading.Event, seen: list[tuple[float, str]]
) -> None:
    """Read the lines of the new log as they come, the last of them after the end."""
    rest, position = "", 0
    last = False
    while not last:
        last = ended.wait(_INTERVAL_SECONDS)
        for log in set(folder.glob("events-*.json")) - before:
            with log.open() as file:
                file.seek(position)
                rest += file.read()
                position = file.tell()
        at = time.perf_counter() - begin
        *lines, rest = rest.split("\n")
        seen.extend((at, line) for line in lines if line)
