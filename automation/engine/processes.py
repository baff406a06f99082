"""Processes of this machine: whether one lives, and what an engine that was killed left running.

On Linux from /proc, elsewhere from `ps`.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from automation.wait import Clock, wait_for

_PROC: Final = Path("/proc")
_PLUGIN: Final = re.compile(r"pulumi-(resource|language|analyzer)-")
_ENGINES: Final = frozenset({"pulumi", ".pulumi-wrapped"})
"""The second is what Nix calls it."""
_PS_SECONDS: Final = 10
_ENDED: Final = ("Z", "X")
"""States of a process that has ended, and that its parent has not asked about yet."""
_END_SECONDS: Final = 10.0
_INTERVAL_SECONDS: Final = 0.2
_LOCK_SECONDS: Final = 60.0
"""An engine takes the lock within this time of its start."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """name: of its program, without folder. started: seconds since 1970, to about a second.

    session: id of its session, 0 where the system does not tell. inner_pid: of an engine in a container, its id there,
    which its lock has; else 0.
    """

    pid: int
    parent: int
    name: str
    started: float
    session: int = 0
    inner_pid: int = 0

    @property
    def is_engine(self) -> bool:
        """It is `pulumi` itself."""
        return self.name in _ENGINES


def processes() -> tuple[Process, ...]:
    """All that this user may see."""
    if _has_proc():
        found = (_from_proc(path) for path in _PROC.iterdir() if path.name.isdigit())
        return tuple(process for process in found if process is not None)
    return parse_ps(_ps("-axo", "pid=,ppid=,state=,etime=,comm="), time.time())


def exists(pid: int) -> bool:
    """Whether there is a process with this id, whosever it is. One that only waits for its parent has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if not _has_proc():
        return not _ps("-o", "state=", "-p", str(pid)).strip().startswith("Z")
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return stat.rpartition(") ")[2][:1] not in _ENDED


def _has_proc() -> bool:
    return (_PROC / "self" / "stat").exists()


def _ps(*arguments: str) -> str:
    """What it lists; "" where it fails."""
    try:
        return subprocess.run(
            ["ps", *arguments], capture_output=True, text=True, timeout=_PS_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def left_behind(engine: int, found: Iterable[Process], since: float, seconds: float) -> tuple[Process, ...]:
    """What an engine that is dead left running: what was started with it, until `seconds` after it took its lock.

    engine: its process id. since: when it took its lock. An engine that this package starts leads a session of its own,
    which all that it starts stays in. Its id may have been given away since, after a restart of the machine: nothing is
    its own where a process has that id now, which leads that session, nor what was started at another time. This
    process and those that it descends from are never among it.
    """
    by_pid = {process.pid: process for process in found}
    if engine in by_pid:
        return ()
    spared, pid = set[int](), os.getpid()
    while pid not in spared:
        spared.add(pid)
        pid = by_pid[pid].parent if pid in by_pid else pid
    return tuple(
        process
        for process in by_pid.values()
        if process.session == engine
        and since - _LOCK_SECONDS <= process.started <= since + seconds
        and process.pid not in spared
    )


def orphaned_plugins(found: Iterable[Process], since: float, seconds: float, session: int = 0) -> tuple[Process, ...]:
    """Plugins whose engine is dead, and that were started in the `seconds` after `since`, or later in its session.

    session: that an engine of this package led, 0 for none.
    An engine starts its plugins as it begins. They notice its death within five minutes (pulumi:
    sdk/go/pulumi/provider/main.go), and finish until then what they have begun.
    """
    everything = tuple(found)
    by_pid = {process.pid: process for process in everything}

    def orphaned(process: Process) -> bool:
        parent = by_pid.get(process.parent)
        return parent is None or not (parent.is_engine or _PLUGIN.match(parent.name))

    def in_time(process: Process) -> bool:
        latest = math.inf if session and process.session == session else since + seconds
        return since - 1 <= process.started <= latest

    return tuple(
        process for process in everything if _PLUGIN.match(process.name) and in_time(process) and orphaned(process)
    )


def end(doomed: Iterable[Process], clock: Clock | None = None) -> None:
    """Ends processes, politely at first; returns when they are gone."""
    remaining = tuple(doomed)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in remaining:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        remaining = until_gone(remaining, _END_SECONDS, clock)


def until_gone(awaited: Iterable[Process], seconds: float, clock: Clock | None = None) -> tuple[Process, ...]:
    """Waits for the end of processes. Returns those that still live when the time is up."""
    everyone = tuple(awaited)
    return wait_for(
        lambda: tuple(process for process in everyone if _lives(process)),
        lambda living: not living,
        seconds=seconds,
        interval=_INTERVAL_SECONDS,
        clock=clock or Clock(),
    )


def _lives(process: Process) -> bool:
    """The same process, and not a later one with its id; one that has ended and waits for its parent is gone."""
    return any(found.pid == process.pid and abs(found.started - process.started) < 2 for found in processes())


def parse_ps(listed: str, now: float) -> tuple[Process, ...]:
    """Processes of lines `pid ppid state [[dd-]hh:]mm:ss command`, but for zombies."""
    found = []
    for line in listed.splitlines():
        match = re.fullmatch(r"\s*(\d+)\s+(\d+)\s+[^Z\s]\S*\s+(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)\s+(.+)", line)
        if match:
            pid, parent, days, hours, minutes, seconds, command = match.groups(default="0")
            age = ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
            name = Path(command.strip()).name
            found.append(Process(pid=int(pid), parent=int(parent), name=name, started=now - age))
    return tuple(found)


def _from_proc(path: Path) -> Process | None:
    """None for one that has ended meanwhile, and for a zombie. Format: proc_pid_stat(5)."""
    try:
        stat = (path / "stat").read_text(encoding="utf-8", errors="replace")
        command = (path / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
    except OSError:
        return None
    name, _, rest = stat.partition(" (")[2].rpartition(") ")
    fields = rest.split()
    if fields[0] in _ENDED:
        return None
    ticks = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    # `comm` holds 15 characters only; a process may write anything into its command line, so both must fit.
    whole = Path(command).name
    found = Process(
        pid=int(path.name),
        parent=int(fields[1]),
        name=whole if whole.startswith(name) else name,
        started=_boot_time() + ticks,
        session=int(fields[3]),
    )
    return replace(found, inner_pid=_inner_pid(path)) if found.is_engine else found


def _inner_pid(path: Path) -> int:
    """0 where it is the same as here."""
    with contextlib.suppress(OSError):
        for line in (path / "status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("NSpid:"):
                ids = line.split()[1:]
                return int(ids[-1]) if len(ids) > 1 else 0
    return 0


def _boot_time() -> float:
    for line in (_PROC / "stat").read_text(encoding="utf-8").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
