"""`make pin`: write plugins.sha256, the digest of each archive of the engine's plugins. No archive is downloaded.

GitHub computes a SHA-256 of each file of a release when it is uploaded, and its API tells it. The releases also have
files of checksums, but those of random and aws are of SHA-1 (pulumi-random: .github/workflows/publish.yml).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from automation.engine.plugins import AWS, LOCK, PLUGINS, archive, version
from components.release.download import fetch

SYSTEMS: Final = ("darwin-amd64", "darwin-arm64", "linux-amd64", "linux-arm64")
_ROOT: Final = Path(__file__).parents[2]
_API: Final = "https://api.github.com/repos/pulumi/pulumi-{name}/releases/tags/v{version}"
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_HEAD: Final = """\
# SHA-256 of each archive of the engine's plugins, in the versions of requirements.txt. `make pin` writes this file from
# what GitHub computed when the archives were uploaded; commit it. SECURITY.md says what is refused.
"""


class CannotPin(Exception):  # noqa: N818 - says what is wrong
    """GitHub does not tell a digest; the text says what it told."""


def main(root: Path = _ROOT, download: Callable[[str], bytes] = fetch) -> int:
    """Write the lock of a checkout. Return the exit code."""
    try:
        lines = [f"{digest}  {file}\n" for name in sorted((*PLUGINS, AWS)) for file, digest in _digests(name, download)]
    except (CannotPin, OSError) as error:
        print(f"error: {error}. Fix: let this machine reach api.github.com, then: make pin", file=sys.stderr)
        return 1
    (root / LOCK).write_text(_HEAD + "".join(lines), encoding="utf-8")
    print(f"{LOCK} pins {len(lines)} archives; commit it")
    return 0


def _digests(name: str, download: Callable[[str], bytes]) -> Iterator[tuple[str, str]]:
    """Yield the name and the digest of each archive of a plugin. Raises CannotPin, OSError."""
    source = _API.format(name=name, version=version(name))
    try:
        content = download(source)
    except OSError as error:
        raise CannotPin(f"{source}: {error}") from None
    digests = _assets(content)
    for system in SYSTEMS:
        file = archive(name, system)
        found = _DIGEST.fullmatch(str(digests.get(file)))
        if found is None:
            raise CannotPin(f"{source}: expected the SHA-256 of {file}, found {digests.get(file) or 'none'}")
        yield file, found[1]


def _assets(content: bytes) -> dict[str, Any]:
    """Return the digest of each file of a release, as GitHub describes it."""
    try:
        assets = json.loads(content)["assets"]
        return {str(asset["name"]): asset.get("digest") for asset in assets}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


if __name__ == "__main__":
    sys.exit(main())
