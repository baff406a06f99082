"""What is downloaded arrives whole, and each part is told."""

from __future__ import annotations

import hashlib
import io
import urllib.request
from email.message import Message
from typing import Any

import pytest

from components.release.download import fetch, sha256


class _Response(io.BytesIO):
    def __init__(self, content: bytes, length: str | None) -> None:
        super().__init__(content)
        self.headers = Message()
        if length is not None:
            self.headers["Content-Length"] = length


def test_content_arrives_whole_and_each_part_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 10_000
    for length, whole in ((str(len(content)), len(content)), (None, 0)):

        def urlopen(source: str, timeout: float, length: str | None = length) -> Any:
            return _Response(content, length)

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        told: list[tuple[int, int]] = []
        assert fetch("https://x", lambda done, whole: told.append((done, whole))) == content  # noqa: B023
        assert told == [(2**20, whole), (2**21, whole), (len(content), whole)]
    assert sha256(content) == hashlib.sha256(content).hexdigest()
