"""The keys that can be rotated: where each is kept, which pods get it, and how another value is made."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote, urlsplit

import outputs
from automation.rotation.stage_lists import (
    API_SERVER,
    REDIS,
    authority_stages,
    fernet_stages,
    git_stages,
    jwt_stages,
    login_stages,
    pull_stages,
    redis_stages,
    replacement_stages,
)
from automation.rotation.stages import RotationStage
from components.dags.ssh_private_key import new_private_key, normalise_private_key, public_key
from components.database.connection import CA_KEY, CA_VOLUME
from components.keys.jwt_keys import JWKS_KEY, JWKS_VOLUME, accepted, jwt_secrets, share_an_id
from components.kube.docker_config import docker_config
from settings.rotation import ROTATED

SERVERS: Final = ("api-server", "scheduler", "dag-processor", "triggerer")
"""Names of the containers that use the database."""
PRIVATE_KEY: Final = "gitSshKey"
"""The same as in `components.dags.git_ssh_key` (tested). Importing that would load the Kubernetes SDK."""
PULL_SECRET: Final = "airflow-image-pull-secret-"
"""Beginning of the name of the stack's own Secret with credentials for registries (tested)."""
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
CELERY_WORKER: Final = "worker"
"""Name of a Celery worker's container. That of a task pod has another one: such a pod ends with its task."""
TASK_POD: Final = "base"
"""Name of a task pod's container."""
FERNET_VARIABLE: Final = "AIRFLOW__CORE__FERNET_KEY"


@dataclass(frozen=True, kw_only=True)
class Use:
    """A variable or a volume by which pods get a key."""

    read: Callable[[Mapping[str, str]], str | None]
    """Returns the key in the data of the Secret; None if it is not there."""
    variable: str = ""
    """Name of the variable."""
    pulls: str = ""
    """How the names of the Secrets begin, if pods pull their images by it."""
    config_map: str = ""
    """Name of the volume, if a ConfigMap holds it."""
    containers: tuple[str, ...] = ()
    """Names of the containers that use the variable."""
    volume: str = ""
    """Name of the volume, if it is no variable."""
    accepts: bool = False
    """Whether it holds every value that a pod accepts, and not the one that the pod uses itself."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key that can be rotated."""

    name: str
    """What the verb calls it."""
    role: str = ""
    """Its field in the escrow; "" if the escrow does not hold it."""
    output: str = ""
    """The stack's output with the name of its Secret; "" if there is none, and the pods tell."""
    data_key: str
    """Its key in that Secret."""
    make: Callable[[], str] = str
    """Makes another value."""
    given: bool = False
    """Whether only somebody else can make a new value, so that it must be given."""
    check: Callable[[str], object] = str
    """Raises ValueError if a given value is not valid."""
    secret: bool = True
    """Whether the value is a secret."""
    stages: Callable[[Sequence[str], str], tuple[RotationStage, ...]]
    """Returns the stages from the values in use to a new one."""
    uses: tuple[Use, ...] = ()
    """The variables by which pods get it."""
    split: Callable[[str], tuple[str, ...]] | None = None
    """Returns the single keys of a value that may be several; None if a value is always one."""
    normal: Callable[[str], str] = str
    """Returns a value of the config as the program deploys it."""
    fits: Callable[[Sequence[str]], bool] = lambda values: True
    """Returns whether these values can be in use together."""
    told: Callable[[str], str] = lambda new: ""
    """Returns what a person must be told of a new value, without what is secret in it."""
    needs: str = ""
    """What a stack needs to use the key, in words."""
    first_use: bool = False
    """Whether only the first of the uses that any pod has counts, and not all of them."""
    database: str = ""
    """Which kind of database it is a login of, "" if of none: `container`, `external` or `managed`."""
    hidden: Callable[[str], tuple[str, ...]] = lambda value: (value,)
    """Returns the texts by which a value is recognised, in order to be masked."""

    @property
    def config_key(self) -> str:
        """Its config key, short."""
        return ROTATED[self.name]

    @property
    def resource(self) -> str:
        """The logical name of its Secret among the stack's keys, whose loss policies judge; "" if it is elsewhere."""
        return f"airflow-keys-{self.role.replace('_', '-')}" if self.role else ""

    def values(self, text: str) -> tuple[str, ...]:
        """Return the single values in a text of the config or of a Secret."""
        return self.split(text) if self.split else (self.normal(text),)


def _data(key: str) -> Callable[[Mapping[str, str]], str | None]:
    return lambda data: data.get(key)


def _password(uri: str) -> str | None:
    found = urlsplit(uri).password
    return None if found is None else unquote(found)


