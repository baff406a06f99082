"""Find the chart's archive or download it once, and use it only if its content is the pinned one.

The program installs from this file, not from the chart repository. So a preview works while the repository is down, an
archive that moved is found (only the newest chart stays where index.yaml points), and its content cannot be exchanged.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import pulumi

import versions
from components.release.download import fetch, sha256

ARCHIVE: Final = f"airflow-{versions.AIRFLOW_CHART}.tgz"
SOURCES: Final = (
    f"https://downloads.apache.org/airflow/helm-chart/{versions.AIRFLOW_CHART}/{ARCHIVE}",
    f"https://archive.apache.org/dist/airflow/helm-chart/{versions.AIRFLOW_CHART}/{ARCHIVE}",
)
"""Where the current release is, and where it moves when a newer one is published."""
_MODE: Final = 0o644  # a temporary file is readable only by its owner


class ChartError(pulumi.RunError):
    """The pinned chart cannot be obtained, or a file with its name has other content."""


def chart_archive(given: str, project: Path, download: Callable[[str], bytes] = fetch) -> str:
    """Return the path of the verified archive, relative to `project`, so that it is the same on every machine.

    Args:
        given: A file to use (config key `chartPath`), or "" to look for one.
        project: Folder of the program. The archive is kept in its `.charts/`, and in the user's cache for other clones.
        download: Returns the content of a URL; for tests.

    Raises:
        ChartError: If nothing with the pinned digest is found.
    """
    kept = project / ".charts" / ARCHIVE
    if given:
        _keep(_verified(_read(Path(given).expanduser())), kept)
    elif _pinned(kept) is None:
        _keep(_cached(download), kept)
    return f"./{kept.relative_to(project)}"


def user_cache() -> Path:
    """Return the folder that all clones share: `$XDG_CACHE_HOME/airflow-on-kubernetes`, or else under `~/.cache`."""
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        folder = Path(root).expanduser()
    except RuntimeError:  # a user without a home, such as any id in a container
        folder = Path(tempfile.gettempdir())
    return folder / "airflow-on-kubernetes"


def _cached(download: Callable[[str], bytes]) -> bytes:
    """Return the archive from the user's cache; download it into the cache first if it is missing."""
    cached = user_cache() / ARCHIVE
    content = _pinned(cached)
    if content is None:
        content = _verified(_downloaded(SOURCES, download))
        with contextlib.suppress(OSError):  # the home is read-only: other clones download it again
            _keep(content, cached)
    return content


def _pinned(path: Path) -> bytes | None:
    """Return the content of a file if it is the pinned one, else None."""
    content = path.read_bytes() if path.is_file() else b""
    return content if sha256(content) == versions.AIRFLOW_CHART_SHA256 else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ChartError(
            f"airflow:chartPath: expected the archive of chart {versions.AIRFLOW_CHART}, got {path}: {error.strerror}. "
            "Fix: pulumi config set --stack STACK airflow:chartPath FILE"
        ) from None


def _verified(content: bytes) -> bytes:
    found = sha256(content)
    if found != versions.AIRFLOW_CHART_SHA256:
        raise ChartError(
            f"expected the archive of chart {versions.AIRFLOW_CHART} with SHA-256 {versions.AIRFLOW_CHART_SHA256}, "
            f"got {found}. Do not use it; get the released one from {SOURCES[1]}"
        )
    return content


def _keep(content: bytes, path: Path) -> None:
    """Replace a file atomically, so that two first runs in one folder never read a half-written file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, _MODE)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _downloaded(sources: Iterable[str], download: Callable[[str], bytes]) -> bytes:
    reasons = []
    for source in sources:
        try:
            return download(source)
        except OSError as error:
            reasons.append(f"{source}: {error}")
    raise ChartError(
        f"expected to download chart {versions.AIRFLOW_CHART}, got: {'; '.join(reasons)}. "
        f"Fix: fetch {ARCHIVE} elsewhere, then `pulumi config set --stack STACK airflow:chartPath FILE`, or put "
        f"it into {user_cache()}"
    )
