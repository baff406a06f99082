"""The keys of an Airflow deployment: generated once, or given, and kept in immutable Secrets.

Owns the Fernet key, the API secret key, the JWT secret, the Redis password and the admin password. Does not rotate
any of them: a rotation is a deliberate change of config, and docs/architecture.md says what it costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from components.generated_password import generated_password
from components.immutable_secret import immutable_secret, secret_name
from components.secret import SecretInput, secret_output

TYPE: Final = "airflow:index:AirflowKeys"

_FERNET_KEY_BYTES = 32  # cryptography.fernet: 16 to sign, 16 to encrypt
_API_SECRET_KEY_LENGTH = 64
_JWT_SECRET_LENGTH = 96  # HS512 wants at least 64 bytes (RFC 7518, section 3.2); each character here is one byte
_REDIS_PASSWORD_LENGTH = 40
_ADMIN_PASSWORD_LENGTH = 24


@dataclass(frozen=True, kw_only=True)
class GivenKeys:
    """Values that are used as they are. None: the generated one is used.

    fernet_key: 32 bytes as URL-safe base64, or several with commas (the first encrypts, any decrypts).
    api_secret_key, jwt_secret, redis_password, admin_password: printable text.
    """

    fernet_key: SecretInput | None = None
    api_secret_key: SecretInput | None = None
    jwt_secret: SecretInput | None = None
    redis_password: SecretInput | None = None
    admin_password: SecretInput | None = None


@dataclass(frozen=True, kw_only=True)
class AirflowKeysArgs:
    """namespace: of the Secrets. given: values in use elsewhere. protect: refuse to delete a generated value."""

    namespace: pulumi.Input[str]
    given: GivenKeys
    protect: bool


class AirflowKeys(pulumi.ComponentResource):
    """Every key of the deployment, each in a Secret of its own.

    Raises: nothing of its own; settings.py validates given values.
    Replaces: another value means another Secret under another name; exactly the pods that refer to it roll.
    A generated value never changes by itself: every argument of its resource is fixed, and there are no keepers.
    Survives a destroy: nothing, unless `protect` is set; then the destroy itself is refused.
    """

    fernet_key_secret: pulumi.Output[str]
    """Name of the Secret with key `fernet-key`."""
    api_secret_key_secret: pulumi.Output[str]
    """Name of the Secret with key `api-secret-key`."""
    jwt_secret: pulumi.Output[str]
    """Name of the Secret with key `jwt-secret`."""
    redis_password_secret: pulumi.Output[str]
    """Name of the Secret with key `password`."""
    admin_password_secret: pulumi.Output[str]
    """Name of the Secret with key `password`."""
    redis_password: pulumi.Output[str]
    """The password itself, secret: connection strings are made of it."""

    def __init__(self, name: str, args: AirflowKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        value = pulumi.ResourceOptions(parent=self, protect=args.protect)
        given = args.given

        def given_or(own: SecretInput | None, generated: pulumi.Output[str]) -> pulumi.Output[str]:
            # Generated all the same: `protect` would refuse to delete it once a value is given, and when that value
            # is taken away again the old one is back.
            return secret_output(own) if own is not None else generated

        def password(role: str, length: int) -> pulumi.Output[str]:
            return generated_password(f"{name}-{role}", length, value)

        def secret(role: str, key: str, content: pulumi.Output[str]) -> k8s.core.v1.Secret:
            return immutable_secret(f"{name}-{role}", args.namespace, {key: content}, child)

        key_bytes = random.RandomBytes(f"{name}-fernet-key", length=_FERNET_KEY_BYTES, opts=value)
        fernet_key = given_or(given.fernet_key, secret_output(key_bytes.base64).apply(url_safe))
        api_secret_key = given_or(given.api_secret_key, password("api-secret-key", _API_SECRET_KEY_LENGTH))
        jwt_secret = given_or(given.jwt_secret, password("jwt-secret", _JWT_SECRET_LENGTH))
        self.redis_password = given_or(given.redis_password, password("redis-password", _REDIS_PASSWORD_LENGTH))
        admin_password = given_or(given.admin_password, password("admin-password", _ADMIN_PASSWORD_LENGTH))

        self.fernet_key_secret = secret_name(secret("fernet-key", "fernet-key", fernet_key))
        self.api_secret_key_secret = secret_name(secret("api-secret-key", "api-secret-key", api_secret_key))
        self.jwt_secret = secret_name(secret("jwt-secret", "jwt-secret", jwt_secret))
        self.redis_password_secret = secret_name(secret("redis-password", "password", self.redis_password))
        self.admin_password_secret = secret_name(secret("admin-password", "password", admin_password))
        self.register_outputs(
            {
                "fernet_key_secret": self.fernet_key_secret,
                "api_secret_key_secret": self.api_secret_key_secret,
                "jwt_secret": self.jwt_secret,
                "redis_password_secret": self.redis_password_secret,
                "admin_password_secret": self.admin_password_secret,
            }
        )


def url_safe(base64: str) -> str:
    """Standard base64 in the URL-safe alphabet that Fernet reads."""
    return base64.replace("+", "-").replace("/", "_")
