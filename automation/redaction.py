"""Takes known secrets out of texts. The engine masks its own; this is for what a program or a provider quotes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

from automation.masking import go_json
from components.kube.secret import Secret

MASK: Final = "[secret]"
_SHORTEST: Final = 6
"""A shorter text stands in too many harmless ones: with the password `admin`, half of all names would be masked."""


_VIOLATION: Final = re.compile(r"(violates plan: properties changed: )(.*)", re.DOTALL)
_CHANGED: Final = re.compile(r"(?:^|, )[+~=-]{1,2}([\w.$/-]+)\[")
_NAMES: Final = re.compile(r"[\w.$/-]+(, [\w.$/-]+)*")


def without_values(text: str) -> str:
    """Names alone where the engine says which properties leave a plan.

    It quotes their values there, secret ones too, which it masks everywhere else: of a Secret, the keys of a deployment
    (pulumi: pkg/resource/deploy/plan.go, checkDiff).
    """
    return _VIOLATION.sub(lambda found: f"{found[1]}{_names(found[2])}", text)


def _names(changed: str) -> str:
    """Of properties with their values; names alone stay as they are."""
    return changed if _NAMES.fullmatch(changed) else ", ".join(dict.fromkeys(_CHANGED.findall(changed)))


class Redactor:
    """Knows secrets, whole and by line, and the forms in which tools quote them. Its `repr` shows none."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        found = {form for secret in secrets for text in _parts(secret.reveal()) for form in _forms(text)}
        # The longest first: a part of it may be a secret too.
        self._forms = sorted(found, key=lambda form: (-len(form), form))

    def learning(self, secrets: Iterable[Secret]) -> Redactor:
        """One that knows more."""
        found = Redactor(secrets)
        found._forms = sorted({*self._forms, *found._forms}, key=lambda form: (-len(form), form))
        return found

    def text(self, text: str) -> str:
        """The same text with a mask for each known secret, and without what the engine should not have quoted."""
        text = without_values(text)
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"


def _parts(secret: str) -> Iterator[str]:
    """The secret itself, and each of its lines."""
    yield from (part for part in (secret, *map(str.strip, secret.splitlines())) if len(part.strip()) >= _SHORTEST)


def _forms(text: str) -> Iterator[str]:
    """As it is, without its ends, in JSON of Python and of Go, in Python, in a URL, in base64."""
    yield from {text, text.strip(), repr(text)[1:-1], quote(text), quote(text, safe="")}
    yield from {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], go_json(text)}
    yield from {base64.b64encode(form.encode()).decode().rstrip("=") for form in (text, text.strip())}
