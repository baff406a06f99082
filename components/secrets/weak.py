"""Recognises secrets that are easy to guess: one repeated character, blanks, and common words."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

_WORDS: Final = frozenset(
    (
        *("admin", "administrator", "airflow", "apache", "astronomer", "changeit", "changeme", "default", "demo"),
        *("example", "fernet", "foobar", "guest", "hello", "jwt", "key", "letmein", "login", "master", "postgres"),
        *("postgresql", "password", "passw0rd", "pass", "passwd", "p@ssw0rd", "placeholder", "production", "qwerty"),
        *("redis", "root", "sample", "secret", "secretkey", "string", "supersecret", "temp", "test", "todo", "token"),
        *("user", "value", "welcome", "abc", "abcd", "xyz", "iloveyou", "thisisasecret", "mysecret", "mysecretkey"),
        *("mypassword", "replaceme", "insecure", "none", "null"),
    )
)
"""Words that stand in tutorials and charts, and the first entries of lists of common passwords
(github.com/danielmiessler/SecLists, Passwords/Common-Credentials)."""
_SEQUENCES: Final = ("0123456789" * 10, "abcdefghijklmnopqrstuvwxyz" * 4, "1234567890" * 10)
_FEW: Final = 2
"""A longer secret has more different characters than this."""


def weakness(secret: str) -> str | None:
    """Return what makes a secret easy to guess, without a part of it; None for one that looks random."""
    if not secret.strip():
        return "blanks only"
    if len(set(secret)) == 1:
        return "one repeated character"
    plain = re.sub(r"[\W_]+", "", secret.lower())
    letters = plain.strip("0123456789")
    if plain in _WORDS or letters in _WORDS or _is_repeated_word(letters) or _is_repeated_word(plain):
        return "a common word"
    if len(set(secret)) <= _FEW:
        return "two characters in turn"
    if any(plain in sequence for sequence in _SEQUENCES):
        return "a row of digits or letters"
    return None


def fernet_weakness(keys: str) -> str | None:
    """Return what makes one of several Fernet keys with commas easy to guess, or None."""
    for key in keys.split(","):
        try:
            content = base64.b64decode(key.encode(), altchars=b"-_")
        except (binascii.Error, ValueError):
            continue
        if len(set(content)) == 1:
            return "a key of one repeated byte"
        if content.isascii() and (found := weakness(content.decode())):
            return f"a key of {found}"
    return None


def _is_repeated_word(text: str) -> bool:
    """Return whether a text is one of the words several times over."""
    for size in range(3, len(text) // 2 + 1):
        if len(text) % size == 0 and text[:size] in _WORDS and text == text[:size] * (len(text) // size):
            return True
    return any(
        text == a + b for a, b in ((text[:cut], text[cut:]) for cut in range(3, len(text) - 2)) if {a, b} <= _WORDS
    )
