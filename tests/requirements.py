"""Reads the requirements files as `uv pip compile --generate-hashes` writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tests.samples import ROOT

FILES: Final = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-checkov.txt",
    "policy/requirements.txt",
    "tests/fuzz/requirements.txt",
)
"""Every file that the Makefile installs."""
OTHERS: Final = ("image/requirements-uv.txt",)
"""Files that something else installs."""
_PIN: Final = re.compile(r"([a-z0-9.-]+)==([0-9][^\s*;]*)(?: ; ([^\\]+?))?((?: --hash=sha256:[0-9a-f]{64})+)")


@dataclass(frozen=True)
class Requirement:
    """One pinned package."""

    name: str
    """The package, in lower case with hyphens."""
    version: str
    """Exactly this one."""
    marker: str
    """On which machines it is installed; empty if on all."""
    hashes: frozenset[str]
    """SHA-256 of each released file of this version."""


def read(file: str) -> list[Requirement]:
    """Return the requirements of a file. Raises ValueError for anything else in it, such as an option or a URL."""
    lines = (ROOT / file).read_text().replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        match = _PIN.fullmatch(" ".join(line.split()))
        if match is None:
            raise ValueError(f"{file}: expected NAME==VERSION with hashes, found {line[:80]!r}")
        hashes = frozenset(word.rpartition(":")[2] for word in match[4].split())
        found.append(Requirement(match[1], match[2], match[3] or "", hashes))
    return found


def pins(file: str) -> dict[str, str]:
    """Return the versions of a file by package. Of a package with several, the last one."""
    return {requirement.name: requirement.version for requirement in read(file)}
