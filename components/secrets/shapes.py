"""The shapes of keys, passwords and tokens. They are recognised in any text by what they are, whatever holds them.

A masker hides every match: it would rather hide too much. A rule, which refuses an update, passes over placeholders
and public keys. A hexadecimal key looks like a digest and a passphrase like words: names tell of those (`names`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Final

from components.secrets.encodings import replaced
from components.secrets.generated import LENGTHS, looks_generated
from components.secrets.names import SECRET_NAME
from components.secrets.shape import (
    OPENSSH_KEY,
    PUBLIC,
    Shape,
    is_assigned,
    is_login,
    is_private_key,
    is_real,
    is_real_group,
    is_real_word,
    is_registry,
)
from components.secrets.token_prefixes import TOKENS

_SHOWN_LENGTH: Final = 120
_REMEMBERED: Final = 4096
"""Texts that need not be looked at again: the objects of a stack repeat most of theirs."""

_URI: Final = ("://",)
_NAMES: Final = ("auth", "key", "pass", "pwd", "secret", "token")
"""One of these is in each `SECRET_NAME`."""
_QUOTED, _ASSIGNED, _BEFORE_COLON = (rf"(?![\w.-]*+(?!{then})){SECRET_NAME}" for then in ('"', "[ \t]*=", ":"))
"""A secret's name with this after it, which is looked at first: most words are no names."""

SHAPES: Final = (
    Shape(
        name="a private key",
        needs=("private key", "putty-user-key-file"),
        pattern=re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"
            r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)|PuTTY-User-Key-File-[0-9].*",
            re.DOTALL,
        ),
    ),
    Shape(
        name="a private key in Base64",
        needs=("ls0tls1crudjti", OPENSSH_KEY.casefold()),
        pattern=re.compile(rf"\b(?:LS0tLS1CRUdJTi|{OPENSSH_KEY})[A-Za-z0-9+/\s]*={{0,2}}"),
        holds=is_private_key,
    ),
    Shape(
        name="a URI with a password",
        needs=_URI,
        pattern=re.compile(r"""://[^\s:/@"']*:(?P<secret>[^\s/@"']+)@"""),
        judged=is_real,
    ),
    Shape(
        name="a URI with a password",  # in which / and @ are not encoded: it may reach into a second URI
        needs=_URI,
        pattern=re.compile(r"""://[^\s:/@"']*:(?P<secret>[^\s"']+)@"""),
        within=re.compile(r"""(?<![^\s"'])[^\s"']*@"""),
        judged=is_login,
    ),
    Shape(
        name="credentials of a registry",
        needs=('"auths"',),
        pattern=re.compile(r'"(?:auth|password|identitytoken)"\s*:\s*"(?P<secret>(?:[^"\\]|\\.)+)'),
        holds=is_registry,
    ),
    Shape(
        name="a variable with a password",  # of a container, in JSON
        needs=('"name"',),
        pattern=re.compile(
            rf'"name"\s*:\s*"{SECRET_NAME}"\s*,\s*"value"\s*:\s*"(?P<secret>(?:[^"\\]|\\.)+)', re.IGNORECASE
        ),
        holds=is_real_word,
    ),
    Shape(
        name="XML with a password",
        needs=("<",),
        pattern=re.compile(rf"<{SECRET_NAME}>(?P<secret>[^<>\s]+)<", re.IGNORECASE),
        holds=is_real_word,
    ),
    Shape(
        name="a statement with a password",
        needs=("'",),
        pattern=re.compile(r"\b(?:password|identified\s{1,9}by)\s{1,9}'(?P<secret>[^'\n]+)'", re.IGNORECASE),
        holds=is_real_word,
    ),
    Shape(
        name="a line of .netrc",
        needs=("password",),
        pattern=re.compile(r"\blogin\s{1,9}\S{1,256}\s{1,9}password\s{1,9}(?P<secret>\S+)"),
        holds=is_real_word,
    ),
    Shape(
        name="a cookie",
        needs=("cook",),
        pattern=re.compile(
            r"\bcookie[\"']?[ \t]*:[ \t]*[\"']?[^=\s\"']{1,64}=(?P<secret>[^\s\"';,]{8,})", re.IGNORECASE
        ),
        holds=is_real_word,
    ),
    Shape(
        name="a struct with a password",  # as Go and Terraform print it
        needs=(':"',),
        pattern=re.compile(rf'(?<![\w.-]){SECRET_NAME}:"(?P<secret>[^"\n]+)"', re.IGNORECASE),
        holds=is_real_word,
    ),
    Shape(
        name="JSON with a password",
        needs=_NAMES,
        pattern=re.compile(rf'"{_QUOTED}"\s*:\s*"(?P<secret>(?:[^"\\]|\\.)+)', re.IGNORECASE),
        judged=is_real,
    ),
    *(Shape(name=name, needs=needs, pattern=re.compile(pattern)) for name, needs, pattern in TOKENS),
    Shape(
        name="text that looks like a generated key",
        needs=("",),
        pattern=re.compile(
            rf"(?<![A-Za-z0-9+/=_.-])[A-Za-z0-9+/_-]{{{min(LENGTHS)},{max(LENGTHS)}}}+(?![A-Za-z0-9+/=_.-])"
        ),
        holds=lambda match: looks_generated(match[0]),
        guess=True,
    ),
    Shape(
        name="a password in a dictionary of Python",
        needs=_NAMES,
        pattern=re.compile(rf"'{SECRET_NAME}'\s*:\s*[\"'](?P<secret>[^\"'\n]+)", re.IGNORECASE),
        judged=is_real,
    ),
    Shape(
        name="an assigned password",  # Python, ini, shell, the query of a URL, a command's argument
        needs=_NAMES,
        pattern=re.compile(
            rf"(?<![\w.-]){_ASSIGNED}[ \t]*=[ \t]*"
            r"(?:(?:[rbfu]{1,2}(?=[\"']))?(?:\"(?P<double>[^\"\n]+)\"|'(?P<single>[^'\n]+)')|(?P<plain>[^\s\"'`,;&(){}\[\]<>|]+)(?![\w.]{0,64}[(\[]))",
            re.IGNORECASE,
        ),
        holds=is_assigned,
        group="double|single|plain",
    ),
    Shape(
        name="a line with a password",  # YAML
        needs=_NAMES,
        pattern=re.compile(
            rf"^[ \t-]*+{_BEFORE_COLON}:[ \t]+[\"']?(?P<secret>[^\s\"'&*|>{{[]\S*?)[\"']?[ \t]*$",
            re.IGNORECASE | re.MULTILINE,
        ),
        holds=is_assigned,
    ),
    Shape(
        name="a password among a command's arguments",
        needs=("--",),
        pattern=re.compile(
            rf"(?<!\S)--(?!secret[ \t]){SECRET_NAME}[ \t]+[\"']?(?P<secret>[^\s\"'-][^\s\"']*)", re.IGNORECASE
        ),
        holds=is_assigned,
    ),
    Shape(
        name="a login among a command's arguments",
        needs=("-u",),
        pattern=re.compile(r"(?<!\S)(?:-u|--user|--proxy-user)[ \t=]*[\"']?[\w.@+-]+:(?P<secret>[^\s\"':/]+)"),
        holds=is_real_word,
    ),
    Shape(
        name="a password among the arguments of a database's client",
        needs=("mysql", "mariadb", "sshpass", "redis-cli"),
        pattern=re.compile(
            r"\b(?:(?:mysql|mariadb)\w*\b[^\n;|]{0,300}?\s-p|sshpass\s{1,9}-p\s*|redis-cli\b[^\n;|]{0,300}?\s(?:-a|--pass)\s{1,9})"
            r"(?P<secret>[^\s\"'-][^\s\"']*)"
        ),
        holds=is_real_word,
    ),
    Shape(
        name="a header with a login",
        needs=("author", "bearer", "-key", "-token"),
        pattern=re.compile(
            r"(?:\bauthorization[\"']?[ \t]*[:=][ \t]*[\"']?(?:bearer|basic|token)|\bbearer)[ \t]+"
            r"(?P<secret>(?=[^\s\"']*[0-9=])[A-Za-z0-9._~+/=-]{6,})"
            r"|\b(?:x-api-key|x-auth-token|private-token)[\"']?[ \t]*:[ \t]*[\"']?(?P<other>[^\s\"',]+)",
            re.IGNORECASE,
        ),
        group="secret|other",
        judged=is_real_group,
    ),
    Shape(
        name="the URL of a webhook",
        needs=_URI,
        pattern=re.compile(
            r"https?://(?:[^\s\"'<>/]*/)(?:services/T\w+/B\w+/|(?:api/)?webhooks?/|webhookb2/|hooks/catch/)"
            r"(?P<secret>[^\s\"'<>]{6,})",
            re.IGNORECASE,
        ),
        judged=is_real,
    ),
    Shape(
        name="a URI with a key as its user",  # as Sentry's
        needs=_URI,
        pattern=re.compile(r"://(?P<secret>(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{16,})@"),
    ),
    Shape(
        name="a signature in a URL",
        needs=("code=", "key=", "sig=", "signature="),
        pattern=re.compile(r"[?&](?:sig|signature|X-Amz-Signature|code|key)=(?P<secret>[^\s&\"'#]{8,})"),
        judged=is_real,
    ),
)
"""All shapes, the surest first: `key_shape` names the first that is in a text."""


