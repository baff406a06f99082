"""Keys that are given instead of generated, what each of them must be, and where a copy is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from components.keys.jwt_keys import JWT_SECRET_MIN_BYTES, jwt_secrets, share_an_id
from components.kube.secret import SecretInput
from components.texts import fields

API_SECRET_KEY_MIN_BYTES: Final = 32
REDIS_PASSWORD_MIN_BYTES: Final = 8


def _jwt_secret(text: str) -> str:
    """One JWT secret, or several with commas."""
    secrets = jwt_secrets(text)
    for secret in secrets:
        fields.long_secret(JWT_SECRET_MIN_BYTES)(secret)
    if share_an_id(secrets):
        fields.refuse("expected secrets with different ids, found two with the same: generate the newer one again")
    return text


KEY_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    "fernet_key": fields.fernet_key,
    "api_secret_key": fields.long_secret(API_SECRET_KEY_MIN_BYTES),
    "jwt_secret": _jwt_secret,
    "redis_password": fields.long_secret(REDIS_PASSWORD_MIN_BYTES),
    "admin_password": fields.secret_line,
    "database_password": fields.secret_line,
}
"""What each key must be, by its field in `GivenKeys` and in the escrow."""


@dataclass(frozen=True, kw_only=True)
class GivenKeys:
    """Keys that are used as they are. The program generates each one that is None."""

    fernet_key: SecretInput | None = None
    """32 bytes as URL-safe base64, or several with commas: the first encrypts, any decrypts."""
    api_secret_key: SecretInput | None = None
    """API secret key, printable text of at least 32 bytes."""
    jwt_secret: SecretInput | None = None
    """JWT secret, printable text of at least 64 bytes, or several with commas: the first signs, each is accepted."""
    coming_jwt_secret: SecretInput | None = None
    """A JWT secret that the API server accepts, and that nothing signs with yet; only in a rotation."""
    redis_password: SecretInput | None = None
    """Redis password, printable text of at least 8 bytes."""
    redis_server_password: SecretInput | None = None
    """Password that Redis itself keeps while its clients change to `redis_password`; None if it is the same."""
    admin_password: SecretInput | None = None
    """Password of the admin, printable text."""
    database_password: SecretInput | None = None
    """Password of a database that the stack makes, printable text."""


@dataclass(frozen=True, kw_only=True)
class Escrow:
    """The copy of the keys in AWS Secrets Manager."""

    name: str
    """Name of the secret."""
    region: str
    """AWS region of the secret."""
    account_id: str
    """AWS account of the secret, 12 digits."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags on what the escrow consists of."""
