"""Measure wall time, processor time and peak memory of what a function starts."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator

_INTERVAL_SECONDS = 0.05
_MIB = 2**20


def seconds(action: Callable[[], object]) -> float:
    """Return the wall time of an action."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def processor_seconds(action: Callable[[], object]) -> float:
    """Return the time on all cores of the processes that an action started and that have ended."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def peak_memory(action: Callable[[], object]) -> float | None:
    """Return the peak memory, in MiB, of all processes that an action starts; None where there is no /proc.

    The resident set sizes are summed every 50 ms. Pages that processes share are counted in each.
    """
    if not os.path.isdir("/proc/self/task"):
        action()
        return None
    peak, ended = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not ended.wait(_INTERVAL_SECONDS):
            peak = max(peak, resident_bytes_below(os.getpid()))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        action()
    finally:
        ended.set()
        sampler.join()
    return peak / _MIB


def resident_bytes_below(pid: int) -> int:
    """Return the resident set sizes of all processes that a process started, directly or not."""
    return sum(map(resident_bytes, _descendants(pid)))


def _descendants(pid: int) -> Iterator[int]:
    """Yield the children of a process, theirs, and so on. A process that ends meanwhile has none."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        for child in _read(f"/proc/{pid}/task/{thread}/children").split():
            yield int(child)
            yield from _descendants(int(child))


def resident_bytes(pid: int) -> int:
    """Return the resident set size of a process, 0 where it has ended or there is no /proc."""
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def _read(path: str) -> str:
    """Return the content of a file of /proc, or "" where its process has ended."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
