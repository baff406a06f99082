"""Names of Secrets that something else puts into the stack's namespace."""

from __future__ import annotations

from components import fields
from components.kube.own_secrets import OWN_SECRET


def foreign_secret(name: str) -> str:
    """Return the name. Raises ValueError for a text that is no name, and for the name of a Secret of the stack."""
    fields.dns_subdomain(name)
    if OWN_SECRET.search(name):
        fields.refuse("expected a Secret of your own, found one of the stack's, whose name changes")
    return name
