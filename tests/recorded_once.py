"""Programs that many tests of a file look at, recorded once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import Recorder

_RUNS: dict[Hashable, Recorder] = {}


def once(record: Callable[..., Recorder]) -> Callable[..., Recorder]:
    """Return what records a program as `record` does, but once for all tests of a process: change nothing of it.

    A program is the same if it is the same object, so what makes programs must make each of them once.
    """

    def recorded(program: Callable[[], Any], **options: Any) -> Recorder:
        key = program, *sorted(options.items())
        if key not in _RUNS:
            _RUNS[key] = record(program, **options)
        return _RUNS[key]

    return recorded
