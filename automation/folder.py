"""The ignored folder `.dev` of a checkout: what `automation` keeps there, and one update at a time in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from automation.errors import StackUnknown, files_told, of_system
from automation.wait import Clock

LOCK_NAME: Final = ".lock"
_STACK_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST_PARTS: Final = 3
"""Organisation, project and stack (pulumi.com/docs/iac/concepts/stacks, "Fully qualified stack names")."""
_INTERVAL_SECONDS: Final = 0.2


@dataclass(frozen=True)
class LocalFolder:
    """Paths below `<project_dir>/.dev`, or below `place`. Asking for a path creates nothing."""

    project_dir: Path
    """The checkout."""
    place: Path | None = None
    """The folder in place of `.dev`."""

    @property
    def root(self) -> Path:
        """The folder itself."""
        return self.place or self.project_dir / ".dev"

    @property
    def engine(self) -> Path:
        """An engine that was downloaded."""
        return self.root / "pulumi"

    @property
    def state(self) -> Path:
        """The local backend."""
        return self.root / "state"

    @property
    def passphrase(self) -> Path:
        """The file with the passphrase of the local backend."""
        return self.root / "passphrase"

    @property
    def cluster(self) -> Path:
        """The file that says which cluster this checkout created."""
        return self.root / "cluster"

    @property
    def times(self) -> Path:
        """The folder of files that say how long the steps of each stack usually take."""
        return self.root / "times"

    def work(self, stack: str) -> Path:
        """The engine's work directory of a stack. Raises StackUnknown if its name has another use here."""
        name = short_name(stack)
        path = self.root / name
        if path in (self.engine, self.state, self.passphrase, self.cluster, self.times):
            raise StackUnknown(f"{name} cannot name a stack: .dev/{name} has another use", "choose another name")
        return path


def short_name(stack: str) -> str:
    """Return `dev` for `dev` and for `organisation/project/dev`. Raises StackUnknown if it cannot be a file name."""
    parts = stack.split("/")
    if len(parts) > _MOST_PARTS or not all(map(_STACK_NAME.fullmatch, parts)):
        from components.secrets.shapes import harmless

        found = harmless(stack)
        raise StackUnknown(
            f"expected a stack name of letters, digits, '.', '_' and '-', found {found!r}", "name one, for example dev"
        )
    return parts[-1]


def stack_file(folder: Path, stack: str) -> Path:
    """Return the path of a stack's file in a folder. Raises StackUnknown."""
    return folder / f"Pulumi.{short_name(stack)}.yaml"


def write_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file as a whole, so that no reader sees half of it. Its folder is created if it is missing.

    Raises FileUnusable.
    """
    with files_told(path):
        make_folder(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, mode)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):  # what happened first is told
                os.unlink(temporary)
            raise


def write_new_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Create a file, whole from the first moment. A file that exists stays, even if it was created just now.

    Raises FileUnusable.
    """
    make_folder(path.parent)
    with files_told(path), tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder) / path.name
        write_file(whole, text, mode)
        with contextlib.suppress(FileExistsError):
            os.link(whole, path)


def make_folder(path: Path) -> None:
    """Create a folder and those above it, if they are missing. Raises FileUnusable, which names what is in the way."""
    if path.is_dir():
        return
    in_the_way = next((place for place in (path, *path.parents) if os.path.lexists(place) and not place.is_dir()), path)
    with files_told(in_the_way):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def alone_in(folder: Path, seconds: float, waiting: Callable[[], None], clock: Clock) -> Iterator[bool]:
    """Hold the lock of a folder, which is created. Yield False if another holder has it until the time is up.

    The engine's own lock keeps two updates of a stack apart, but not what comes before it: two of them would write each
    other's config into the work directory. The lock is the system's (flock), so a killed holder leaves nothing. It
    works between threads and between processes of one machine. The library filelock would do the same; its import
    costs each preview more than these lines are worth.

    Args:
        folder: The folder.
        seconds: How long to wait for the lock.
        waiting: Called before each further try; may raise.
        clock: The clock of the wait.

    Raises:
        FileUnusable: The folder cannot be made, or no lock can be made in it.
    """
    end = clock.now() + seconds
    while (held := _try_lock(folder)) is None:
        if clock.now() + _INTERVAL_SECONDS > end:
            yield False
            return
        waiting()
        clock.sleep(_INTERVAL_SECONDS)
    with held:
        yield True


def _try_lock(folder: Path) -> IO[str] | None:
    """Return the open file that holds the lock, None if another holder has it."""
    make_folder(folder)
    path = folder / LOCK_NAME
    try:
        file = path.open("a", encoding="utf-8")
    except FileNotFoundError:
        return None  # the holder before has just removed the folder
    except OSError as error:
        raise of_system(error, path) from None
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The holder before may have removed the folder, and another may have created it again.
        if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            return file
    file.close()
    return None
