"""How people log in to the UI: by password, or by an OpenID Connect issuer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from components.login.oidc import REDIRECT_PATH, WELL_KNOWN, Oidc
from components.texts import fields
from settings.keys import Section
from settings.reading import Config

SECTION = Section("Login", "without oidcIssuer, people log in to the UI by user name and password")

_ROLES: Final = ("Admin", "Op", "User", "Viewer", "Public")
"""Roles that every Airflow has (airflow.apache.org/docs/apache-airflow-providers-fab, access control)."""

_ENDPOINT: Final = re.compile(
    rf".+?(?P<below>{re.escape(WELL_KNOWN)}|/protocol/openid-connect(/.*)?)"
    r"|.+/oauth2?(/[^/]+)?(/v[0-9.]+)?/(authorize|certs|jwks|keys|logout|token|userinfo)"
)
"""An address below an issuer: of its metadata, of Keycloak's endpoints, or of those of Entra ID, Okta and others."""


def _issuer(text: str) -> str:
    """Return the issuer as OpenID Connect Discovery 1.0 (section 4) needs it: HTTPS, without query or fragment."""
    expected = "expected the HTTPS URL of an issuer, such as https://login.example.com/realms/main"
    try:
        parts = urlsplit(text)
        host, userinfo = parts.hostname, parts.username is not None or parts.password is not None
        _ = parts.port
    except ValueError:
        fields.refuse(f"{expected}, found another text")
    if userinfo:
        fields.refuse(f"{expected}, found a login in it")
    if parts.scheme == "http":
        fields.refuse(f"{expected}, found http: an issuer has TLS")
    if parts.scheme != "https" or not host or parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        fields.refuse(f"{expected}, found {fields.shown(text)}")
    endpoint = _ENDPOINT.fullmatch(text.rstrip("/"))
    if endpoint:
        below = endpoint["below"]
        right = f"leave out {below}" if below else "set the issuer that the metadata name"
        fields.refuse(f"{expected}, found the address of an endpoint: {right}")
    return text.rstrip("/")


def _role(role: str) -> str:
    """Validate a role. A person would have no rights by one that nobody made, such as `op`. Raises ValueError."""
    built_in = {role.lower(): role for role in _ROLES}
    if not re.fullmatch(r"[^\s](.{0,62}[^\s])?", role) or built_in.get(role.lower(), role) != role:
        fields.refuse(f"expected a role of Airflow, such as {', '.join(_ROLES)}, found {fields.shown(role)}")
    return fields.one_line(role)


def _role_problems(roles: Mapping[str, str]) -> dict[str, str]:
    problems = {}
    for group, role in roles.items():
        try:
            _role(role)
        except ValueError as error:
            problems[group] = str(error)
    return problems


def _scopes(text: str) -> str:
    scopes = text.split()
    if "openid" not in scopes or any(not re.fullmatch(r"[!#-\[\]-~]+", scope) for scope in scopes):
        fields.refuse(f"expected scopes with spaces between them, openid among them, found {fields.shown(text)}")
    return " ".join(scopes)


OIDC_ISSUER = SECTION.optional(
    "oidcIssuer",
    _issuer,
    description="HTTPS URL of an OpenID Connect issuer. People then log in to the UI through it. The Airflow image "
    "must have authlib.",
)
OIDC_CLIENT_ID = SECTION.optional(
    "oidcClientId",
    fields.one_line,
    description=f"Client that is registered with the issuer, with the redirect URI https://HOST{REDIRECT_PATH}.",
)
OIDC_CLIENT_SECRET = SECTION.secret("oidcClientSecret", fields.secret_line, description="Secret of that client.")
OIDC_SCOPES = SECTION.text(
    "oidcScopes", _scopes, default="openid profile email", description="Scopes that the issuer is asked for."
)
OIDC_GROUPS_CLAIM = SECTION.text(
    "oidcGroupsClaim", fields.one_line, default="groups", description="Claim that holds a person's groups."
)
OIDC_ROLES = SECTION.text_map(
    "oidcRoles",
    description="Airflow role of each group, such as data-engineers: Op. Roles follow the groups at each login.",
    problems_of=_role_problems,
)
OIDC_DEFAULT_ROLE = SECTION.optional(
    "oidcDefaultRole",
    _role,
    description="Role of everyone who can log in at the issuer. Empty refuses people without a group of oidcRoles.",
)
_NEEDED: Final = (OIDC_CLIENT_ID, OIDC_CLIENT_SECRET)
_OTHERS: Final = (OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_ROLES, OIDC_DEFAULT_ROLE)


def read_oidc(config: Config) -> Oidc | None:
    """Return how people log in, or None where it is by password."""
    issuer = config[OIDC_ISSUER]
    if config.bad(OIDC_ISSUER):
        return None
    if issuer is None:
        instead = f"pulumi config set {OIDC_ISSUER.full} ISSUER"
        config.refuse_set(_OTHERS, f"without {OIDC_ISSUER.full}", instead=instead)
        return None
    for needed in _NEEDED:
        if config[needed] is None:
            config.problem(needed, f"expected a value beside {OIDC_ISSUER.full}, found none")
    if not config[OIDC_ROLES] and not config[OIDC_DEFAULT_ROLE]:
        config.problem(
            OIDC_ROLES,
            f"expected at least one group, or {OIDC_DEFAULT_ROLE.full}, found neither: nobody could log in",
            f"pulumi config set --path '{OIDC_ROLES.full}[\"GROUP\"]' Op",
        )
    client_id, secret = config[OIDC_CLIENT_ID], config[OIDC_CLIENT_SECRET]
    if client_id is None or secret is None:
        return None
    return Oidc(
        issuer=issuer,
        client_id=client_id,
        client_secret=secret,
        groups_claim=config[OIDC_GROUPS_CLAIM],
        roles=config[OIDC_ROLES],
        default_role=config[OIDC_DEFAULT_ROLE] or "",
        scopes=config[OIDC_SCOPES],
    )
