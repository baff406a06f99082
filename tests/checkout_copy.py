"""A copy of this checkout, in which verbs of the command line and the library can be tried."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.samples import ROOT


def copy_checkout(folder: Path) -> None:
    """Copy what is committed and the chart's archive into a folder, and link the environment."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    for path in folder.glob("requirements*.txt"):
        os.utime(path, (0, 0))  # older than the environment: make installs nothing
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    if (ROOT / ".charts").is_dir():
        shutil.copytree(ROOT / ".charts", folder / ".charts")