def _accepted(data: Mapping[str, str]) -> str | None:
    return ",".join(accepted(data[JWKS_KEY])) if JWKS_KEY in data else None


def _login(text: str) -> str:
    """Return a Docker config.json in one form, so that two can be compared; another text as it is."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def _certificates(text: str) -> tuple[str, ...]:
    return tuple(f"{block}\n" for block in _CERTIFICATE.findall(text))


def _pull_login(data: Mapping[str, str]) -> str | None:
    return _login(data[".dockerconfigjson"]) if ".dockerconfigjson" in data else None


def _authorities(data: Mapping[str, str]) -> str | None:
    return "".join(_certificates(data[CA_KEY])) if CA_KEY in data else None


def _check_certificates(text: str) -> None:
    # Imported here: the parser of certificates loads slowly.
    from components.database.rds_certificates import certificate_problems

    problems = certificate_problems(text, now=datetime.now(UTC))
    if problems:
        raise ValueError(problems[0])


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


KEYS: Final[Mapping[str, Key]] = {
    key.name: key
    for key in (
        Key(
            name="fernet",
            role="fernet_key",
            output=outputs.FERNET_KEY_SECRET,
            data_key="fernet-key",
            make=_fernet_key,
            stages=fernet_stages,
            uses=(Use(variable=FERNET_VARIABLE, containers=SERVERS, read=_data("fernet-key")),),
            split=lambda text: tuple(text.split(",")),
        ),
        Key(
            name="api-secret-key",
            role="api_secret_key",
            output=outputs.API_SECRET_KEY_SECRET,
            data_key="api-secret-key",
            make=lambda: secrets.token_hex(32),
            stages=replacement_stages,
            uses=(
                Use(
                    variable="AIRFLOW__API__SECRET_KEY",
                    containers=(*SERVERS, CELERY_WORKER),
                    read=_data("api-secret-key"),
                ),
            ),
        ),
        Key(
            name="admin-password",
            role="admin_password",
            output=outputs.ADMIN_PASSWORD_SECRET,
            data_key="password",
            make=lambda: secrets.token_hex(12),
            stages=login_stages,
        ),
        Key(
            name="jwt",
            role="jwt_secret",
            output=outputs.JWT_SECRET,
            data_key="jwt-secret",
            make=lambda: secrets.token_hex(48),
            stages=jwt_stages,
            uses=(
                Use(
                    variable="AIRFLOW__API_AUTH__JWT_SECRET",
                    containers=(API_SERVER, "scheduler"),
                    read=_data("jwt-secret"),
                ),
                Use(volume=JWKS_VOLUME, accepts=True, read=_accepted),
            ),
            split=jwt_secrets,
            fits=lambda values: not share_an_id(values),
            normal=lambda text: jwt_secrets(text)[0],
        ),
        Key(
            name="redis-password",
            role="redis_password",
            output=outputs.REDIS_PASSWORD_SECRET,
            data_key="password",
            make=lambda: secrets.token_hex(20),
            stages=redis_stages,
            uses=(
                Use(
                    variable="AIRFLOW__CELERY__BROKER_URL",
                    containers=("scheduler", CELERY_WORKER),
                    read=lambda data: _password(data.get("connection", "")),
                ),
                Use(variable="REDIS_PASSWORD", containers=(REDIS,), read=_data("password")),
            ),
            needs="Redis",
        ),
        Key(
            name="git-key",
            data_key=PRIVATE_KEY,
            make=new_private_key,
            stages=git_stages,
            uses=(Use(volume="git-sync-ssh-key", read=_data(PRIVATE_KEY)),),
            normal=normalise_private_key,
            told=lambda new: f"register this deploy key, for reading only, at the Git host: {public_key(new)}",
            needs="git-sync with a deploy key",
        ),
        Key(
            name="registry",
            data_key=".dockerconfigjson",
            given=True,
            check=docker_config,
            stages=pull_stages,
            uses=(Use(pulls=PULL_SECRET, read=_pull_login),),
            normal=_login,
            needs="airflow:registryCredentials",
        ),
        Key(
            name="ca",
            data_key="",
            given=True,
            check=_check_certificates,
            secret=False,
            stages=authority_stages,
            uses=(Use(config_map=CA_VOLUME, read=_authorities),),
            split=_certificates,
            told=lambda new: "let the database's operator give it a certificate of the new authority",
            needs="airflow:databaseCaCertificate",
        ),
    )
}
"""The keys by the name that the verb gives them, but for the database's login: see `database_keys.py`."""
