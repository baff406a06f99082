"""Recognises keys and passwords by what they are, wherever they stand in a text. Never repeats one.

A hexadecimal key cannot be told from a digest, a passphrase not from words: those are found by the name of what holds
them, which is another module's affair.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

LENGTHS: Final = (24, 40, 64, 96)
"""Characters of the generated keys and passwords (tested against components/keys/airflow_keys.py)."""

_FERNET_KEY_BYTES: Final = 32
_SHOWN_LENGTH: Final = 120
_LEAST_DIGITS: Final = 2
_LEAST_CHANGES: Final = 0.4
"""Of the steps from one character to the next, the part that changes between capitals, small letters, digits and the
rest. Random text of letters and digits has 0.6 of them, names written in CamelCase half of that."""
_LEAST_BITS: Final = 0.8
"""Of the bits a character that the length allows (its binary logarithm, at most 6). Random text has 0.85 and more."""

_PUBLIC: Final = re.compile(
    r"-----BEGIN (?P<label>CERTIFICATE|PUBLIC KEY|RSA PUBLIC KEY|X509 CRL)-----.*?-----END (?P=label)-----"
    r"|\bAAAA[A-Za-z0-9+/]{40,}={0,2}"  # an SSH public key: the length of its type comes first
    r"|\bsha(256|384|512)[:-][A-Za-z0-9+/=]{40,}",
    re.DOTALL,
)
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|PuTTY-User-Key-File-[0-9]")
_ENCODED_FILE: Final = re.compile(r"\b(LS0tLS1CRUdJTi|b3BlbnNzaC1rZXktdjE)[A-Za-z0-9+/\s]*")
_OPENSSH_KEY: Final = "b3BlbnNzaC1rZXktdjE"
_URI: Final = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:\"']*:(?P<password>[^\s/?#@\"']+)@[^\s/?#@\"']")
_PLACEHOLDER: Final = re.compile(r"\$|%\(|\{|<|\*+$|x+$|\.\.\.|…", re.IGNORECASE)
_DOCKER_AUTH: Final = re.compile(r"\"auths\"\s*:.*\"(auth|password|identitytoken)\"\s*:\s*\"[^\"]", re.DOTALL)
_JSON_MEMBER: Final = re.compile(
    r"\"(password|passwd|passphrase|token|secret|client_secret|private_key)\"\s*:\s*\"(?P<password>[^\"]+)\""
)
_TOKENS: Final = {
    # gitguardian and detect-secrets know them by the same beginnings.
    "an access key of AWS": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a token of GitHub": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
    "a token of GitLab": re.compile(r"\bgl[a-z]{1,5}-[A-Za-z0-9_-]{20,}"),
    "a token of Slack": re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    "a key of Google": re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
    "a JSON Web Token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
}
_FERNET_KEY: Final = re.compile(r"(?<![A-Za-z0-9+/=_.-])([A-Za-z0-9_-]{43}|[A-Za-z0-9+/]{43})=(?![A-Za-z0-9+/=_-])")
_WORD: Final = re.compile(r"(?<![A-Za-z0-9+/=_.-])[A-Za-z0-9+/_-]+(?![A-Za-z0-9+/=_.-])")


def key_shape(text: str) -> str | None:
    """What kind of key or password there is in the text, in words; None where none is recognised."""
    text = _PUBLIC.sub(" ", text)
    return next((name for name, found in _SHAPES.items() if found(text)), None)


def harmless(text: str) -> str:
    """A name or another text that is not meant to be secret, for a message: shortened, and left out where it is one."""
    ends = [text[match.end() :] for match in re.finditer(r"[/:@]", text)]
    if any(map(key_shape, (text, *ends, *re.split(r"[/:@]", text)))):
        return "…"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"


def looks_generated(word: str) -> bool:
    """The word has the length of a generated key, and its characters come as if by chance."""
    kinds = [_kind(character) for character in word]
    if len(word) not in LENGTHS or not {"a", "A"} <= set(kinds) or kinds.count("0") < _LEAST_DIGITS:
        return False
    changes = sum(first != second for first, second in itertools.pairwise(kinds)) / (len(word) - 1)
    return changes >= _LEAST_CHANGES and _bits(word) >= _LEAST_BITS * min(6, math.log2(len(word)))


def _kind(character: str) -> str:
    if character.isdigit():
        return "0"
    return "a" if character.islower() else "A" if character.isupper() else "-"


def _bits(word: str) -> float:
    """Shannon's entropy of one character."""
    shares = [count / len(word) for count in Counter(word).values()]
    return -sum(share * math.log2(share) for share in shares)


def _fernet_key(text: str) -> bool:
    return any(_decoded_size(match[0]) == _FERNET_KEY_BYTES for match in _FERNET_KEY.finditer(text))


def _decoded_size(word: str) -> int:
    try:
        return len(base64.urlsafe_b64decode(word.replace("+", "-").replace("/", "_")))
    except (binascii.Error, ValueError):
        return -1


def _encoded_private_key(text: str) -> bool:
    for match in _ENCODED_FILE.finditer(text):
        if match[1] == _OPENSSH_KEY:
            return True
        # The first line will do: whole groups of four characters, of which the last may be cut off.
        start = "".join(match[0].split())[:60]
        if b"PRIVATE KEY" in base64.b64decode(start[: len(start) // 4 * 4]):
            return True
    return False


def _password_in_uri(text: str) -> bool:
    return _real_password(_URI, text)


def _password_in_json(text: str) -> bool:
    return _real_password(_JSON_MEMBER, text)


def _real_password(pattern: re.Pattern[str], text: str) -> bool:
    return any(not _PLACEHOLDER.match(match["password"]) for match in pattern.finditer(text))


def _generated(text: str) -> bool:
    return any(looks_generated(match[0]) for match in _WORD.finditer(text))


_SHAPES: Final[dict[str, Callable[[str], object]]] = {
    "a private key": _PRIVATE_KEY.search,
    "a private key in Base64": _encoded_private_key,
    "a URI with a password": _password_in_uri,
    "credentials of a registry": _DOCKER_AUTH.search,
    "JSON with a password": _password_in_json,
    **{name: pattern.search for name, pattern in _TOKENS.items()},
    "a Fernet key": _fernet_key,
    "text that looks like a generated key": _generated,
}
