"""The shapes of keys, passwords and tokens. They are recognised in any text by what they are, whatever holds them.

A masker hides every match: it would rather hide too much. A rule, which refuses an update, passes over placeholders
and public keys. A hexadecimal key looks like a digest and a passphrase like words: names tell of those (`names`).
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from components.secrets.encodings import replaced
from components.secrets.generated import looks_generated
from components.secrets.names import SECRET_NAME, is_reference
from components.secrets.token_prefixes import TOKENS

_SHOWN_LENGTH: Final = 120
_REMEMBERED: Final = 4096
"""Texts that need not be looked at again: the objects of a stack repeat most of theirs."""
_OPENSSH_KEY: Final = "b3BlbnNzaC1rZXktdjE"

_PUBLIC: Final = re.compile(
    r"-----BEGIN (?P<label>CERTIFICATE|PUBLIC KEY|RSA PUBLIC KEY|X509 CRL)-----[^-]*-----END (?P=label)-----"
    r"|\bAAAA[A-Za-z0-9+/]{40,}={0,2}"  # an SSH public key: the length of its type comes first
    r"|\bsha(256|384|512)[:-][A-Za-z0-9+/=]{40,}",
)
_PLACEHOLDER: Final = re.compile(r"\$|%\(|\{|<|\*+$|x+$|\.\.\.|…", re.IGNORECASE)
_EXPRESSION: Final = re.compile(
    r"(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*$|(?:none|null|[0-9]{1,5}|~)$|[a-z]{1,12}[.,:]?$", re.IGNORECASE
)
"""An attribute, a number such as a port, or one word of letters, as in a sentence or a command's help."""
_NO_LOGIN: Final = re.compile(r"://(?:\[[0-9a-f:.]*\]|[^:]*:[0-9]{1,5}[/?#])", re.IGNORECASE)
"""A host, a port and a path, with an @ later on."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One shape of a secret."""

    name: str
    """What it is, in words that a message may use."""
    pattern: re.Pattern[str]
    """Where it is. A group `secret` is the secret itself; without one, all of the match is."""
    within: re.Pattern[str] | None = None
    """The parts of a text in which to look, where the pattern alone would look at each part many times."""
    holds: Callable[[re.Match[str]], bool] = bool
    """Whether a match is one."""
    judged: Callable[[re.Match[str]], bool] = bool
    """Whether a rule takes the match for one, and not for a placeholder."""
    guess: bool = False
    """Public keys and certificates look the same."""
    group: str = "secret"
    """The groups that may hold the secret itself, divided by "|"."""

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """Yield each place with this shape."""
        parts = [(0, len(text))] if self.within is None else [part.span() for part in self.within.finditer(text)]
        return filter(self.holds, (match for part in parts for match in self.pattern.finditer(text, *part)))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where the secrets of this shape begin and end."""
        found = [match.span(_group(match, self.group)) for match in self.matches(text)]
        if found and self.guess:
            public = [match.span() for match in _PUBLIC.finditer(text)]
            found = [at for at in found if not any(start < at[1] and at[0] < end for start, end in public)]
        return found


def _group(match: re.Match[str], names: str) -> str | int:
    """Return the group that holds the secret, 0 where the whole match is one."""
    return next((name for name in names.split("|") if match.groupdict().get(name) is not None), 0)


def _is_real(match: re.Match[str]) -> bool:
    return not _PLACEHOLDER.match(match["secret"])


def _is_real_word(match: re.Match[str]) -> bool:
    return _is_real(match) and not is_reference(match["secret"])


def _is_real_group(match: re.Match[str]) -> bool:
    return not _PLACEHOLDER.match(match[_group(match, "secret|other")])


def _is_assigned(match: re.Match[str]) -> bool:
    """Tell whether what is assigned is a text, and no other name, call, reference, number of few digits or word."""
    name = _group(match, "double|single|plain|secret")
    text = match[name]
    if _PLACEHOLDER.match(text) or is_reference(text):
        return False
    if name in ("double", "single"):
        return True
    return not _EXPRESSION.match(text)


def _is_login(match: re.Match[str]) -> bool:
    return _is_real(match) and not _NO_LOGIN.match(match[0])


def _is_registry(match: re.Match[str]) -> bool:
    return _has_auths(match.string)


@functools.lru_cache(maxsize=1)
def _has_auths(text: str) -> bool:
    return '"auths"' in text


def _is_private_key(match: re.Match[str]) -> bool:
    if match[0].startswith(_OPENSSH_KEY):
        return True
    # The first line is enough: whole groups of four characters, the last of which may be cut off.
    start = "".join(match[0].split()).rstrip("=")[:60]
    return b"PRIVATE KEY" in base64.b64decode(start[: len(start) // 4 * 4])


SHAPES: Final = (
    Shape(
        name="a private key",
        pattern=re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"
            r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)|PuTTY-User-Key-File-[0-9].*",
            re.DOTALL,
        ),
    ),
    Shape(
        name="a private key in Base64",
        pattern=re.compile(rf"\b(?:LS0tLS1CRUdJTi|{_OPENSSH_KEY})[A-Za-z0-9+/\s]*={{0,2}}"),
        holds=_is_private_key,
    ),
    Shape(
        name="a URI with a password",
        pattern=re.compile(r"""://[^\s:/@"']*:(?P<secret>[^\s/@"']+)@"""),
        judged=_is_real,
    ),
    Shape(
        name="a URI with a password",  # in which / and @ are not encoded: it may reach into a second URI
        pattern=re.compile(r"""://[^\s:/@"']*:(?P<secret>[^\s"']+)@"""),
        within=re.compile(r"""(?<![^\s"'])[^\s"']*@"""),
        judged=_is_login,
    ),
    Shape(
        name="credentials of a registry",
        pattern=re.compile(r'"(?:auth|password|identitytoken)"\s*:\s*"(?P<secret>(?:[^"\\]|\\.)+)'),
        holds=_is_registry,
    ),
    Shape(
        name="a variable with a password",  # of a container, in JSON
        pattern=re.compile(
            rf'"name"\s*:\s*"{SECRET_NAME}"\s*,\s*"value"\s*:\s*"(?P<secret>(?:[^"\\]|\\.)+)', re.IGNORECASE
        ),
        holds=_is_real_word,
    ),
    Shape(
        name="XML with a password",
        pattern=re.compile(rf"<{SECRET_NAME}>(?P<secret>[^<>\s]+)<", re.IGNORECASE),
        holds=_is_real_word,
    ),
    Shape(
        name="a statement with a password",
        pattern=re.compile(r"\b(?:password|identified\s{1,9}by)\s{1,9}'(?P<secret>[^'\n]+)'", re.IGNORECASE),
        holds=_is_real_word,
    ),
    Shape(
        name="a line of .netrc",
        pattern=re.compile(r"\blogin\s{1,9}\S{1,256}\s{1,9}password\s{1,9}(?P<secret>\S+)"),
        holds=_is_real_word,
    ),
    Shape(
        name="a cookie",
        pattern=re.compile(
            r"\bcookie[\"']?[ \t]*:[ \t]*[\"']?[^=\s\"']{1,64}=(?P<secret>[^\s\"';,]{8,})", re.IGNORECASE
        ),
        holds=_is_real_word,
    ),
    Shape(
        name="a struct with a password",  # as Go and Terraform print it
        pattern=re.compile(rf'(?<![\w.-]){SECRET_NAME}:"(?P<secret>[^"\n]+)"', re.IGNORECASE),
        holds=_is_real_word,
    ),
    Shape(
        name="JSON with a password",
        pattern=re.compile(rf'"{SECRET_NAME}"\s*:\s*"(?P<secret>(?:[^"\\]|\\.)+)', re.IGNORECASE),
        judged=_is_real,
    ),
    *(Shape(name=name, pattern=re.compile(pattern)) for name, pattern in TOKENS),
    Shape(
        name="text that looks like a generated key",
        pattern=re.compile(r"(?<![A-Za-z0-9+/=_.-])[A-Za-z0-9+/_-]+(?![A-Za-z0-9+/=_.-])"),
        holds=lambda match: looks_generated(match[0]),
        guess=True,
    ),
    Shape(
        name="a password in a dictionary of Python",
        pattern=re.compile(rf"'{SECRET_NAME}'\s*:\s*[\"'](?P<secret>[^\"'\n]+)", re.IGNORECASE),
        judged=_is_real,
    ),
    Shape(
        name="an assigned password",  # Python, ini, shell, the query of a URL, a command's argument
        pattern=re.compile(
            rf"(?<![\w.-]){SECRET_NAME}[ \t]*=[ \t]*"
            r"(?:(?:[rbfu]{1,2}(?=[\"']))?(?:\"(?P<double>[^\"\n]+)\"|'(?P<single>[^'\n]+)')|(?P<plain>[^\s\"'`,;&(){}\[\]<>|]+)(?![\w.]{0,64}[(\[]))",
            re.IGNORECASE,
        ),
        holds=_is_assigned,
        group="double|single|plain",
    ),
    Shape(
        name="a line with a password",  # YAML
        pattern=re.compile(
            rf"^[ \t-]*+{SECRET_NAME}:[ \t]+[\"']?(?P<secret>[^\s\"'&*|>{{[]\S*?)[\"']?[ \t]*$",
            re.IGNORECASE | re.MULTILINE,
        ),
        holds=_is_assigned,
        group="secret",
    ),
    Shape(
        name="a password among a command's arguments",
        pattern=re.compile(
            rf"(?<!\S)--(?!secret[ \t]){SECRET_NAME}[ \t]+[\"']?(?P<secret>[^\s\"'-][^\s\"']*)", re.IGNORECASE
        ),
        holds=_is_assigned,
        group="secret",
    ),
    Shape(
        name="a login among a command's arguments",
        pattern=re.compile(r"(?<!\S)(?:-u|--user|--proxy-user)[ \t=]*[\"']?[\w.@+-]+:(?P<secret>[^\s\"':/]+)"),
        holds=_is_real_word,
    ),
    Shape(
        name="a password among the arguments of a database's client",
        pattern=re.compile(
            r"\b(?:(?:mysql|mariadb)\w*\b[^\n;|]{0,300}?\s-p|sshpass\s{1,9}-p\s*|redis-cli\b[^\n;|]{0,300}?\s(?:-a|--pass)\s{1,9})"
            r"(?P<secret>[^\s\"'-][^\s\"']*)"
        ),
        holds=_is_real_word,
    ),
    Shape(
        name="a header with a login",
        pattern=re.compile(
            r"(?:\bauthorization[\"']?[ \t]*[:=][ \t]*[\"']?(?:bearer|basic|token)|\bbearer)[ \t]+"
            r"(?P<secret>(?=[^\s\"']*[0-9=])[A-Za-z0-9._~+/=-]{6,})"
            r"|\b(?:x-api-key|x-auth-token|private-token)[\"']?[ \t]*:[ \t]*[\"']?(?P<other>[^\s\"',]+)",
            re.IGNORECASE,
        ),
        group="secret|other",
        judged=_is_real_group,
    ),
    Shape(
        name="the URL of a webhook",
        pattern=re.compile(
            r"https?://(?:[^\s\"'<>/]*/)(?:services/T\w+/B\w+/|(?:api/)?webhooks?/|webhookb2/|hooks/catch/)"
            r"(?P<secret>[^\s\"'<>]{6,})",
            re.IGNORECASE,
        ),
        judged=_is_real,
    ),
    Shape(
        name="a URI with a key as its user",  # as Sentry's
        pattern=re.compile(r"://(?P<secret>(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{16,})@"),
    ),
    Shape(
        name="a signature in a URL",
        pattern=re.compile(r"[?&](?:sig|signature|X-Amz-Signature|code|key)=(?P<secret>[^\s&\"'#]{8,})"),
        judged=_is_real,
    ),
)
"""All shapes, the surest first: `key_shape` names the first that is in a text."""


@functools.lru_cache(maxsize=_REMEMBERED)
def key_shape(text: str) -> str | None:
    """Return what kind of secret is in the text, in words; None where none is recognised."""
    text = _PUBLIC.sub(" ", text)
    return next((shape.name for shape in SHAPES if any(map(shape.judged, shape.matches(text)))), None)


def hide(text: str, mask: Callable[[str], str]) -> str:
    """Replace each secret that is recognised by its shape with what `mask` makes of it."""
    if _has_none(text):
        return text
    for shape in SHAPES:
        text = replaced(text, shape.spans(text), mask)
    return text


@functools.lru_cache(maxsize=_REMEMBERED)
def _has_none(text: str) -> bool:
    return not any(shape.spans(text) for shape in SHAPES)


def harmless(text: str) -> str:
    """Shorten a name, or another text that is no secret, for a message; leave it out where it is a secret after all."""
    ends = [text[match.end() :] for match in re.finditer(r"[/:@]", text)]
    if any(map(key_shape, (text, *ends, *re.split(r"[/:@]", text)))):
        return "…"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
