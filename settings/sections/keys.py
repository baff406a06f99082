"""Keys that are already in use elsewhere, and where a stack keeps its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from components.keys.escrow_reader import escrow_name
from components.keys.existing_keys import DATA_KEYS, ExistingKeys
from components.keys.given_keys import (
    API_SECRET_KEY_MIN_BYTES,
    KEY_CHECKS,
    REDIS_PASSWORD_MIN_BYTES,
    GivenKeys,
)
from components.keys.jwt_keys import JWT_SECRET_MIN_BYTES
from components.kube.secret import Secret
from components.platform_args import AirflowPlatformArgs
from components.secrets.weak import fernet_weakness, weakness
from components.texts import fields
from settings.errors import remove_command, set_command
from settings.foreign_secrets import foreign_secret
from settings.keys import ConfigKey, Section
from settings.reading import Config
from settings.rotation import ROTATED, Mark
from settings.sections.cluster import PROTECT, AwsChoice, needs_aws

SECTION = Section("Keys", "each is generated once, unless a value in use elsewhere is given")


class KeySource(StrEnum):
    """`generate`: once, then kept in the state. `escrow`: read from AWS Secrets Manager. `secret`: never read."""

    GENERATE = "generate"
    ESCROW = "escrow"
    SECRET = "secret"


def _escrow_name(text: str) -> str:
    """Secrets Manager adds such a suffix to the ARN, and takes a name with one for it
    (docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html)."""
    if re.search(r"-[A-Za-z0-9]{6}$", escrow_name(text)):
        fields.refuse(
            "expected a name that does not end with a hyphen and six letters or digits, because Secrets Manager adds "
            f"that to an ARN, found {fields.shown(text)}: write {text[:-7]}, or a / in place of the hyphen"
        )
    return text


def _key_secret_problems(names: Mapping[str, str]) -> dict[str, str]:
    problems = {}
    for key, name in names.items():
        try:
            if key not in DATA_KEYS:
                fields.refuse(f"{fields.shown(key)}: expected one of {', '.join(DATA_KEYS)}")
            foreign_secret(name)
        except ValueError as error:
            problems[key] = str(error)
    return problems


def _admin_password(text: str) -> str:
    if KEY_CHECKS["admin_password"](text).startswith("-"):
        fields.refuse("expected a password that does not begin with -, which the command would take for an option")
    return text


KEY_SOURCE = SECTION.choice(
    "keySource",
    KeySource,
    default=KeySource.GENERATE,
    description="generate (once, then kept in the state), escrow (read from keyEscrow, for a stack that lost its "
    "state), or secret (the Fernet key, the API secret key and the JWT secret are in Secrets that something else puts "
    "into the namespace: keySecrets).",
)
KEY_SECRETS = SECTION.text_map(
    "keySecrets",
    description="Names of these Secrets, with keySource secret: "
    + ", ".join(f"{name} (its key {key})" for name, key in DATA_KEYS.items())
    + ".",
    problems_of=_key_secret_problems,
)
KEY_ESCROW = SECTION.optional(
    "keyEscrow",
    _escrow_name,
    description="Name of the secret in AWS Secrets Manager that holds a copy of all keys. Empty keeps none. Needs "
    "eksCluster.",
)
FERNET_KEY = SECTION.secret(
    "fernetKey",
    KEY_CHECKS["fernet_key"],
    description="Fernet key to use instead of a generated one; several with commas, the newest first.",
)
API_SECRET_KEY = SECTION.secret(
    "apiSecretKey",
    KEY_CHECKS["api_secret_key"],
    description=f"API secret key to use instead of a generated one, at least {API_SECRET_KEY_MIN_BYTES} bytes.",
)
JWT_SECRET = SECTION.secret(
    "jwtSecret",
    KEY_CHECKS["jwt_secret"],
    description=f"JWT secret to use instead of a generated one, at least {JWT_SECRET_MIN_BYTES} bytes; several with "
    "commas: the first signs, all are accepted.",
)
REDIS_PASSWORD = SECTION.secret(
    "redisPassword",
    KEY_CHECKS["redis_password"],
    description=f"Redis password to use instead of a generated one, at least {REDIS_PASSWORD_MIN_BYTES} bytes.",
)
# On a laptop a known password in plain text does no harm, because the UI is reached by port-forward only.
ADMIN_PASSWORD = SECTION.secret(
    "adminPassword",
    _admin_password,
    plain_unless=PROTECT,
    description="Admin password instead of a generated one.",
)
ADMIN_USERNAME = SECTION.text(
    "adminUsername",
    fields.username,
    default=AirflowPlatformArgs.admin_username,
    description="User name of the admin.",
)
ADMIN_EMAIL = SECTION.text(
    "adminEmail",
    fields.email,
    default=AirflowPlatformArgs.admin_email,
    description="E-mail address of the admin.",
)


ROTATION = SECTION.mark(
    "rotation",
    Mark.of,
    description="The rotation of a key that is under way. python -m automation rotate writes and removes it.",
)

ROTATION_SECRET = SECTION.secret(
    "rotationSecret",
    str,
    description="The value beside the one in use during a rotation: the password that Redis itself still has, the "
    "JWT secret that signs next, the deploy key that the Git host does not know yet, or the database role that nothing "
    "uses yet.",
)


def read_given_keys(config: Config) -> GivenKeys:
    """Return the keys that the config gives."""
    given = GivenKeys(
        fernet_key=config[FERNET_KEY],
        api_secret_key=config[API_SECRET_KEY],
        jwt_secret=config[JWT_SECRET],
        coming_jwt_secret=kept_beside(config, "jwt"),
        redis_password=config[REDIS_PASSWORD],
        redis_server_password=kept_beside(config, "redis-password"),
        admin_password=config[ADMIN_PASSWORD],
    )
    source = config[KEY_SOURCE]
    config.refuse_set(
        _ELSEWHERE[source],
        f"with {KEY_SOURCE.full} {source}, which holds it",
        instead=f"pulumi config set {KEY_SOURCE.full} generate",
    )
    if config[PROTECT] and source is not KeySource.ESCROW:
        _refuse_weak(config)
    return given


def read_existing_keys(config: Config) -> ExistingKeys | None:
    """Return the Secrets in which the keys of Airflow are, or None where the program makes them."""
    names = config[KEY_SECRETS]
    if config.bad(KEY_SOURCE, KEY_SECRETS):
        return None
    if config[KEY_SOURCE] is not KeySource.SECRET:
        config.refuse_set(
            (KEY_SECRETS,),
            f"with {KEY_SOURCE.full} {config[KEY_SOURCE]}",
            instead=f"pulumi config set {KEY_SOURCE.full} secret",
        )
        return None
    missing = [key for key in DATA_KEYS if key not in names]
    for key in missing:
        config.problem(
            KEY_SECRETS,
            f"{key}: expected the name of a Secret with {KEY_SOURCE.full} secret, found none",
            f"pulumi config set --path '{KEY_SECRETS.full}.{key}' NAME",
            one_of_many=True,
        )
    mark = config[ROTATION]
    if mark is not None and ROTATED[mark.key] in DATA_KEYS:
        config.problem(
            KEY_SOURCE,
            f"expected generate until the rotation of {mark.key} is done, found secret",
            f"pulumi config set {KEY_SOURCE.full} generate",
        )
    if missing:
        return None
    if len(set(names.values())) < len(DATA_KEYS):
        config.problem(
            KEY_SECRETS,
            "expected a Secret of its own for each key, found one with several: task pods refer to that of the API "
            "secret key, and must not read the others",
            f"edit {KEY_SECRETS.full} in Pulumi.STACK.yaml",
        )
    return ExistingKeys(
        fernet_key=names["fernetKey"], api_secret_key=names["apiSecretKey"], jwt_secret=names["jwtSecret"]
    )


_ELSEWHERE: Final[Mapping[KeySource, tuple[ConfigKey[Secret | None], ...]]] = {
    KeySource.GENERATE: (),
    KeySource.ESCROW: (FERNET_KEY, API_SECRET_KEY, JWT_SECRET, REDIS_PASSWORD, ADMIN_PASSWORD),
    KeySource.SECRET: (FERNET_KEY, API_SECRET_KEY, JWT_SECRET),
}
"""The keys that the config must not give, because their source does."""


def kept_beside(config: Config, rotated: str) -> Secret | None:
    """Return the value that a rotation keeps beside the new one, if it is this key that is rotated."""
    mark, beside = config[ROTATION], config[ROTATION_SECRET]
    return beside if mark is not None and mark.key == rotated else None


def refuse_guessable(config: Config, key: ConfigKey[Any], password: str, where: str) -> None:
    """Note a password of another system that anybody guesses. where: what has it, such as `the database`."""
    weak = weakness(password) if password and config[PROTECT] else None
    if weak is not None:
        config.problem(
            key,
            f"expected a password that is hard to guess if {PROTECT.full} is true, found {weak}",
            f"change it in {where}, then {set_command(key.full, key)}",
        )


def _refuse_weak(config: Config) -> None:
    """Note secrets that anybody guesses. A value that is not known here is an empty Secret."""
    secrets = {
        key: value.reveal()
        for key in (FERNET_KEY, API_SECRET_KEY, JWT_SECRET, REDIS_PASSWORD, ADMIN_PASSWORD)
        if (value := config[key]) is not None and value.reveal()
    }
    for key, secret in secrets.items():
        found = fernet_weakness(secret) if key is FERNET_KEY else weakness(secret)
        if found is not None:
            _refuse_secret(config, key, f"a value that is hard to guess if {PROTECT.full} is true, found {found}")
        same = [other.full for other in secrets if other is not key and secrets[other] == secret]
        if same and key is not API_SECRET_KEY:
            _refuse_secret(
                config, key, f"a value that no other key has if {PROTECT.full} is true, found that of {same[0]}"
            )


def _refuse_secret(config: Config, key: ConfigKey[Secret | None], text: str) -> None:
    generate = f"{remove_command(key)}, which lets the program generate it"
    config.problem(key, f"expected {text}", f"{set_command(key.full, key)}, or {generate}")


def read_key_source(config: Config, aws: AwsChoice | None) -> tuple[KeySource, str | None]:
    """Return where keys come from, and the name of the escrow or None."""
    source, escrow = config[KEY_SOURCE], config[KEY_ESCROW]
    if escrow is not None and source is KeySource.SECRET:
        config.must_not_be_set(
            KEY_ESCROW,
            f"with {KEY_SOURCE.full} secret: the program does not read these keys, so it can store no copy",
            instead=f"pulumi config set {KEY_SOURCE.full} generate",
        )
    elif escrow is not None:
        needs_aws(config, aws, KEY_ESCROW, "the escrow is")
    elif source is KeySource.ESCROW:
        config.problem(KEY_ESCROW, f"expected the name of the escrow with {KEY_SOURCE.full} escrow, found none")
    return source, escrow