@functools.lru_cache(maxsize=_REMEMBERED)
def key_shape(text: str) -> str | None:
    """Return what kind of secret is in the text, in words; None where none is recognised."""
    text = PUBLIC.sub(" ", text)
    return next((shape.name for shape in _possible(text) if any(map(shape.judged, shape.matches(text)))), None)


def hide(text: str, mask: Callable[[str], str]) -> str:
    """Replace each secret that is recognised by its shape with what `mask` makes of it."""
    if _has_none(text):
        return text
    for shape in SHAPES:
        text = replaced(text, shape.spans(text), mask)
    return text


@functools.lru_cache(maxsize=_REMEMBERED)
def _has_none(text: str) -> bool:
    return not any(shape.spans(text) for shape in _possible(text))


_NEEDED: Final = tuple(dict.fromkeys(needed for shape in SHAPES for needed in shape.needs))


def _possible(text: str) -> Iterator[Shape]:
    """Return the shapes of which a text has what they need: of most texts, one."""
    small = text.casefold()
    there = {needed for needed in _NEEDED if needed in small}
    return (shape for shape in SHAPES if not there.isdisjoint(shape.needs))


def harmless(text: str) -> str:
    """Shorten a name, or another text that is no secret, for a message; leave it out where it is a secret after all."""
    ends = [text[match.end() :] for match in re.finditer(r"[/:@]", text)]
    if any(map(key_shape, (text, *ends, *re.split(r"[/:@]", text)))):
        return "…"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
