"""Recognises logins in texts, and takes them out of the URL of a backend."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from components.secrets.masker import SHOWN, Masker
from components.secrets.shapes import key_shape

_SECRET_PARAMETER: Final = re.compile("key|pass|secret|sas|sig|token", re.IGNORECASE)
_LOGIN: Final = re.compile(
    r"@|://|[^\s/\"':,]:(?![0-9]{1,5}([/\"\s]|$))[^\s/\",\]}]|(password|passwd|token|secret)[\\\"']*\s*[:=]",
    re.IGNORECASE,
)
"""A URI, a mail address, USER:PASSWORD or `password: …`: what stands in the wrong key may be a login."""
_WITH_LOGIN: Final = re.compile(r"://[^/\s]*@|^[^/@:\s]+:[^/@\s]+@")
"""A URI with a login, or NAME:PASSWORD@HOST."""
_PUBLIC: Final = re.compile(r"\"(arn:aws[^@/]*|sha256:[^@/]*|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)\"$")
"""ARNs, digests, IPv6 addresses and networks, which have colons too."""


def has_login(text: str) -> bool:
    """Tell whether a text is a URI with a login, NAME:PASSWORD@HOST, or has the shape of a key."""
    return bool(_WITH_LOGIN.search(text) or key_shape(text))


def may_hold_login(written: str) -> bool:
    """Tell whether a value, written as JSON, could hold a login. It would rather say so too often."""
    return bool(_LOGIN.search(written) and not _PUBLIC.match(written))


def shown_url(url: str) -> str:
    """Return a backend's URL as messages may show it: without a login, and without secret parameters."""
    for secret in url_secrets(url):
        url = url.replace(secret, SHOWN)
    return url


def url_secrets(url: str) -> tuple[str, ...]:
    """Return what is secret in a backend's URL: its login, and parameters that are secret by their names."""
    if url.startswith("file:"):
        return ()
    # A password may contain any character, also "/", "?" and "@": the login ends at the last "@".
    login = re.match(r"[\w+.-]+://(.*)@", url, re.DOTALL)
    parameters = re.findall(r"[?&]([^=&#]*)=([^&#]*)", url)
    secret = [value for name, value in parameters if value and _SECRET_PARAMETER.search(name)]
    return (*([login[1]] if login and login[1] else []), *secret)


def url_masker(url: str, secrets: Iterable[str] = ()) -> Masker:
    """Return a masker that knows what is secret in a backend's URL, which the engine quotes in its errors, and more."""
    login = [unquote(part) for text in url_secrets(url) for part in {text, text.partition(":")[2]} if part]
    return Masker(secrets=[*secrets, *login])
