"""Names of Secrets that something else puts into the stack's namespace."""

from __future__ import annotations

import re

from components.kube.own_secrets import OWN_SECRET
from components.texts import fields


def foreign_secret(name: str) -> str:
    """Return the name. Raises ValueError for a text that is no name, and for the name of a Secret of the stack.

    It is an easy mistake to set what a Secret holds in place of its name. The error shows no text that may be that.
    """
    try:
        fields.dns_subdomain(name)
    except ValueError as error:
        expected, _, found = str(error).partition(", found ")
        hidden = "another text, which is not shown because it may be what the Secret holds"
        raise ValueError(f"{expected}, found {found if name == '' or found == 'more' else hidden}") from None
    if re.fullmatch(r"[0-9a-f]{32,}", name):
        fields.refuse("expected the name of a Secret, found hexadecimal digits alone, which may be a key itself")
    if OWN_SECRET.match(name):
        fields.refuse(
            "expected a Secret of your own, whose name does not begin like that of a Secret of the stack, found "
            f"{fields.shown(name)}"
        )
    return name
