"""The keys of an Airflow deployment: generated once, or given, and kept in immutable Secrets.

The component owns the Fernet keys of the database and of workers, the API secret key, the JWT secret, the Redis
password, the admin password, and the password of a database that the stack creates. It never rotates them: a rotation
is a deliberate change of config (`automation/rotation/`), and docs/day-2.md says what it costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi

from components.keys.existing_keys import ExistingKeys
from components.keys.fernet_key import SEED_LENGTH, FernetKey, key_of
from components.keys.generated_password import generated_password
from components.keys.given_keys import Escrow, GivenKeys
from components.keys.jwt_keys import JWKS_KEY, JWT_KEY_ID_KEY, jwt_secrets, key_id, key_set
from components.kube.immutable_secret import immutable_secret
from components.kube.secret import Secret, SecretInput, secret_output

TYPE: Final = "airflow:index:AirflowKeys"

_API_SECRET_KEY_LENGTH = 64
_JWT_SECRET_LENGTH = 96  # HS512 requires at least 64 bytes (RFC 7518, section 3.2); each character here is one byte
_REDIS_PASSWORD_LENGTH = 40
_ADMIN_PASSWORD_LENGTH = 24
_DATABASE_PASSWORD_LENGTH = 40  # RDS accepts 8 to 128 characters, except / " @ and space


@dataclass(frozen=True, kw_only=True)
class AirflowKeysArgs:
    """Arguments of `AirflowKeys`."""

    namespace: pulumi.Input[str]
    """Namespace of the Secrets."""
    given: GivenKeys
    """Keys that are used instead of generated ones."""
    existing: ExistingKeys | None = None
    """Secrets with the Fernet key, the API secret key and the JWT secret; these are then neither generated nor given,
    and no escrow gets a copy."""
    protect: bool
    """Whether to refuse to delete a generated value."""
    with_database_password: bool = False
    """Whether the stack creates a database, which needs a password."""
    escrow: Escrow | None = None
    """Where all values are stored before anything uses them, or None."""


class AirflowKeys(pulumi.ComponentResource):
    """Every key of the deployment, each in a Secret of its own, or by the name of a Secret that exists.

    Raises: nothing of its own; the settings validate given values.
    Replaces: another value makes another Secret under another name; exactly the pods that refer to it roll.
    A generated value never changes by itself: every argument of its resource is fixed, and there are no keepers.
    Survives a destroy: the escrow. Nothing else does, unless `protect` is set: then the destroy itself is refused.
    """

    fernet_key_secret: pulumi.Output[str]
    """Name of the Secret with key `fernet-key`."""
    worker_key_secret: pulumi.Output[str]
    """Name of the Secret with key `fernet-key` for workers and task pods, which reads nothing of the database."""
    api_secret_key_secret: pulumi.Output[str]
    """Name of the Secret with key `api-secret-key`."""
    jwt_secret: pulumi.Output[str]
    """Name of the Secret with key `jwt-secret`, the secret that signs."""
    jwt_key_id_secret: pulumi.Output[str] | None
    """Name of the Secret with key `jwt-key-id`, the id of the secret that signs; None with a secret of others."""
    jwks_secret: pulumi.Output[str] | None
    """Name of the Secret with key `jwks.json`, the secrets that the API server accepts; None with one of others."""
    redis_password_secret: pulumi.Output[str]
    """Name of the Secret with key `password`."""
    admin_password_secret: pulumi.Output[str]
    """Name of the Secret with key `password`."""
    redis_password: pulumi.Output[str]
    """The Redis password of Redis' clients, secret, for connection strings."""
    database_password: pulumi.Output[str] | None
    """The password of a database that the stack creates, secret; or None."""
    stored: tuple[pulumi.Resource, ...]
    """The stored copy in the escrow, on which every user of a key depends; empty without an escrow."""

    def __init__(self, name: str, args: AirflowKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        value = pulumi.ResourceOptions(parent=self, protect=args.protect)
        given = args.given

        def given_or(own: SecretInput | None, generated: pulumi.Output[str]) -> pulumi.Output[str]:
            # A value is generated even if one is given: `protect` would refuse to delete it, and once the given value
            # is removed, the generated one is used again.
            return secret_output(own) if own is not None else generated

        def password(role: str, length: int) -> pulumi.Output[str]:
            return generated_password(f"{name}-{role}", length, value)

        values: dict[str, pulumi.Output[str]] = {}
        if args.existing is None:
            generated_fernet_key = FernetKey(
                f"{name}-fernet-key", protect=args.protect, opts=pulumi.ResourceOptions(parent=self)
            )
            values = {
                "fernet_key": given_or(given.fernet_key, generated_fernet_key.value),
                "api_secret_key": given_or(given.api_secret_key, password("api-secret-key", _API_SECRET_KEY_LENGTH)),
                "jwt_secret": given_or(given.jwt_secret, password("jwt-secret", _JWT_SECRET_LENGTH)),
            }
        self.redis_password = given_or(given.redis_password, password("redis-password", _REDIS_PASSWORD_LENGTH))
        admin_password = given_or(given.admin_password, password("admin-password", _ADMIN_PASSWORD_LENGTH))

        # In no escrow: what it encrypts, a task of the same run reads.
        worker_key = password("worker-key", SEED_LENGTH).apply(key_of)

        values |= {"redis_password": self.redis_password, "admin_password": admin_password}
        self.database_password = None
        if args.with_database_password:
            generated = password("database-password", _DATABASE_PASSWORD_LENGTH)
            self.database_password = given_or(given.database_password, generated)
            values["database_password"] = self.database_password
        self.stored = () if args.escrow is None else (_stored(name, args.escrow, values, self),)
        # After the escrow: a stack that cannot store its keys, because another's are there, has then used none of them.
        child = pulumi.ResourceOptions(parent=self, depends_on=self.stored)

        def secret(role: str, key: str, content: pulumi.Output[str]) -> pulumi.Output[str]:
            return immutable_secret(f"{name}-{role}", args.namespace, {key: content}, child)

        self.worker_key_secret = secret("worker-key", "fernet-key", worker_key)
        if args.existing is None:
            self.fernet_key_secret = secret("fernet-key", "fernet-key", values["fernet_key"])
            self.api_secret_key_secret = secret("api-secret-key", "api-secret-key", values["api_secret_key"])
            signing = values["jwt_secret"].apply(lambda text: jwt_secrets(text)[0])
            self.jwt_secret = secret("jwt-secret", "jwt-secret", signing)
            # Not beside the secret itself, whose Secret in stacks that exist has no id in it.
            self.jwt_key_id_secret = secret("jwt-key-id", JWT_KEY_ID_KEY, signing.apply(key_id))
            coming = secret_output(Secret("") if given.coming_jwt_secret is None else given.coming_jwt_secret)
            both = pulumi.Output.all(values["jwt_secret"], coming)
            self.jwks_secret = secret("jwks", JWKS_KEY, both.apply(lambda text: key_set(jwt_secrets(text[0]), text[1])))
        else:
            self.fernet_key_secret = pulumi.Output.from_input(args.existing.fernet_key)
            self.api_secret_key_secret = pulumi.Output.from_input(args.existing.api_secret_key)
            self.jwt_secret = pulumi.Output.from_input(args.existing.jwt_secret)
            # Both are made of the secret, which is not known here. Airflow then accepts what the secret itself signed.
            self.jwt_key_id_secret = self.jwks_secret = None
        # Beside its clients' only in a rotation.
        server_password = given_or(given.redis_server_password, self.redis_password)
        self.redis_password_secret = secret("redis-password", "password", server_password)
        self.admin_password_secret = secret("admin-password", "password", admin_password)
        self.register_outputs(
            {
                "fernet_key_secret": self.fernet_key_secret,
                "worker_key_secret": self.worker_key_secret,
                "api_secret_key_secret": self.api_secret_key_secret,
                "jwt_secret": self.jwt_secret,
                "jwt_key_id_secret": self.jwt_key_id_secret,
                "jwks_secret": self.jwks_secret,
                "redis_password_secret": self.redis_password_secret,
                "admin_password_secret": self.admin_password_secret,
            }
        )


def _stored(
    name: str, escrow: Escrow, values: Mapping[str, pulumi.Output[str]], parent: pulumi.Resource
) -> pulumi.Resource:
    # Imported here, because only stacks in AWS need the AWS SDK, which loads slowly.
    from components.keys.escrow import KeyEscrow, KeyEscrowArgs

    escrow_args = KeyEscrowArgs(
        secret_name=escrow.name,
        values=values,
        region=escrow.region,
        account_id=escrow.account_id,
        tags=escrow.tags,
    )
    return KeyEscrow(f"{name}-escrow", escrow_args, pulumi.ResourceOptions(parent=parent)).stored
