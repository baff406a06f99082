"""Notes about the engines that were started here, so that a lock can be told from one of another process.

A lock names a process id, a host and a time. Ids are used again, hosts have equal names, and clocks are set. So a note
beside the stack's files says on which machine, since which start of it, and at which moment since then an engine began.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from automation.engine import machine, processes
from automation.engine.machine import Machine
from automation.errors import FileUnusable
from automation.folder import write_file

_LOCKING: Final = frozenset({"destroy", "refresh", "up"})
_MOST: Final = 20
"""How many notes are kept. An engine that ends well leaves none."""
_NEAR_SECONDS: Final = 600.0
"""An engine takes its lock within this time after its start."""


@dataclass(frozen=True, kw_only=True)
class StartedEngine:
    """An engine that was started for a stack."""

    pid: int
    """Its process id."""
    began: float
    """Its start, on the scale of `machine.now`."""
    written: float
    """Its start by the wall clock of that moment, in seconds since 1970."""
    where: Machine
    """Where it ran."""

    def made(self, pid: int, locked: float) -> bool:
        """Return whether a lock with this process id and this time, in seconds since 1970, may be this engine's.

        Both times were read from one clock within seconds. So they stay together when the clock is set later.
        """
        return pid == self.pid and abs(locked - self.written) <= _NEAR_SECONDS

    def runs(self, *, shared: bool) -> bool | None:
        """Return whether it runs; None if that cannot be seen from here. shared: whether others may use the backend."""
        here = machine.this_machine()
        if not self.where.boot:
            return None
        if self.where.boot == here.boot:
            return processes.runs(self.pid, self.began) if self.where.namespace == here.namespace else None
        # Another start of the same machine ended every process. But an image may give its id to many containers, and a
        # copy of a virtual machine has the id, the name and the notes of the one that runs on.
        restarted = self.where.machine == here.machine != "" and not shared
        return False if restarted and not self.where.is_contained and not here.is_contained else None


def takes_lock(args: list[str]) -> bool:
    """Return whether a command of the engine locks its stack."""
    return bool(args) and (args[0] in _LOCKING or args[:2] in (["stack", "import"], ["state", "taint"]))


def note(folder: Path, pid: int) -> None:
    """Note an engine that has just been started. A folder that cannot be written is no error: the note only helps."""
    began = processes.began(pid)
    if began is None:
        return
    engine = StartedEngine(pid=pid, began=began, written=time.time(), where=machine.this_machine())
    with contextlib.suppress(OSError, FileUnusable):
        write_file(_path(folder, pid), json.dumps(asdict(engine)), mode=0o600)
        for path in sorted(_paths(folder), key=lambda item: item.stat().st_mtime)[:-_MOST]:
            path.unlink()


def forget(folder: Path, pid: int) -> None:
    """Remove the note of an engine that ended well: it has released its lock."""
    with contextlib.suppress(OSError):
        _path(folder, pid).unlink()


def forget_all(folder: Path) -> None:
    """Remove all notes: the stack's locks have been removed."""
    for path in _paths(folder):
        with contextlib.suppress(OSError):
            path.unlink()


def noted(folder: Path) -> tuple[StartedEngine, ...]:
    """Return the engines of the notes. A note that cannot be read says nothing."""
    found = []
    for path in _paths(folder):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            content = json.loads(path.read_text(encoding="utf-8"))
            where = Machine(**{key: str(value) for key, value in dict(content["where"]).items()})
            numbers = {key: float(content[key]) for key in ("began", "written")}
            found.append(StartedEngine(pid=int(content["pid"]), where=where, **numbers))
    return tuple(found)


def _path(folder: Path, pid: int) -> Path:
    return folder / f".engine-{pid}.json"


def _paths(folder: Path) -> Iterable[Path]:
    return tuple(folder.glob(".engine-*.json"))
