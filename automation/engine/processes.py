"""Processes of this machine: whether one runs, and which ones a killed engine left.

Starts are measured from the start of the machine, so that they stay the same when the wall clock is set.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automation.wait import Clock, wait_for

if TYPE_CHECKING:
    import psutil

_PROC: Final = Path("/proc")
_PLUGIN: Final = re.compile(r"pulumi-(resource|language|analyzer)-")
_ENGINES: Final = frozenset({"pulumi", ".pulumi-wrapped"})
"""The second is the engine's name on Nix."""
_ENDED: Final = frozenset({"zombie", "dead"})
"""psutil's states of a process that has ended and whose parent has not collected it yet."""
_END_SECONDS: Final = 10.0
_INTERVAL_SECONDS: Final = 0.2
_EARLIER_SECONDS: Final = 1.0
"""The start of an engine is noted just after it. What it starts may seem this much older."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process as it was when it was looked at. Its id and its start time identify it."""

    pid: int
    parent: int
    """The id of the process that started it."""
    name: str
    """The name of its program, without the folder."""
    started: float
    """When it began, on the scale of `machine.now`: seconds since the start of the machine, if the system tells it."""
    session: int = 0
    """The id of its session, 0 where the system does not say."""
    inner_pid: int = 0
    """The id that an engine in a container has there, which its lock names; else 0."""
    for_engine: bool = True
    """An engine may have started it. A plugin without arguments was started by another program: an engine gives each
    its own address (pulumi: pkg/resource/plugin/plugin.go). Of a process that cannot be asked this is true."""

    @property
    def is_engine(self) -> bool:
        """It is `pulumi` itself."""
        return self.name in _ENGINES


def processes() -> tuple[Process, ...]:
    """Return the processes that this user may see, without those that have ended."""
    import psutil

    listed = psutil.process_iter(["pid", "ppid", "name", "status"])
    return tuple(
        Process(
            pid=info["pid"],
            parent=info["ppid"] or 0,
            name=info["name"],
            started=started,
            session=_session(info["pid"]),
            inner_pid=_inner_pid(info["pid"]) if info["name"] in _ENGINES else 0,
            for_engine=_has_arguments(info["pid"]) if _PLUGIN.match(info["name"]) else True,
        )
        for info in (process.info for process in listed)
        if info["name"] and info["status"] not in _ENDED
        if (started := began(info["pid"])) is not None
    )


def _has_arguments(pid: int) -> bool:
    """Return whether a process was started with arguments, or does not say."""
    import psutil

    try:
        return len(psutil.Process(pid).cmdline()) != 1
    except psutil.Error:
        return True


def began(pid: int) -> float | None:
    """Return when a process began, on the scale of `machine.now`; None if there is no such process.

    psutil adds the wall clock's idea of when the machine was started (psutil: _pslinux.py, create_time), which changes
    when the clock is set. The 22nd field of /proc/PID/stat does not (proc_pid_stat(5)).
    """
    import psutil

    try:
        if not _PROC.is_dir():
            return psutil.Process(pid).create_time()
        # The second field is the name in brackets, and may hold anything.
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError, psutil.Error):
        return None


def runs(pid: int, started: float) -> bool:
    """Return whether the process runs that has this id and began at this moment, and not a later one with its id."""
    return began(pid) == started and exists(pid)


def exists(pid: int) -> bool:
    """Return whether a process with this id runs, even one of another user.

    A process that cannot be looked at counts as running; one that has ended and waits for its parent does not.
    """
    import psutil

    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    try:
        return psutil.Process(pid).status() not in _ENDED
    except psutil.ZombieProcess:
        return False
    except psutil.Error:
        return True  # /proc may hide the processes of other users


def left_behind(engine: int, running: Iterable[Process], since: float, seconds: float) -> tuple[Process, ...]:
    """Return what a dead engine left running: what was started with it, until `seconds` after its start.

    An engine that this package starts leads a session of its own, and all that it starts stays in that session. After
    a restart of the machine another process may have the engine's id. So nothing is returned while a process with that
    id lives, and nothing that was started at another time. This process and its ancestors are never returned.

    Args:
        engine: The engine's process id.
        running: The processes of this machine.
        since: When the engine began, on the scale of `machine.now`.
        seconds: How long after that its processes may have been started.
    """
    by_pid = {process.pid: process for process in running}
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
        and since - _EARLIER_SECONDS <= process.started <= since + seconds
        and process.pid not in spared
    )


def orphaned_plugins(
    running: Iterable[Process], since: float = 0.0, seconds: float = math.inf, session: int = 0
) -> tuple[Process, ...]:
    """Return plugins without a living engine that were started in the `seconds` after `since`, by default all.

    An engine starts its plugins as it begins. They notice its death within five minutes (pulumi:
    sdk/go/pulumi/provider/main.go), and finish until then what they have begun.

    Args:
        running: The processes of this machine.
        since: When the engine began, on the scale of `machine.now`.
        seconds: How long after that a plugin may have been started.
        session: The session of an engine of this package, 0 for none. Its plugins count however late they started.
    """
    everything = tuple(running)
    by_pid = {process.pid: process for process in everything}

    def orphaned(process: Process) -> bool:
        parent = by_pid.get(process.parent)
        return process.for_engine and (parent is None or not (parent.is_engine or _PLUGIN.match(parent.name)))

    def in_time(process: Process) -> bool:
        latest = math.inf if session and process.session == session else since + seconds
        return since - _EARLIER_SECONDS <= process.started <= latest

    return tuple(
        process for process in everything if _PLUGIN.match(process.name) and in_time(process) and orphaned(process)
    )


def end(doomed: Iterable[Process], clock: Clock | None = None) -> None:
    """End processes, first with SIGTERM and then with SIGKILL, and return when they are gone."""
    import psutil

    remaining = tuple(doomed)
    for signal in (psutil.Process.terminate, psutil.Process.kill):
        for process in remaining:
            with contextlib.suppress(psutil.NoSuchProcess):
                living = _living(process)
                if living is not None:
                    signal(living)
        remaining = until_gone(remaining, _END_SECONDS, clock)


def until_gone(awaited: Iterable[Process], seconds: float, clock: Clock | None = None) -> tuple[Process, ...]:
    """Wait for the end of processes, at most `seconds`. Return those that still live."""
    everyone = tuple(awaited)
    return wait_for(
        lambda: tuple(process for process in everyone if _living(process) is not None),
        lambda living: not living,
        seconds=seconds,
        interval=_INTERVAL_SECONDS,
        clock=clock or Clock(),
    )


def _living(process: Process) -> psutil.Process | None:
    """Return the process itself, or None where it has ended, even if a later one has its id."""
    import psutil

    try:
        living = psutil.Process(process.pid)
        return living if began(process.pid) == process.started and living.status() not in _ENDED else None
    except psutil.Error:
        return None


def _session(pid: int) -> int:
    try:
        return os.getsid(pid) if pid else 0  # 0 would ask for the session of this process
    except OSError:
        return 0


def _inner_pid(pid: int) -> int:
    """Return the id of a process in its own container, 0 where it is the same as here. psutil does not tell it."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("NSpid:"):
                ids = line.split()[1:]
                return int(ids[-1]) if len(ids) > 1 else 0
    return 0
