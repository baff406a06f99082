"""Where `automation` keeps what belongs to one checkout: an ignored folder `.dev` in the project."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from automation.errors import StackUnknown

_STACK_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Folder:
    """Paths below `<project_dir>/.dev`, or below `place`. Nothing is made by asking for a path."""

    project_dir: Path
    place: Path | None = None

    @property
    def root(self) -> Path:
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
        """Encrypts the secrets in the local backend."""
        return self.root / "passphrase"

    @property
    def cluster(self) -> Path:
        """Says which cluster this checkout created."""
        return self.root / "cluster"

    def work(self, stack: str) -> Path:
        """The engine's work directory of a stack. Raises StackUnknown where the name cannot be one."""
        name = short_name(stack)
        path = self.root / name
        if path in (self.engine, self.state, self.passphrase, self.cluster):
            raise StackUnknown(f"{name} cannot name a stack: .dev/{name} has another use", "choose another name")
        return path


def short_name(stack: str) -> str:
    """`dev` of `dev` and of `organisation/project/dev`. Raises StackUnknown where it cannot be a file name."""
    name = stack.rpartition("/")[2]
    if not _STACK_NAME.fullmatch(name):
        raise StackUnknown(
            f"expected a stack name of letters, digits, '.', '_' and '-', found {name!r}", "name one, for example dev"
        )
    return name


def write_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Replaces a file as a whole, so that no reader sees half of it. Its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_new_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Makes a file, whole from the first moment. One that is there, also by somebody's work just now, stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder) / path.name
        write_file(whole, text, mode)
        with contextlib.suppress(FileExistsError):
            os.link(whole, path)
