"""How long the steps of a stack usually take on this machine: the median of the last few times."""

from __future__ import annotations

import contextlib
import json
import statistics
import threading
from pathlib import Path
from typing import Final

from automation.errors import FileUnusable
from automation.folder import write_file

_KEPT: Final = 5
_WORTH_SECONDS: Final = 5.0
"""A step that takes less is over before anybody asks."""


class UsualTimes:
    """Remembers the seconds of steps in a file, or not at all without one. Thread-safe.

    A file that cannot be read or written is no error: the times are only shown.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read nothing yet. `path` is the file, which need not exist."""
        self._path, self._lock = path, threading.Lock()
        self._times: dict[str, list[float]] | None = None

    def of(self, operation: str, type: str, name: str) -> float | None:
        """Return the usual seconds of a step, None if it is not known."""
        with self._lock:
            times = self._read().get(_key(operation, type, name))
            return statistics.median(times) if times else None

    def note(self, seconds: float, operation: str, type: str, name: str) -> None:
        """Remember how long a step took that came to its end."""
        if self._path is None or seconds < _WORTH_SECONDS:
            return
        with self._lock:
            times = self._read()
            key = _key(operation, type, name)
            times[key] = [*times.get(key, ()), round(seconds, 1)][-_KEPT:]
            with contextlib.suppress(FileUnusable):
                write_file(self._path, json.dumps(times, indent=1, sort_keys=True))

    def _read(self) -> dict[str, list[float]]:
        if self._times is None:
            self._times = {}
            with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
                content = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
                self._times = {str(key): [float(item) for item in times] for key, times in content.items()}
        return self._times


def _key(operation: str, type: str, name: str) -> str:
    return f"{operation} {type} {name}"
