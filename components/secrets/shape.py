"""What a shape of a secret is, and how a match of its pattern is judged."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from components.secrets.names import is_reference

OPENSSH_KEY: Final = "b3BlbnNzaC1rZXktdjE"

PUBLIC: Final = re.compile(
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
    needs: tuple[str, ...]
    """A text with this shape has one of these, in small letters: to look for them takes a tenth of the pattern's time.

    Without I: a pattern of any case takes a dotless one for it, which has no other small letter.
    """
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
        """Return each place with this shape."""
        small = _small(text)
        for needed in self.needs:
            if needed in small:
                break
        else:
            return iter(())
        parts = [(0, len(text))] if self.within is None else [part.span() for part in self.within.finditer(text)]
        return filter(self.holds, (match for part in parts for match in self.pattern.finditer(text, *part)))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where the secrets of this shape begin and end."""
        found = [match.span(_group(match, self.group)) for match in self.matches(text)]
        if found and self.guess:
            public = [match.span() for match in PUBLIC.finditer(text)]
            found = [at for at in found if not any(start < at[1] and at[0] < end for start, end in public)]
        return found


@functools.lru_cache(maxsize=1)
def _small(text: str) -> str:
    """Return a text in small letters, also those that stand for another, such as the sign of kelvin for k."""
    return text.casefold()


def _group(match: re.Match[str], names: str) -> str | int:
    """Return the group that holds the secret, 0 where the whole match is one."""
    return next((name for name in names.split("|") if match.groupdict().get(name) is not None), 0)


def is_real(match: re.Match[str]) -> bool:
    """Tell whether it is no placeholder."""
    return not _PLACEHOLDER.match(match["secret"])


def is_real_word(match: re.Match[str]) -> bool:
    """Tell whether it is neither a placeholder nor a reference to a secret elsewhere."""
    return is_real(match) and not is_reference(match["secret"])


def is_real_group(match: re.Match[str]) -> bool:
    """Tell whether it is no placeholder, in either group that may hold it."""
    return not _PLACEHOLDER.match(match[_group(match, "secret|other")])


def is_assigned(match: re.Match[str]) -> bool:
    """Tell whether what is assigned is a text, and no other name, call, reference, number of few digits or word."""
    name = _group(match, "double|single|plain|secret")
    text = match[name]
    if _PLACEHOLDER.match(text) or is_reference(text):
        return False
    if name in ("double", "single"):
        return True
    return not _EXPRESSION.match(text)


def is_login(match: re.Match[str]) -> bool:
    """Tell whether it is no placeholder, and no host and port before an @ later on."""
    return is_real(match) and not _NO_LOGIN.match(match[0])


def is_registry(match: re.Match[str]) -> bool:
    """Tell whether the text around it is a Docker config.json."""
    return _has_auths(match.string)


@functools.lru_cache(maxsize=1)
def _has_auths(text: str) -> bool:
    return '"auths"' in text


def is_private_key(match: re.Match[str]) -> bool:
    """Tell whether the Base64 is that of a private key."""
    if match[0].startswith(OPENSSH_KEY):
        return True
    # The first line is enough: whole groups of four characters, the last of which may be cut off.
    start = "".join(match[0].split()).rstrip("=")[:60]
    return b"PRIVATE KEY" in base64.b64decode(start[: len(start) // 4 * 4])
