"""Identifies this machine, and moments on it, even if somebody sets the wall clock."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_MACHINE: Final = Path("/etc/machine-id")
_NAMESPACES: Final = Path("/proc/self/ns")
INITIAL_NAMESPACE: Final = "pid:[4026531836]"
"""The namespace of processes outside every container (Linux: PROC_PID_INIT_INO in include/linux/proc_ns.h)."""
_INITIAL_TIME: Final = "time:[4026531834]"
"""The one of clocks (PROC_TIME_INIT_INO). Another may say another moment at which a process began."""
_LOCAL: Final = frozenset(
    {"apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "overlay", "tmpfs", "xfs", "zfs"}
)
"""File systems that no two machines mount at once. Others may be shared."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine between two starts, and a namespace of processes in it. What the system does not tell is ""."""

    machine: str
    """The id of the installed system. An image of a container or of a virtual machine may give it to many."""
    boot: str
    """The id of the time since the last start. No two starts have the same."""
    namespace: str
    """The namespace of process ids, and that of clocks if it is not the machine's. A container has its own."""

    @property
    def is_contained(self) -> bool:
        """It is a container: it does not see the other processes of its machine."""
        return self.namespace not in ("", INITIAL_NAMESPACE)


@functools.cache
def this_machine() -> Machine:
    """Return where this process runs."""
    pids, clocks = _namespace("pid"), _namespace("time")
    namespace = pids if clocks in ("", _INITIAL_TIME) else f"{pids} {clocks}"
    return Machine(machine=_read(_MACHINE), boot=_read(_BOOT) or _boot_of_macos(), namespace=namespace)


def _namespace(kind: str) -> str:
    try:
        return os.readlink(_NAMESPACES / kind)
    except OSError:
        return ""


def now() -> float:
    """Return the seconds since the machine was started; where the system does not tell, the seconds since 1970."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() if clock is None else time.clock_gettime(clock)


def moment_of(wall: float) -> float:
    """Return a time of the wall clock on the scale of `now`. It is wrong if the wall clock was set since then."""
    return now() + wall - time.time()


def is_local(path: Path) -> bool:
    """Return whether no other machine sees this folder: its file system is one of a disk or of memory."""
    import psutil

    resolved = path.resolve()
    mounts = {Path(item.mountpoint): item.fstype for item in psutil.disk_partitions(all=True)}
    return next((mounts[place] for place in (resolved, *resolved.parents) if place in mounts), "") in _LOCAL


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _boot_of_macos() -> str:
    if sys.platform != "darwin":
        return ""
    command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
