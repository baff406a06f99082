"""Takes secrets out of what is shown, by what they are: values that are known to be secret, wherever they stand.

A mask holds a keyed digest of what it hides, so that two plans of one run can be compared without either being
readable; `without_digests` takes it out before anything is shown. What only looks like a secret is hidden too, as a
second line.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import html
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlsplit

SHOWN: Final = "[secret]"
CHANGED: Final = "[secret, changed]"
_MASK: Final = re.compile(r"\[secret:[0-9a-f]{16}\]")

_PIECE: Final = 12
"""So many characters of a secret in a row are hidden wherever they stand. Fewer would hide common words."""
_SHORTEST: Final = 6
"""A known secret of fewer characters is hidden only where it is marked as one: it could be any word."""
_SHORTEST_WRAPPED: Final = 12
"""The same for a value of which only the mark says that it is secret: a user name in a Secret is no secret."""

# Second line: what looks like a secret. Group `keep` stays; the rest is hidden.
_SHAPES: Final = (
    re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}=(?![A-Za-z0-9+/_=-])"),  # 32 bytes: a Fernet key
    re.compile(r"(?P<keep>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@'\"<>]*:)[^\s/@'\"<>]+(?=@)"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),  # a JSON Web Token
    re.compile(r"\b(?:gh[opsru]_[A-Za-z0-9]{36,}|github_pat_\w{36,}|glpat-[\w-]{20,}|(?:AKIA|ASIA)[A-Z0-9]{16})\b"),
)
# What every SSH private key begins with, and its public half too, which stands in known_hosts.
_PUBLIC: Final = (
    b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01\0\0\0",
    b"\0\0\0\x0bssh-ed25519\0\0\0 ",
    b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0",
    *(
        f"\0\0\0\x13ecdsa-sha2-{curve}\0\0\0\x08{curve}\0\0\0".encode()
        for curve in ("nistp256", "nistp384", "nistp521")
    ),
)
_PUBLIC_LINE: Final = re.compile(
    r"(?:#.*|\S+ (?:ssh-|ecdsa-|sk-)\S+ AAAA\S+(?: .*)?|-----(?:BEGIN|END) CERTIFICATE-----|[A-Za-z0-9+/=]{1,76})?"
)
"""A line of known_hosts, or of a certificate: they stand in Secrets beside a key, and are none themselves."""
_GO_ESCAPES: Final = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
_SECRET_PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes:core/v1:Secret": ("data", "stringData"),
    "aws:rds/instance:Instance": ("password",),
    "aws:secretsmanager/secretVersion:SecretVersion": ("secretString", "secretBinary"),
}
"""What is secret in a resource even where the program forgot to say so."""


class Masker:
    """Hides what it learned, and what looks like a secret. key: of the digests; one for all that is compared."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._pieces: set[str] = set()
        self._wholes: set[str] = set()
        self._by_length: list[str] = []

    def learn(self, secret: str) -> None:
        """A secret itself: it is hidden wherever it or a piece of it stands, in the usual encodings too."""
        for part in _parts(secret):
            if len(part) < _SHORTEST:
                continue
            for form in _forms(part):
                if len(part) >= _PIECE:
                    self._pieces.update(_pieces(form))
                else:
                    self._wholes.add(form)
        self._pieces -= _public_pieces()
        self.learn_wrapped(secret)

    def learn_wrapped(self, value: Any) -> None:
        """A value that the program made of secrets. It is hidden as a whole; its pieces may be anything."""
        for text in _values(value):
            if len(text) >= _SHORTEST_WRAPPED and not _is_public(text):
                self._wholes |= _forms(text)
        self._by_length = sorted(self._wholes, key=lambda whole: (len(whole), whole))

    def secret(self, value: Any) -> Any:
        """A mask for each value in what is marked as secret; the keys of maps stay."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.secret(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.secret(item) for item in value]
        return value if value is None else self._mask(json.dumps(value, sort_keys=True, default=str))

    def value(self, value: Any) -> Any:
        """A value whose texts may hold secrets."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def inputs(self, type_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Inputs of a resource, or a Kubernetes object; `type_` is Pulumi's token."""
        secret = _SECRET_PROPERTIES.get(type_, ())
        return {key: self.secret(item) if key in secret else self.value(item) for key, item in inputs.items()}

    def kubernetes_object(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """A manifest."""
        is_secret = manifest.get("kind") == "Secret" and manifest.get("apiVersion") == "v1"
        return self.inputs("kubernetes:core/v1:Secret" if is_secret else "", manifest)

    def text(self, text: str) -> str:
        """A text without what is known to be secret, or looks so."""
        for start, end in reversed(self._found(text)):
            text = f"{text[:start]}{self._mask(text[start:end])}{text[end:]}"
        for shape in _SHAPES:
            text = shape.sub(self._shape_mask, text)
        return text

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Where known secrets stand, in order, none touching another."""
        spans = []
        if self._pieces:
            spans = [
                (at, at + _PIECE) for at in range(len(text) - _PIECE + 1) if text[at : at + _PIECE] in self._pieces
            ]
        for whole in self._by_length:
            if len(whole) > len(text):
                break
            at = text.find(whole)
            while at >= 0:
                spans.append((at, at + len(whole)))
                at = text.find(whole, at + len(whole))
        joined: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((start, end))
        return joined

    def _shape_mask(self, match: re.Match[str]) -> str:
        keep = match.groupdict().get("keep") or ""
        hidden = match.group()[len(keep) :]
        return match.group() if _MASK.fullmatch(hidden) else f"{keep}{self._mask(hidden)}"

    def _mask(self, hidden: str) -> str:
        return f"[secret:{hmac.new(self._key, hidden.encode(), hashlib.sha256).hexdigest()[:16]}]"


def masks(value: Any) -> frozenset[str]:
    """The masks in a value."""
    return frozenset(mask for text in _leaves(value) for mask in _MASK.findall(text))


def without_digests(value: Any, unchanged: frozenset[str] | None = None) -> Any:
    """A value as it may be shown. unchanged: masks of what it is compared with; another one is said to have changed."""
    if isinstance(value, Mapping):
        return {without_digests(key, unchanged): without_digests(item, unchanged) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_digests(item, unchanged) for item in value]
    if isinstance(value, str):
        return _MASK.sub(lambda mask: SHOWN if unchanged is None or mask.group() in unchanged else CHANGED, value)
    return value


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str):
        yield value


def _is_public(text: str) -> bool:
    """Host keys or certificates: every line is one's, and there is more than base64 alone."""
    lines = text.strip().splitlines()
    return ("AAAA" in text or "BEGIN CERTIFICATE" in text) and all(_PUBLIC_LINE.fullmatch(line) for line in lines)


def _parts(secret: str) -> Iterator[str]:
    """What is secret in a value: of a key's file or a config.json the parts that are, else the whole."""
    stripped = secret.strip()
    if "-----BEGIN" in stripped:
        lines = [line.strip() for line in re.sub(r"-----[A-Z0-9 ]+-----", "\n", stripped).splitlines()]
        yield "".join(lines)
        yield from lines
        return
    if stripped.startswith(("{", "[")):
        try:
            document = json.loads(stripped)
        except ValueError:
            pass
        else:
            for leaf in _values(document):
                yield from _credentials(leaf)
            return
    yield secret
    if "\n" in stripped:
        yield from (line.strip() for line in stripped.splitlines())
    yield from (part for part in secret.split(",") if part != secret)
    if "://" in secret:
        with contextlib.suppress(ValueError):
            yield urlsplit(secret).password or ""


def _values(document: Any) -> Iterator[str]:
    """The texts in a value, without the keys of its maps."""
    if isinstance(document, Mapping):
        for item in document.values():
            yield from _values(item)
    elif isinstance(document, list | tuple):
        for item in document:
            yield from _values(item)
    elif isinstance(document, str):
        yield document


def _credentials(leaf: str) -> Iterator[str]:
    """A text of a config.json, and what `auth` there holds: base64 of USER:PASSWORD."""
    yield leaf
    try:
        decoded = base64.b64decode(leaf, validate=True).decode()
    except ValueError:
        return
    if ":" in decoded and decoded.isprintable():
        yield decoded.partition(":")[2]


def _forms(text: str) -> set[str]:
    """A text as it may stand within others: escaped or encoded."""
    escapes: tuple[Callable[[str], str], ...] = (
        lambda given: json.dumps(given)[1:-1],
        lambda given: json.dumps(given, ensure_ascii=False)[1:-1],
        lambda given: json.dumps(json.dumps(given)[1:-1])[1:-1],
        go_json,
        lambda given: go_json(go_json(given)),
        lambda given: quote(given, safe=""),
        lambda given: quote(given, safe="/"),
        lambda given: quote_plus(given),
        lambda given: given.replace("%", "%%"),  # configparser
        lambda given: quote(given, safe="").replace("%", "%%"),
        lambda given: html.escape(given),
        lambda given: repr(given)[1:-1],
        lambda given: shlex.quote(given)[1:-1] if shlex.quote(given) != given else given,
        lambda given: given.replace("'", "''"),  # YAML, SQL
        lambda given: given.replace("+", "-").replace("/", "_"),
        lambda given: given.replace("-", "+").replace("_", "/"),
    )
    plain = {text, *(escape(text) for escape in escapes)}
    encoded = {form.encode().hex() for form in plain}
    for form in plain:
        encoded |= _base64_forms(form.encode())
    return {form for form in plain | encoded if len(form) >= min(_SHORTEST, len(text))}


def go_json(text: str) -> str:
    """A text within JSON as Go writes it (`HTMLEscape` of encoding/json): the engine, Helm and Kubernetes do."""
    return json.dumps(text, ensure_ascii=False)[1:-1].translate(_GO_ESCAPES)


def _base64_forms(data: bytes) -> set[str]:
    """The characters that stand for `data` in base64 of anything that holds it, in both alphabets."""
    found = set()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
        # The first characters and the last one hold bits of what stands beside.
        core = encoded[(0, 2, 3)[offset] : len(encoded) - (1 if (offset + len(data)) % 3 else 0)]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return found


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + _PIECE] for at in range(len(text) - _PIECE + 1))


def _public_pieces() -> set[str]:
    return {piece for public in _PUBLIC for form in _base64_forms(public) for piece in _pieces(form)}


def learned(key: bytes, secrets: Iterable[str]) -> Masker:
    """A masker that knows these secrets."""
    masker = Masker(key)
    for secret in secrets:
        masker.learn(secret)
    return masker
