"""Sets the wall clock of a process and of all that it starts; what counts from the start of the machine goes on.

A small library in C is loaded into each of them first. So Python and the C code that it calls have one clock, as where
somebody sets that of a machine. It is not enough to set Python's: a server of gRPC, by which the engine tells its
events, hands Python's time to its C code as a moment to wait for, and with an hour more starts an hour later. The
engine itself is a Go program, which asks the kernel and keeps the machine's clock.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_SOURCE: Final = Path(__file__).with_suffix(".c")


def moved_clock(hours: float, folder: Path) -> dict[str, str]:
    """Variables of a process whose clock is set by hours. The library is kept in a folder. May skip the test."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("no clock to set: it needs Linux and the C compiler cc (Debian's package gcc)")
    library = folder / "moved_clock.so"
    if not library.exists():
        flags = ["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, str(_SOURCE), "-o", str(library), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "MOVED_CLOCK_SECONDS": str(int(hours * 3600))}
