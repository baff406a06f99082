"""Download a file over HTTPS, and tell what it contains by its digest."""

from __future__ import annotations

import hashlib
import urllib.request

_TIMEOUT_SECONDS = 60


def fetch(source: str) -> bytes:
    """Return the content of an HTTPS address.

    Raises OSError (`urllib.error.URLError` is one) if it cannot be had, or sends nothing for 60 seconds.
    """
    with urllib.request.urlopen(source, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - the callers' constants
        content: bytes = response.read()
    return content


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
