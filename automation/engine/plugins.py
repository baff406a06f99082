"""The engine's provider plugins: only those that the stack's program uses, with the content that `plugins.sha256` pins.

Without this module, the engine would download a plugin for every provider package that is installed next to the
program. For a stack on a laptop that includes pulumi-aws: hundreds of megabytes that it never uses.

The engine could compare a digest too (`plugin install --checksum`). But over HTTP/1.1 it leaves out the last bytes, so
that it refuses the right archive, and takes one with bytes behind it (pulumi 3.259.0:
sdk/go/common/workspace/plugins.go, `checksumReader`). So the archive is downloaded and compared here, and the engine
gets the file.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from automation.engine.installation import Download, InstallationError, system_here, verified
from components.release.download import fetch
from settings import PROJECT

PLUGINS: Final = ("kubernetes", "random")
"""The plugins that every stack uses."""
AWS: Final = "aws"
LOCK: Final = "plugins.sha256"
"""Name of the file with a digest for each archive, in the format of `sha256sum`."""
PIN: Final = "make pin"
"""The command that writes it."""
ENVIRONMENT: Final = {"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}
"""Tells the engine to download nothing by itself."""
PARALLEL: Final = "PULUMI_PARALLEL"
_STEPS_AT_ONCE: Final = 32
_STEPS_FOR_EACH_CORE: Final = 4

_ROOT: Final = Path(__file__).parents[2]
_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S+)")
_MIRRORS: Final = "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"
_ELSEWHERE: Final = "https://get.pulumi.com/releases/plugins"

Run = Callable[[list[str]], object]
"""Runs the engine with these words. Raises CommandError."""


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a command of the engine in an environment, which wins where it says how many steps.

    By itself the engine does four steps at once for each core (pulumi: pkg/cmd/pulumi/operations/up.go), because it
    takes them for work. Here they wait: for pods of checks, for a database, for objects to be gone. On two cores, four
    such waits hold up half of the others.
    """
    steps = max(_STEPS_AT_ONCE, _STEPS_FOR_EACH_CORE * (os.cpu_count() or 1))
    return {**ENVIRONMENT, PARALLEL: environ.get(PARALLEL) or str(steps)}


def plugins_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the plugins that a stack uses. `config` is that of its file, by full key."""
    return (*PLUGINS, AWS) if config.get(f"{PROJECT}:eksCluster") else PLUGINS


def version(name: str) -> str:
    """Return the version of a plugin: that of its package."""
    return metadata.version(f"pulumi-{name}")


def archive(name: str, system: str) -> str:
    """Return the file name of a plugin's archive for a system such as linux-amd64."""
    return f"pulumi-resource-{name}-v{version(name)}-{system}.tar.gz"


def missing(names: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the plugins that are not in the engine's folder (pulumi: sdk/go/common/workspace/plugins.go)."""
    home = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    folders = {name: home / f"resource-{name}-v{version(name)}" for name in names}
    return tuple(
        name
        for name, folder in folders.items()
        if not folder.is_dir() or folder.with_name(f"{folder.name}.partial").exists()
    )


def pinned(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each archive in the lock of a checkout, by name. Raises InstallationError."""
    path = root / LOCK
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = {number: _LINE.fullmatch(line) for number, line in enumerate(lines, 1) if not line.startswith("#")}
    if wrong := [number for number, match in found.items() if match is None]:
        raise InstallationError(
            f"{LOCK}, line {wrong[0]}: expected a SHA-256, two spaces and the name of an archive, found something "
            f"else. Fix: {PIN}"
        )
    return {match[2]: match[1] for match in found.values() if match}


def install_plugins(
    run: Run,
    names: Iterable[str],
    on_line: Callable[[str], None],
    *,
    unverified: bool = True,
    root: Path = _ROOT,
    environ: Mapping[str, str] = os.environ,
    download: Download = fetch,
) -> None:
    """Install plugins in the versions of the installed packages. Those that the lock pins replace what is there.

    Args:
        run: Runs the engine.
        names: The plugins.
        on_line: Receives a line for each.
        unverified: Let the engine download, unverified, what the lock does not pin; otherwise install nothing then.
        root: Folder of the lock.
        environ: May name a mirror, as the engine understands it.
        download: Downloads; for tests.

    Raises:
        InstallationError: What is pinned cannot be downloaded, or has other content; or a plugin is not pinned.
        CommandError: The engine cannot install one.
    """
    system = system_here()
    digests = pinned(root)
    files = {name: archive(name, system) for name in names}
    absent = [file for file in files.values() if file not in digests]
    if absent and not unverified:
        lacking = ", ".join(absent)
        raise InstallationError(f"{LOCK}: expected a line for {lacking}, found none. Fix: {PIN}, and commit the file")
    for name, file in files.items():
        told = f"{name} {version(name)}"
        command = ["plugin", "install", "resource", name, f"v{version(name)}"]
        if file in absent:
            on_line(f"installing the engine's plugin {told} unverified, because {LOCK} does not pin it ({PIN} would)")
            run(command)
            continue
        on_line(f"installing the engine's plugin {told}")
        content = verified(f"the plugin {told}", _sources(name, system, environ), digests[file], on_line, download)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file
            path.write_bytes(content)
            run([*command, "--file", str(path), "--reinstall"])


def _sources(name: str, system: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield where the engine would look for an archive: on GitHub, then elsewhere; or only in its user's mirror."""
    release = f"https://github.com/pulumi/pulumi-{name}/releases/download/v{version(name)}"
    known = {f"github://api.github.com/pulumi/pulumi-{name}": release, _ELSEWHERE: _ELSEWHERE}
    kernel, _, processor = system.partition("-")
    parts = {"NAME": name, "VERSION": version(name), "OS": kernel, "ARCH": processor}
    for place, usual in known.items():
        mirror = _mirror(place, parts, environ.get(_MIRRORS, ""))
        yield f"{mirror or usual}/{archive(name, system)}"
        if mirror:
            return


def _mirror(place: str, parts: Mapping[str, str], mirrors: str) -> str:
    """Return the mirror of a place, "" if it has none. `mirrors` are pairs of a pattern and an address: P=URL,P=URL."""
    for pattern, _, address in (pair.partition("=") for pair in filter(None, mirrors.split(","))):
        try:
            found = re.search(pattern, place)
        except re.error as error:
            raise InstallationError(f"{_MIRRORS}: expected regular expressions, found one with {error}") from None
        if found:
            filled = _filled(address, found, parts)
            if "@" in urlsplit(filled).netloc:
                raise InstallationError(f"{_MIRRORS}: expected mirrors without a login, found one with it, not shown")
            return filled
    return ""


def _filled(address: str, found: re.Match[str], parts: Mapping[str, str]) -> str:
    """Return a mirror's address with the groups of its pattern in place of $1 and ${name}."""
    groups = {str(number): text or "" for number, text in enumerate((found[0], *found.groups()))}
    known = {**groups, **found.groupdict(), **parts}
    return re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1]) or match[0], address).rstrip("/")
