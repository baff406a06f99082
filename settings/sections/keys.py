"""Keys that are in use elsewhere, and where a stack keeps its own."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum

from components import fields as checks
from components.keys.escrow_reader import escrow_name
from components.keys.given_keys import GivenKeys
from settings.reader import PROJECT, Reader
from settings.sections.aws import AwsChoice, needs_aws

_JWT_SECRET_MIN_BYTES = 64  # HS512 refuses a shorter key (RFC 7518, section 3.2)
_API_SECRET_KEY_MIN_LENGTH = 32
_PASSWORD_MIN_LENGTH = 8
_CONFIG_KEYS = {
    "fernet_key": "fernetKey",
    "api_secret_key": "apiSecretKey",
    "jwt_secret": "jwtSecret",
    "redis_password": "redisPassword",
    "admin_password": "adminPassword",
}


class KeySource(StrEnum):
    """`generate`: once, then kept in the state. `escrow`: read from AWS Secrets Manager."""

    GENERATE = "generate"
    ESCROW = "escrow"


def read_given_keys(read: Reader) -> GivenKeys:
    """The keys fernetKey, apiSecretKey, jwtSecret, redisPassword and adminPassword."""
    return GivenKeys(
        fernet_key=read.secret("fernetKey", checks.fernet_key),
        api_secret_key=read.secret("apiSecretKey", checks.long_secret(_API_SECRET_KEY_MIN_LENGTH)),
        jwt_secret=read.secret("jwtSecret", checks.long_secret(_JWT_SECRET_MIN_BYTES)),
        redis_password=read.secret("redisPassword", checks.long_secret(_PASSWORD_MIN_LENGTH)),
        # On a laptop a known password in plain text does no harm; the UI is reached by port-forward only.
        admin_password=read.secret("adminPassword", checks.secret_line, plain_allowed=not read.boolean("protect")),
    )


def read_key_source(read: Reader, aws: AwsChoice | None, given: GivenKeys) -> tuple[KeySource, str | None]:
    """The keys keySource and keyEscrow: the source, and the name of the escrow or None."""
    source = read.choice("keySource", KeySource)
    escrow = read.text("keyEscrow", escrow_name, empty=True)
    if escrow is not None:
        needs_aws(read, aws, "keyEscrow", "the escrow is")
    if source is KeySource.ESCROW:
        if escrow is None:
            read.problem("keyEscrow", "expected the name of the escrow with airflow:keySource escrow, found none")
        for field in fields(GivenKeys):
            if getattr(given, field.name) is not None:
                key = _CONFIG_KEYS[field.name]
                read.problem(
                    key,
                    "expected none with airflow:keySource escrow, which holds it, found one",
                    f"pulumi config rm {PROJECT}:{key}, or pulumi config set {PROJECT}:keySource generate",
                )
    return source, escrow
