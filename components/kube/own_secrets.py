"""The names of the stack's own Secrets, and what each holds.

A Secret is named after its resource, with a generated ending: `airflow-keys-fernet-key-1a2b3c4d`. A test compares the
names here with those that the program registers.
"""

from __future__ import annotations

import re
from enum import StrEnum, unique
from typing import Final


@unique
class Holds(StrEnum):
    """The content of a Secret of the stack."""

    DATABASE = "a way into the database"
    FERNET_KEY = "the Fernet key"
    WORKER_KEY = "the key of the workers"
    API_KEY = "the API secret key"
    JWT_SECRET = "the JWT secret"
    REDIS_PASSWORD = "the password of Redis"
    ADMIN_PASSWORD = "the admin's password"
    OTHER_KEY = "a key of the stack"
    QUEUE = "the address of the queue"
    GIT = "a login for the DAG repository"
    OIDC = "the client secret of single sign-on"
    CONNECTIONS = "connections or variables of Airflow"
    REGISTRY = "a login for the image registry"


_NAMES: Final = {
    "airflow-keys-fernet-key": Holds.FERNET_KEY,
    "airflow-keys-worker-key": Holds.WORKER_KEY,
    "airflow-keys-api-secret-key": Holds.API_KEY,
    "airflow-keys-jwt-secret": Holds.JWT_SECRET,
    "airflow-keys-jwt-key-id": Holds.JWT_SECRET,
    "airflow-keys-jwks": Holds.JWT_SECRET,
    "airflow-keys-redis-password": Holds.REDIS_PASSWORD,
    "airflow-keys-admin-password": Holds.ADMIN_PASSWORD,
    "airflow-keys-database-password": Holds.DATABASE,
    "airflow-keys": Holds.OTHER_KEY,
    "airflow-database-broker": Holds.QUEUE,
    "airflow-database-result-backend": Holds.QUEUE,
    "airflow-database": Holds.DATABASE,
    "airflow-postgres": Holds.DATABASE,
    "airflow-worker-scaler": Holds.DATABASE,
    "airflow-git-ssh-key": Holds.GIT,
    "airflow-git-bundle": Holds.GIT,
    "airflow-git-token": Holds.GIT,
    "airflow-image-pull-secret": Holds.REGISTRY,
    "airflow-oidc-client": Holds.OIDC,
    "airflow-connections": Holds.CONNECTIONS,
    "airflow-preflight": Holds.OTHER_KEY,  # of a pod that tries a new login, as long as it runs
}
"""Beginnings of names; the first that fits counts."""


def names_of(*kinds: Holds) -> str:
    """Return the beginnings of the names of Secrets of some kinds, or of all, as a regular expression has them."""
    wanted = [name for name, what in _NAMES.items() if not kinds or what in kinds]
    return "|".join(name for name in wanted if not any(name.startswith(f"{shorter}-") for shorter in wanted))


OWN_SECRET: Final = re.compile(rf"(?<![\w.-])(?:{names_of()})\b")
"""A name of a Secret of the stack, in a text."""


def holds(name: str) -> Holds | None:
    """Return what the Secret of this name holds, or None for one that is not the stack's."""
    return next((what for start, what in _NAMES.items() if re.match(rf"{start}\b", name)), None)
