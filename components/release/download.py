"""Download a file over HTTPS, and tell what it contains by its digest."""

from __future__ import annotations

import hashlib
import io
import urllib.request
from collections.abc import Callable

_TIMEOUT_SECONDS = 60
_PART_BYTES = 2**20


OnPart = Callable[[int, int], None]
"""Is told how many bytes are there, and how many there will be; 0 if the server does not say."""


def fetch(source: str, on_part: OnPart = lambda done, whole: None) -> bytes:
    """Return the content of an HTTPS address. `on_part` is called after each part of it.

    Raises OSError (`urllib.error.URLError` is one) if it cannot be had, or sends nothing for 60 seconds.
    """
    content = io.BytesIO()
    with urllib.request.urlopen(source, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - the callers' constants
        whole = int(response.headers.get("Content-Length") or 0)
        while part := response.read(_PART_BYTES):
            content.write(part)
            on_part(content.tell(), whole)
    return content.getvalue()


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
