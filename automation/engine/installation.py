"""Downloads what the engine consists of, takes it only with the pinned SHA-256, and installs the pinned `pulumi`."""

from __future__ import annotations

import io
import platform
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import versions
from components.release.download import OnPart, fetch, sha256

_SOURCE: Final = f"https://github.com/pulumi/pulumi/releases/download/v{versions.PULUMI_CLI}"
_PROCESSORS: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_PROCESSORS_OF_GO: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_ROOT_IN_ARCHIVE: Final = "pulumi"
_TELL_SECONDS: Final = 10.0


Download = Callable[[str, OnPart], bytes]
"""Returns the content of a URL."""


class InstallationError(Exception):
    """The engine, or a plugin of it, cannot be installed. The text is the reason."""


def install(root: Path, on_line: Callable[[str], None] = lambda line: None, download: Download = fetch) -> None:
    """Put exactly `versions.PULUMI_CLI` into `root/bin`, in place of what is there. Nothing unverified is unpacked.

    Args:
        root: Folder of the installation; made if it is missing.
        on_line: Is told how far a slow download is, every ten seconds.
        download: Downloads; for tests.

    Raises:
        InstallationError: If there is no release for this machine, it cannot be downloaded, or its content is another.
        OSError: If the folder cannot be written.
    """
    name = _archive(platform.system(), platform.machine())
    pinned = versions.PULUMI_CLI_SHA256[name]
    content = verified(f"Pulumi {versions.PULUMI_CLI}", [f"{_SOURCE}/{name}"], pinned, on_line, download)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            # A Python before 3.11.4 has no such filter; the content is the pinned one anyway.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(folder)  # noqa: S202 - the pinned content
        shutil.rmtree(root / "bin", ignore_errors=True)
        (Path(folder) / _ROOT_IN_ARCHIVE).rename(root / "bin")


def verified(
    what: str, sources: Iterable[str], pinned: str, on_line: Callable[[str], None], download: Download
) -> bytes:
    """Return the content of the first address that answers. Raises InstallationError if it is not the pinned one.

    Args:
        what: The name for lines about a slow download.
        sources: Addresses of the same file.
        pinned: Its SHA-256, in hexadecimal digits.
        on_line: Receives the lines.
        download: Downloads.
    """
    reasons = []
    for source in sources:
        try:
            content = download(source, _told(what, on_line))
        except OSError as error:
            reasons.append(f"{source}: {error}")
            continue
        found = sha256(content)
        if found != pinned:
            raise InstallationError(f"{source}: expected SHA-256 {pinned}, got {found}")
        return content
    raise InstallationError("; ".join(reasons))


def _told(what: str, on_line: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> OnPart:
    """Return what tells a line at most every ten seconds."""
    last = now()

    def on_part(done: int, whole: int) -> None:
        nonlocal last
        if now() - last >= _TELL_SECONDS:
            last = now()
            of = f" of {whole >> 20}" if whole else ""
            on_line(f"downloading {what}: {done >> 20}{of} MiB")

    return on_part


def system_here() -> str:
    """Return the system of this machine as programs in Go name it, such as linux-amd64."""
    processor = platform.machine().lower()
    return f"{platform.system().lower()}-{_PROCESSORS_OF_GO.get(processor, processor)}"


def _archive(system: str, machine: str) -> str:
    """Return the name of the archive for an operating system and a processor, as Python's `platform` names them."""
    processor = _PROCESSORS.get(machine.lower(), machine)
    name = f"pulumi-v{versions.PULUMI_CLI}-{system.lower()}-{processor}.tar.gz"
    if name not in versions.PULUMI_CLI_SHA256:
        raise InstallationError(f"no release for {system} on {machine} is pinned in versions.py")
    return name
