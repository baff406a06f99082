"""The login of the database as a key: who makes another one depends on the kind of the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from automation.rotation import database
from automation.rotation.database_stages import container_stages, given_stages, managed_stages
from automation.rotation.keys import KEYS, SERVERS, Key, Use
from components.database.uri import URI_VARIABLE
from components.texts import fields

NAME: Final = "database-password"
CONTAINER, EXTERNAL, MANAGED = "container", "external", "managed"
EXPORTER: Final = "exporter"
"""Name of the container that measures Airflow (tested)."""


def check_login(text: str) -> None:
    """Raise ValueError unless a text is a role and its password."""
    role, separator, password = _line(text).partition(":")
    if not separator or not password or password.startswith("//"):  # a URI
        fields.refuse("expected a file with ROLE:PASSWORD, found something else")
    fields.database_name(role)
    fields.secret_line(password)


def _line(text: str) -> str:
    return text.rstrip("\r\n")


def _hidden(login: str) -> tuple[str, ...]:
    return (login, login.partition(":")[2])


_COMMON: Final[Mapping[str, Any]] = {
    "name": NAME,
    "data_key": "",
    "uses": (
        # Behind PgBouncer pods have a login of PgBouncer.
        Use(volume="pgbouncer-config", read=database.login_in),
        Use(variable=URI_VARIABLE, containers=(*SERVERS, EXPORTER), read=database.login_in_uri),
    ),
    "first_use": True,
    "hidden": _hidden,
}
DATABASE_KEYS: Final[Mapping[str, Key]] = {
    CONTAINER: Key(**_COMMON, database=CONTAINER, make=database.new_login, stages=container_stages),
    MANAGED: Key(**_COMMON, database=MANAGED, make=database.new_login, stages=managed_stages),
    EXTERNAL: Key(**_COMMON, database=EXTERNAL, given=True, check=check_login, normal=_line, stages=given_stages),
}
"""The login of a database as a key, by the kind of the database."""


def rotated_key(name: str, kind: str) -> Key:
    """Return a key by the name that the verb gives it. kind: of the stack's database."""
    return DATABASE_KEYS[kind] if name == NAME else KEYS[name]
