"""One operation at a time in a folder, whichever thread or process of this machine it is of.

The engine's own lock keeps two updates of a stack apart, but not what comes before it: two of them would write each
other's config into the work directory. The lock is the system's, so that nothing is left of one whose holder is killed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from automation.wait import Clock

NAME: Final = ".lock"
_INTERVAL_SECONDS: Final = 0.2


@contextmanager
def alone_in(folder: Path, seconds: float, waiting: Callable[[], None], clock: Clock) -> Iterator[bool]:
    """Holds the lock of a folder, which is made; yields False where somebody else has it until the time is up.

    waiting: is called before each further try, and may raise.
    """
    end = clock.now() + seconds
    while (held := _tried(folder)) is None:
        if clock.now() + _INTERVAL_SECONDS > end:
            yield False
            return
        waiting()
        clock.sleep(_INTERVAL_SECONDS)
    with held:
        yield True


def _tried(folder: Path) -> IO[str] | None:
    """The open file that holds the lock, None where somebody else does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    file = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its folder may have been removed, and made anew, by who had the lock before.
        if path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            return file
    except OSError:
        pass
    file.close()
    return None
