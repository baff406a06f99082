"""Recognises secrets that are easy to guess: short ones, one repeated character, blanks, and common words."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

_WORDS: Final = frozenset(
    (
        *("admin", "administrator", "airflow", "apache", "astronomer", "changeit", "changeme", "default", "demo"),
        *("example", "fernet", "foobar", "guest", "hello", "jwt", "key", "letmein", "login", "master", "postgres"),
        *("postgresql", "password", "pass", "passwd", "placeholder", "production", "qwerty"),
        *("redis", "root", "sample", "secret", "secretkey", "string", "supersecret", "temp", "test", "todo", "token"),
        *("user", "value", "welcome", "abc", "abcd", "xyz", "iloveyou", "thisisasecret", "mysecret", "mysecretkey"),
        *("mypassword", "replaceme", "insecure", "none", "null"),
    )
)
"""Words that stand in tutorials and charts, and the first entries of lists of common passwords
(github.com/danielmiessler/SecLists, Passwords/Common-Credentials)."""
_LONGEST: Final = max(map(len, _WORDS))
_BETWEEN: Final = frozenset(
    (
        *("a", "app", "change", "db", "dev", "for", "here", "is", "me", "my", "now", "our", "please", "prod"),
        *("stage", "staging", "the", "this", "to", "your"),
    )
)
"""What stands beside those words: `prod-airflow`, `change-me-please`."""
_LOOKALIKES: Final = str.maketrans("@4031!$57", "aaoeiisst")
_SEQUENCES: Final = (
    *("0123456789" * 10, "abcdefghijklmnopqrstuvwxyz" * 4, "1234567890" * 10),
    *("qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertyuiopasdfghjklzxcvbnm"),
)
_LEAST_LETTERS: Final = 4
_LEAST: Final = 6
"""A shorter secret is soon tried, and a masker does not look for it in texts: it could be any word."""
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
    inner = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", secret.lower())
    folded = re.sub(r"[\W\d_]+", "", inner.translate(_LOOKALIKES))
    if any(map(_is_of_words, (plain, letters, folded))):
        return "a common word"
    if len(set(secret)) <= _FEW:
        return "two characters in turn"
    rows = (plain, letters if len(letters) >= _LEAST_LETTERS else plain)
    if any(row in sequence for row in rows for sequence in _SEQUENCES):
        return "a row of digits or letters"
    return f"fewer than {_LEAST} characters" if len(secret) < _LEAST else None


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


def _is_of_words(text: str) -> bool:
    """Return whether a text consists of common words, one of which is more than a word between others."""
    ends = {0: False}  # where words have ended, and whether one of them was such a word
    for end in range(1, len(text) + 1):
        for start in [start for start in ends if end - start <= _LONGEST]:
            word = text[start:end]
            if word in _WORDS or word in _BETWEEN:
                ends[end] = ends.get(end, False) or ends[start] or word in _WORDS
    return ends.get(len(text), False)
