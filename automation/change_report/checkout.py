"""One side of a comparison: a folder, or a commit in a temporary worktree."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from automation.errors import AutomationError

_SHORT: Final = 12
_SECONDS: Final = 120


class RevisionUnknown(AutomationError):  # noqa: N818 - as its siblings in `errors`
    """There is no such folder and no such commit."""


@dataclass(frozen=True)
class Checkout:
    """The program at one side of a comparison."""

    folder: Path
    """The program's folder."""
    label: str
    """What it is, in words."""


@contextmanager
def checkout(given: str, project_dir: Path) -> Iterator[Checkout]:
    """Yield the program at `given`: a folder, or a revision of `project_dir`'s repository. Raises RevisionUnknown."""
    folder = Path(given)
    if given and (folder / "Pulumi.yaml").is_file():
        yield Checkout(folder.resolve(), folder.resolve().name)
        return
    commit = _commit(given, project_dir)
    inside = _git(project_dir, "rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory(prefix="airflow-change-report-") as temporary:
        tree = Path(temporary).resolve() / "tree"
        try:
            # Without this machine's hooks, which might do anything after a checkout.
            add = ["worktree", "add", "--detach", "--quiet", str(tree), commit]
            _git(project_dir, "-c", "core.hooksPath=/dev/null", *add)
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", "") or type(error).__name__).strip().splitlines()
            raise RevisionUnknown(
                f"{given!r} cannot be checked out beside the repository ({said[-1]})", "git worktree prune"
            ) from None
        try:
            label = commit[:_SHORT] if commit.startswith(given) else f"{given} ({commit[:_SHORT]})"
            yield Checkout(tree / inside, label)
        finally:
            _git(project_dir, "worktree", "remove", "--force", str(tree))


def _commit(revision: str, project_dir: Path) -> str:
    try:
        return _git(project_dir, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except (OSError, subprocess.SubprocessError):
        raise RevisionUnknown(
            f"{revision!r} is neither a folder with a Pulumi.yaml nor a commit of the repository here",
            "name a folder, or fetch the commit first (git fetch origin REVISION)",
        ) from None


def _git(project_dir: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=project_dir, capture_output=True, text=True, timeout=_SECONDS, check=True
    )
    return done.stdout.strip()
