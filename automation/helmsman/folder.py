"""The folder that an export writes. A file that no export wrote is never lost."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from automation.errors import AutomationError
from automation.helmsman.names import FILES, MARK


class FolderRefused(AutomationError):  # noqa: N818 - as its siblings in `errors`
    """The folder holds a file that no export wrote."""


def write_folder(folder: Path, texts: Mapping[str, str]) -> None:
    """Make the folder, or replace it as a whole.

    Args:
        texts: Text by file name.

    Raises:
        FolderRefused: The folder holds a file that no export wrote.
    """
    folder = folder.resolve()
    if foreign := _foreign(folder):
        raise FolderRefused(
            f"expected no folder {folder.name}, or one of an earlier export; found {', '.join(foreign)}",
            "give another folder with --output, or move those files away",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # On the same file system as the folder, so that a rename can replace it.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        new.mkdir()
        for name, text in texts.items():
            (new / name).write_text(text, encoding="utf-8")
        if not folder.exists():
            new.rename(folder)
            return
        shutil.copymode(folder, new)
        folder.rename(old)
        try:
            new.rename(folder)
        except BaseException:
            old.rename(folder)
            raise


def _foreign(folder: Path) -> list[str]:
    """Return the names in the folder that no export wrote, or the name of a file in its place."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        return [f"a file {folder.name}"]
    return sorted(path.name for path in folder.iterdir() if not _is_exported(path))


def _is_exported(path: Path) -> bool:
    if path.name not in FILES or path.is_symlink() or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(len(MARK)) == MARK
