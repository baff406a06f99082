"""Takes known secrets out of texts. The engine masks its own; this is for what a program or a provider quotes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

from components.secret import Secret

MASK: Final = "[secret]"
_SHORTEST: Final = 6
"""A shorter text stands in too many harmless ones: with the password `admin`, half of all names would be masked."""


class Redactor:
    """Knows secrets, whole and by line, and the forms in which tools quote them. Its `repr` shows none."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        found = {form for secret in secrets for text in _parts(secret.reveal()) for form in _forms(text)}
        # The longest first: a part of it may be a secret too.
        self._forms = sorted(found, key=lambda form: (-len(form), form))

    def text(self, text: str) -> str:
        """The same text with a mask for each known secret."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"


def _parts(secret: str) -> Iterator[str]:
    """The secret itself, and each of its lines."""
    yield from (part for part in (secret, *map(str.strip, secret.splitlines())) if len(part.strip()) >= _SHORTEST)


def _forms(text: str) -> Iterator[str]:
    """As it is, without its ends, in JSON, in Python, in a URL, in base64."""
    yield from {text, text.strip(), json.dumps(text)[1:-1], repr(text)[1:-1], quote(text), quote(text, safe="")}
    yield from {base64.b64encode(form.encode()).decode().rstrip("=") for form in (text, text.strip())}
