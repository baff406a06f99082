"""Processes of this machine: whether one lives, and what an engine that was killed left running.

On Linux from /proc, elsewhere from `ps`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from automation.wait import Clock, wait_for

_PROC: Final = Path("/proc")
_PLUGIN: Final = re.compile(r"pulumi-(resource|language|analyzer)-")
_PS: Final = ("ps", "-axo", "pid=,ppid=,etime=,comm=")
_PS_SECONDS: Final = 10
_END_SECONDS: Final = 10.0
_INTERVAL_SECONDS: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Process:
    """name: of its program, without folder. started: seconds since 1970, to about a second.

    session: id of its session, 0 where the system does not tell.
    """

    pid: int
    parent: int
    name: str
    started: float
    session: int = 0

    @property
    def is_engine(self) -> bool:
        """It is `pulumi` itself."""
        return self.name == "pulumi"


def processes() -> tuple[Process, ...]:
    """All that this user may see."""
    if (_PROC / "self" / "stat").exists():
        found = (_from_proc(path) for path in _PROC.iterdir() if path.name.isdigit())
        return tuple(process for process in found if process is not None)
    try:
        listed = subprocess.run(_PS, capture_output=True, text=True, timeout=_PS_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_ps(listed, time.time())


def exists(pid: int) -> bool:
    """Whether there is a process with this id, whosever it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def left_behind(engine: int, found: Iterable[Process]) -> tuple[Process, ...]:
    """What an engine that is dead left running.

    engine: its process id. An engine that this package starts leads a session of its own, which all that it starts
    stays in, and which no process of anything else can enter.
    """
    return tuple(process for process in found if process.session == engine and process.pid != engine)


def orphaned_plugins(found: Iterable[Process], since: float, seconds: float) -> tuple[Process, ...]:
    """Plugins whose engine is dead, and that were started in the `seconds` after `since`.

    An engine starts its plugins as it begins. They notice its death within five minutes (pulumi:
    sdk/go/pulumi/provider/main.go), and finish until then what they have begun.
    """
    everything = tuple(found)
    by_pid = {process.pid: process for process in everything}

    def orphaned(process: Process) -> bool:
        parent = by_pid.get(process.parent)
        return parent is None or not (parent.is_engine or _PLUGIN.match(parent.name))

    return tuple(
        process
        for process in everything
        if _PLUGIN.match(process.name) and since - 1 <= process.started <= since + seconds and orphaned(process)
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
    """Processes of lines `pid ppid [[dd-]hh:]mm:ss command`."""
    found = []
    for line in listed.splitlines():
        match = re.fullmatch(r"\s*(\d+)\s+(\d+)\s+(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)\s+(.+)", line)
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
    if fields[0] in "ZX":
        return None
    ticks = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    # `comm` holds 15 characters only; a process may write anything into its command line, so both must fit.
    whole = Path(command).name
    return Process(
        pid=int(path.name),
        parent=int(fields[1]),
        name=whole if whole.startswith(name) else name,
        started=_boot_time() + ticks,
        session=int(fields[3]),
    )


def _boot_time() -> float:
    for line in (_PROC / "stat").read_text(encoding="utf-8").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
