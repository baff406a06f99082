"""The parts of a secret, and the forms in which tools write a text: escaped, in Base64, in a URI."""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlsplit

from components.secrets.names import may_hold_secret

_GO_ESCAPES: Final = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def go_json(text: str) -> str:
    """Escape a text as Go does within JSON (`HTMLEscape` of encoding/json): the engine, Helm and Kubernetes do."""
    return json.dumps(text, ensure_ascii=False)[1:-1].translate(_GO_ESCAPES)


_OPENSSH_HEAD: Final = "BEGIN OPENSSH PRIVATE KEY"
_OPENSSH_MAGIC: Final = b"openssh-key-v1\0"
_ESCAPES: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    go_json,
    lambda text: go_json(go_json(text)),
    lambda text: quote(text, safe=""),
    lambda text: quote(text, safe="/"),
    lambda text: quote_plus(text),
    lambda text: re.sub("%..", lambda escape: escape[0].lower(), quote(text, safe="")),  # nginx and .NET
    lambda text: quote(quote(text, safe=""), safe=""),  # a URI within a URI
    lambda text: text.replace("%", "%%"),  # configparser
    lambda text: quote(text, safe="").replace("%", "%%"),
    lambda text: html.escape(text),
    lambda text: html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),  # Go, and Airflow's pages
    lambda text: repr(text)[1:-1],
    lambda text: repr(text.encode())[2:-1],  # bytes of Python
    lambda text: shlex.quote(text)[1:-1] if shlex.quote(text) != text else text,
    lambda text: text.replace("'", "''"),  # YAML, SQL
    lambda text: text.replace("+", "-").replace("/", "_"),
    lambda text: text.replace("-", "+").replace("_", "/"),
)
_NESTED: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    go_json,
)
_PLAIN: Final = re.compile(r"(?=.{1,20}$)[A-Za-z]+([ ._-]([A-Za-z]+|[0-9]+))*")
"""A word, or several: `eu-central-1`. A password of nothing but letters stands under a name that says so."""
_WORDS: Final = re.compile(r"[A-Za-z]+([ ._-]+([A-Za-z]+|[0-9]+))*")
_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_LONGEST: Final = 4096
"""A longer text is a document, and each of its forms would take as much memory again. Only its secrets are learned."""
_DEEPEST: Final = 3
"""JSON documents nested in each other. Another tool may escape each level in its own way."""


def _nested(text: str) -> set[str]:
    """Return how a text stands in JSON in JSON, up to three deep."""
    found, level = set(), {text}
    for _ in range(_DEEPEST):
        level = {escape(inner) for inner in level for escape in _NESTED}
        found |= level
    return found


def _letter_by_letter(text: str) -> Iterator[str]:
    """Yield how tools write each byte or each character of a text alone."""
    data = text.encode()
    for separator in (":", " ", "-"):  # of certificates, of hexdump, of Windows
        yield data.hex(separator)
        yield data.hex(separator).upper()
    for start in (0, 1):  # xxd writes two bytes together
        yield " ".join(data[at : at + 2].hex() for at in range(start, len(data), 2))
    units = text.encode("utf-16-be", "surrogatepass").hex()
    for digits, more in ((data.hex(), units), (data.hex().upper(), units.upper())):
        yield "".join(f"%{digits[at : at + 2]}" for at in range(0, len(digits), 2))
        yield "".join(f"\\x{digits[at : at + 2]}" for at in range(0, len(digits), 2))
        yield "".join(f"\\u{more[at : at + 4]}" for at in range(0, len(more), 4))


def secret_parts(secret: str) -> Iterator[str]:
    """Yield what is secret in a value: the body of a key's file, the texts of a JSON document, else all of it."""
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
            for name, text in _named_texts(document):
                if not _is_harmless(name, text):
                    yield from _credentials(text)
            return
    yield secret
    if "\n" in stripped:
        yield from (line.strip() for line in stripped.splitlines())
    yield from (part for part in secret.split(",") if part != secret)
    if "://" in secret:
        with contextlib.suppress(ValueError):
            yield urlsplit(secret).password or ""


def ssh_public_half(secret: str) -> bytes:
    """Return the public key in the file of an SSH private key that OpenSSH has written, b"" in any other text.

    The form is in openssh-portable, PROTOCOL.key: a magic, three strings, a number, and the public key as a string.
    """
    if _OPENSSH_HEAD not in secret:
        return b""
    with contextlib.suppress(ValueError):
        rest = base64.b64decode("".join(next(secret_parts(secret)).split()))
        if not rest.startswith(_OPENSSH_MAGIC):
            return b""
        rest = rest[len(_OPENSSH_MAGIC) :]
        for _ in range(3):
            rest = rest[4 + int.from_bytes(rest[:4], "big") :]
        return rest[8 : 8 + int.from_bytes(rest[4:8], "big")]
    return b""


def texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value, without the keys of its maps."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def _named_texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts in a value, each with the key of its map; that of a list's map for its items."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named_texts(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _named_texts(item, name)
    elif isinstance(value, str):
        yield name, value


def _is_harmless(name: str, text: str) -> bool:
    """Tell whether a text beside a secret is a word such as `require`, or a host: hidden, it would garble other texts.

    Masks of `require` in every address would tell the word, and rules about these addresses could not read them.
    """
    if may_hold_secret(name) or name == "auth":  # USER:PASSWORD of a config.json
        return False
    return bool(_PLAIN.fullmatch(text)) or (name == "host" and bool(_HOST.fullmatch(text)))


def is_words(text: str) -> bool:
    """Tell whether a text consists of words, with numbers between them at most: `airflow`, `team-secret-2`."""
    return bool(_WORDS.fullmatch(text))


def _credentials(text: str) -> Iterator[str]:
    """Yield a text of a config.json, and the password in its `auth`, which is USER:PASSWORD in Base64."""
    yield text
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return
    if ":" in decoded and decoded.isprintable():
        yield decoded.partition(":")[2]


@functools.lru_cache(maxsize=256)
def forms(text: str, shortest: int) -> frozenset[str]:
    """Return the forms of a text within other texts. shortest: characters below which a form is left out."""
    plain = {text, *(escape(text) for escape in _ESCAPES)}
    rare = {text.lower(), text.upper(), *_nested(text), *_letter_by_letter(text)} if len(text) <= _LONGEST else set()
    hexadecimal = {form.encode().hex() for form in plain}
    encoded = hexadecimal | {digits.upper() for digits in hexadecimal}
    whole = base64.b64encode(text.encode()).decode()
    encoded.add(whole.rstrip("="))
    encoded |= base64_forms(whole.encode())  # what a Secret of Kubernetes holds in Base64 is in Base64 once more
    for form in plain:
        encoded |= base64_forms(form.encode())
    return frozenset(form for form in plain | rare | encoded if len(form) >= min(shortest, len(text)))


def base64_forms(data: bytes) -> set[str]:
    """Return the characters that stand for `data` in the Base64 of anything that holds it, in both alphabets."""
    found = set()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
        # The first characters and the last one hold bits of what stands beside.
        core = encoded[(0, 2, 3)[offset] : len(encoded) - (1 if (offset + len(data)) % 3 else 0)]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return found


def replaced(text: str, spans: Iterable[tuple[int, int]], mask: Callable[[str], str]) -> str:
    """Return a text with what `mask` makes of each span. The spans are in order, and none touches another."""
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += text[at:start], mask(text[start:end])
        at = end
    return "".join((*parts, text[at:]))
