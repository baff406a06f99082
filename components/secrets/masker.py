"""Masks secrets in everything that is shown: known secrets, and texts that look like one.

With a key, a mask holds a keyed digest of what it hides, so that two plans can be compared without either being
readable; `without_digests` removes it before anything is shown.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from components.secrets.encodings import replaced, texts
from components.secrets.learned import PIECE, SHORTEST, Learned, cuts, learned, pieces, shown_forms
from components.secrets.names import is_given, is_secret_option, secret_keys
from components.secrets.plan_violation import without_values
from components.secrets.shapes import hide

SHOWN: Final = "[secret]"
CHANGED: Final = "[secret, changed]"
_MASK: Final = re.compile(r"(\[secret(?::[0-9a-f]{16}|, changed)?\])")
_DIGEST: Final = re.compile(r"\[secret:[0-9a-f]{16}\]")

_SHORTEST_WRAPPED: Final = 12
"""A value that only its mark calls secret is not hidden elsewhere if it is shorter: a user name is no secret."""

_PUBLIC_LINE: Final = re.compile(
    r"(?:#.*|\S+ (?:ssh-|ecdsa-|sk-)\S+ AAAA\S+(?: .*)?|-----(?:BEGIN|END) CERTIFICATE-----|[A-Za-z0-9+/=]{1,76})?"
)
"""A line of known_hosts, or of a certificate: they stand in Secrets beside a key, and are none themselves."""
_SECRET_PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes:core/v1:Secret": ("data", "stringData"),
    "aws:rds/instance:Instance": ("password",),
    "aws:secretsmanager/secretVersion:SecretVersion": ("secretString", "secretBinary"),
}
"""What is secret in a resource even where the program forgot to say so."""


class Masker:
    """Hides what it learned, and what looks like a secret.

    Args:
        key: Key of the digests in masks, the same for everything that is compared. Without one, masks hold no digests.
        secrets: What it knows from the beginning.
    """

    def __init__(self, key: bytes | None = None, secrets: Iterable[str] = ()) -> None:
        self._key = key
        self._public: set[str] = set()
        self._marks: set[str] = set()
        self._unread: set[Learned] = set()
        self._pieces: set[str] = set()
        self._wholes: set[str] = set()
        self._by_beginning: dict[str, tuple[str, ...]] = {}
        for secret in secrets:
            self.learn(secret)

    def knowing(self, secrets: Iterable[str]) -> Masker:
        """Return a masker that knows more."""
        other = copy.copy(self)
        other._public, other._marks, other._unread = set(self._public), set(self._marks), set(self._unread)
        other._pieces, other._wholes = set(self._pieces), set(self._wholes)
        other._by_beginning = {**self._by_beginning}
        for secret in secrets:
            other.learn(secret)
        return other

    def learn(self, secret: str) -> None:
        """Learn a secret. It is hidden wherever it, a line or a piece of it stands, in the usual encodings too."""
        found = learned(secret)
        self._public |= found.public
        self._pieces -= found.public
        self._add(found)

    def learn_wrapped(self, value: Any) -> None:
        """Learn a value that the program made of secrets. It is hidden as a whole; its pieces may be anything."""
        for text in texts(value):
            if len(text) >= _SHORTEST_WRAPPED and not _is_public(text):
                self._add(Learned(wholes=frozenset(shown_forms(text, self._hides))))

    def _add(self, found: Learned) -> None:
        self._marks |= found.marks
        self._unread.add(found)

    def _read(self, marks: set[str]) -> None:
        """Take in what has one of the marks: most secrets stand in no text."""
        for found in [found for found in self._unread if not found.marks.isdisjoint(marks)]:
            self._unread.remove(found)
            self._pieces |= found.pieces - self._public
            for whole in found.wholes - self._wholes:
                beginning = whole[:SHORTEST]
                self._by_beginning[beginning] = (*self._by_beginning.get(beginning, ()), whole)
            self._wholes |= found.wholes

    def _hides(self, text: str) -> bool:
        """Tell whether known pieces hide all of a text."""
        for part in (text[:PIECE], text):
            self._read(self._marks.intersection(cuts(part)))
            if not self._pieces.issuperset(pieces(part)):
                return False
        return True

    def secret(self, value: Any) -> Any:
        """Return a value that is marked as secret with a mask for each text and number; the keys of maps stay."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.secret(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.secret(item) for item in value]
        if value is None or (isinstance(value, str) and _MASK.fullmatch(value)):
            return value
        return self._mask(json.dumps(value, sort_keys=True, default=str))

    def value(self, value: Any) -> Any:
        """Return a value without the secrets in its texts, and with masks for what is secret by its name."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            named = secret_keys(value)
            return {
                self.text(str(key)): self.secret(item) if key in named else self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            # A command's arguments: the password comes after `--password`.
            after_option = [False, *(isinstance(item, str) and is_secret_option(item) for item in value)]
            return [
                self.secret(item) if after and is_given(item) else self.value(item)
                for after, item in zip(after_option, value, strict=False)
            ]
        return value

    def inputs(self, type_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Mask the inputs of a resource, or a Kubernetes object. type_: Pulumi's token."""
        secret = _SECRET_PROPERTIES.get(type_, ())
        marked = {key: self.secret(item) for key, item in inputs.items() if key in secret}
        masked: dict[str, Any] = self.value({key: item for key, item in inputs.items() if key not in secret})
        return {key: marked[key] if key in marked else masked[self.text(str(key))] for key in inputs}

    def kubernetes_object(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Mask a manifest."""
        is_secret = manifest.get("kind") == "Secret" and manifest.get("apiVersion") == "v1"
        return self.inputs("kubernetes:core/v1:Secret" if is_secret else "", manifest)

    def text(self, text: str) -> str:
        """Return a text without what is known to be secret, and without what looks like a secret."""
        # A mask is not looked into: a secret could be a part of its own words.
        parts = _MASK.split(without_values(text))
        return "".join(part if at % 2 else self._known_hidden(part) for at, part in enumerate(parts))

    def _known_hidden(self, text: str) -> str:
        text = replaced(text, self._known(text), self._mask)
        return hide(text, lambda secret: secret if _MASK.search(secret) else self._mask(secret))

    def _known(self, text: str) -> list[tuple[int, int]]:
        """Return where known secrets stand, in order, none touching another."""
        marks = self._marks
        marked = marks and [at for at in range(len(text) - SHORTEST + 1) if text[at : at + SHORTEST] in marks]
        if not marked:
            return []
        if self._unread:
            self._read({text[at : at + SHORTEST] for at in marked})
        # A piece holds a mark, which is half of it at most. A whole begins with one.
        first = max(0, marked[0] + SHORTEST - PIECE)
        spans = [(at, at + PIECE) for at in range(first, marked[-1] + 1) if text[at : at + PIECE] in self._pieces]
        for at in marked:
            found = self._by_beginning.get(text[at : at + SHORTEST], ())
            spans += [(at, at + len(whole)) for whole in found if text.startswith(whole, at)]
        joined: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((start, end))
        return joined

    def _mask(self, hidden: str) -> str:
        if self._key is None:
            return SHOWN
        return f"[secret:{hmac.new(self._key, hidden.encode(), hashlib.sha256).hexdigest()[:16]}]"


def masks(value: Any) -> frozenset[str]:
    """Return the masks with digests in a value."""
    return frozenset(mask for text in _texts_and_keys(value) for mask in _DIGEST.findall(text))


def without_digests(value: Any, unchanged: frozenset[str] | None = None) -> Any:
    """Return a value as it may be shown.

    Args:
        value: What a masker with a key has masked.
        unchanged: Masks of what it is compared with; another mask is said to have changed.
    """
    if isinstance(value, Mapping):
        return {without_digests(key, unchanged): without_digests(item, unchanged) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_digests(item, unchanged) for item in value]
    if isinstance(value, str):
        return _DIGEST.sub(lambda mask: SHOWN if unchanged is None or mask.group() in unchanged else CHANGED, value)
    return value


def _texts_and_keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts_and_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts_and_keys(item)
    elif isinstance(value, str):
        yield value


def _is_public(text: str) -> bool:
    """Tell whether a text is host keys or certificates: every line is one's, and there is more than Base64 alone."""
    lines = text.strip().splitlines()
    return ("AAAA" in text or "BEGIN CERTIFICATE" in text) and all(_PUBLIC_LINE.fullmatch(line) for line in lines)
