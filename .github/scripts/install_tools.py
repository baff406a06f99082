"""`install_tools.py NAME...`: download tools with the content that versions.py pins, and put them on the job's PATH.

Any other tool of this name that the runner has comes after it. Only Linux has pins.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import versions  # noqa: E402 - not found before the line above
from automation.engine.installation import Download, InstallationError, system_here, verified  # noqa: E402
from components.release.download import fetch  # noqa: E402

RELEASES: Final = "https://github.com/{}/releases/download/v{}/"
ADDRESSES: Final = {
    "actionlint": RELEASES.format("rhysd/actionlint", versions.ACTIONLINT)
    + f"actionlint_{versions.ACTIONLINT}_linux_{{}}.tar.gz",
    "helm": f"https://get.helm.sh/helm-v{versions.HELM}-linux-{{}}.tar.gz",
    "kind": RELEASES.format("kubernetes-sigs/kind", versions.KIND) + "kind-linux-{}",
    "syft": RELEASES.format("anchore/syft", versions.SYFT) + f"syft_{versions.SYFT}_linux_{{}}.tar.gz",
}
"""Where each tool is, for a processor. What is no archive is the tool itself."""


def main(
    arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ, download: Download = fetch
) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(ADDRESSES), metavar="NAME")
    args = parser.parse_args(arguments)
    folder = Path(environ["RUNNER_TEMP"]) / "tools"
    folder.mkdir(exist_ok=True)
    try:
        for name in args.names:
            source = ADDRESSES[name].format(system_here().partition("-")[2])
            if source not in versions.TOOLS_SHA256:
                raise InstallationError(f"{source}: expected a SHA-256 in TOOLS_SHA256 of versions.py, found none")
            print(source, flush=True)
            content = verified(name, [source], versions.TOOLS_SHA256[source], print, download)
            (folder / name).write_bytes(_member(content, name) if source.endswith(".tar.gz") else content)
            (folder / name).chmod(0o755)
    except InstallationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with Path(environ["GITHUB_PATH"]).open("a", encoding="utf-8") as path:
        path.write(f"{folder}\n")
    return 0


def _member(content: bytes, name: str) -> bytes:
    """Return the tool in an archive: the file of its name, in whatever folder."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        (member,) = [entry for entry in archive if entry.isfile() and Path(entry.name).name == name]
        file = archive.extractfile(member)
        assert file is not None
        return file.read()


if __name__ == "__main__":
    sys.exit(main())
