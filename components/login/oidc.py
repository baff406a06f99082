"""Login to the UI by OpenID Connect: its settings, and the file from which the API server reads them. Pure.

The flow is Flask-AppBuilder's (AUTH_OAUTH). Only what that lacks is here: claims of any issuer in place of a list of
known ones, and no login as the stack's admin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from components.kube.secret import SecretInput

CLIENT_SECRET_VARIABLE: Final = "AIRFLOW_OIDC_CLIENT_SECRET"
"""Variable of the API server with the client's secret."""
PROVIDER: Final = "sso"
"""Name of the issuer in addresses and on the button."""
REDIRECT_PATH: Final = f"/auth/oauth-authorized/{PROVIDER}"
"""Path below the UI's address to which the issuer must redirect."""
WELL_KNOWN: Final = "/.well-known/openid-configuration"
"""Path of the metadata below an issuer."""

# {{ }} would be the chart's: it renders this text as a template.
_SERVER_CONFIG: Final = '''\
"""How people log in to the UI. Written by the program from the config keys airflow:oidc…."""

import logging
import os

from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask_appbuilder.const import AUTH_OAUTH

GROUPS_CLAIM = %(groups_claim)r
ADMIN = %(admin)r

AUTH_TYPE = AUTH_OAUTH
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE = %(default_role)r
AUTH_ROLES_SYNC_AT_LOGIN = True
AUTH_ROLES_MAPPING = %(roles)r
OAUTH_PROVIDERS = [
    {
        "name": %(provider)r,
        "icon": "fa-key",
        "token_key": "access_token",
        "remote_app": {
            "client_id": %(client_id)r,
            "client_secret": os.environ[%(variable)r],
            "server_metadata_url": %(metadata_url)r,
            "client_kwargs": {"scope": %(scope)r},
        },
    }
]


class SecurityManager(FabAirflowSecurityManagerOverride):
    """Reads a person's name and groups from the claims of the ID token, or else from the issuer's userinfo."""

    def get_oauth_user_info(self, provider, resp):
        claims = dict(resp.get("userinfo") or {})
        if GROUPS_CLAIM not in claims or not (claims.get("preferred_username") or claims.get("email")):
            claims = {**self.oauth_remotes[provider].userinfo(token=resp), **claims}
        username = claims.get("preferred_username") or claims.get("email") or claims["sub"]
        groups = claims.get(GROUPS_CLAIM) or []
        groups = [groups] if isinstance(groups, str) else [str(group) for group in groups]
        refused = ""
        if username.lower() == ADMIN.lower():
            refused = "the name is the stack's admin's (airflow:adminUsername)"
        elif not AUTH_USER_REGISTRATION_ROLE and not set(groups) & set(AUTH_ROLES_MAPPING):
            refused = "none of the groups in airflow:oidcRoles is in the claim " + GROUPS_CLAIM
        if refused:
            logging.getLogger(__name__).warning("Login of %%s refused: %%s", username, refused)
            return {}
        return {
            "username": username,
            "email": claims.get("email", ""),
            "first_name": claims.get("given_name") or claims.get("name") or username,
            "last_name": claims.get("family_name", ""),
            "role_keys": groups,
        }


SECURITY_MANAGER_CLASS = SecurityManager
'''


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """Login to the UI by an OpenID Connect issuer."""

    issuer: str
    """HTTPS URL of the issuer, without a slash at the end. Its metadata is below /.well-known/openid-configuration."""
    client_id: str
    """Name of the client that is registered with the issuer."""
    client_secret: SecretInput
    """Secret of that client."""
    groups_claim: str
    """Claim with a person's groups."""
    roles: Mapping[str, str]
    """Airflow role of each group."""
    default_role: str
    """Role of everyone who may log in, or "" to refuse whoever is in none of the groups."""
    scopes: str
    """Scopes to ask for, with spaces."""


def metadata_url(issuer: str) -> str:
    """Return where an issuer has its metadata (OpenID Connect Discovery 1.0, section 4)."""
    return f"{issuer}{WELL_KNOWN}"


def server_config(oidc: Oidc, admin: str) -> str:
    """Return `webserver_config.py` of the API server, as a template of the chart. It holds no secret.

    Args:
        oidc: How people log in.
        admin: User name of the stack's admin, who logs in by password at the API only.
    """
    text = _SERVER_CONFIG % {
        "groups_claim": oidc.groups_claim,
        "admin": admin,
        "default_role": oidc.default_role,
        "roles": {group: [role] for group, role in sorted(oidc.roles.items())},
        "provider": PROVIDER,
        "client_id": oidc.client_id,
        "variable": CLIENT_SECRET_VARIABLE,
        "metadata_url": metadata_url(oidc.issuer),
        "scope": oidc.scopes,
    }
    return text.replace("{{", '{{ "{{" }}')
