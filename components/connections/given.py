"""Connections and variables of Airflow that a config gives, and the environment variables that hold them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from components.kube.ports import LAST_PORT
from components.kube.secret import Secret

_CONNECTION: Final = "AIRFLOW_CONN_"
_VARIABLE: Final = "AIRFLOW_VAR_"

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", re.ASCII)
"""Stricter than Airflow (models/connection.py, `sanitize_conn_id`): a data key of a Secret has no other characters."""
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+._-]*://\S*")
_FIELDS: Final = frozenset({"conn_type", "description", "host", "schema", "login", "password", "port", "extra", "uri"})
"""Fields of a connection in JSON: arguments of `Connection` (airflow 3.2.2, models/connection.py, `from_json`)."""
_NO_NAME: Final = "expected a name of letters, digits and _ . - that begins with a letter, a digit or _"


@dataclass(frozen=True, kw_only=True)
class GivenConnections:
    """Connections and variables that the server components read from their environment."""

    connections: Mapping[str, Secret] = field(default_factory=dict)
    """URI or JSON of each connection, by its id."""
    variables: Mapping[str, Secret] = field(default_factory=dict)
    """Value of each variable, by its name."""

    def environment(self) -> dict[str, Secret]:
        """Return the value of each environment variable, by its name."""
        return {
            **{f"{_CONNECTION}{name.upper()}": value for name, value in sorted(self.connections.items())},
            **{f"{_VARIABLE}{name.upper()}": value for name, value in sorted(self.variables.items())},
        }


def connection(name: str, value: Any) -> Secret:
    """Return a connection as Airflow reads it from its environment. Raises ValueError; no message shows the value."""
    _check_name(name)
    if isinstance(value, Mapping):
        return Secret(_json_connection(value))
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        if isinstance(found, Mapping):
            return Secret(_json_connection(found))
    if not isinstance(value, str) or not _URI.fullmatch(value):
        raise ValueError(
            "expected a connection as TYPE://LOGIN:PASSWORD@HOST:PORT/SCHEMA, each part with its special characters as "
            "%XX, or as a map with conn_type, found another value"
        )
    _check_port_of(value)
    return Secret(value)


def variable(name: str, value: Any) -> Secret:
    """Return a variable's text; a map or list as JSON. Raises ValueError; no message shows the value."""
    _check_name(name)
    if isinstance(value, str):
        return Secret(value)
    if value is None:
        raise ValueError("expected a text, a number, a list or a map, found none")
    return Secret(json.dumps(value))


def collisions(names: Mapping[str, Any]) -> dict[str, str]:
    """Return the problem of each name that differs from an earlier one in its case alone: both are one variable."""
    first: dict[str, str] = {}
    found = {}
    for name in names:
        if name.upper() in first:
            found[name] = f"expected names that differ in more than their case, found {first[name.upper()]} too"
        first.setdefault(name.upper(), name)
    return found


def taken(is_managed: Callable[[str], bool], given: GivenConnections) -> list[str]:
    """Return the ids and names whose environment variable the program sets itself."""
    return [name.removeprefix(_CONNECTION).removeprefix(_VARIABLE) for name in given.environment() if is_managed(name)]


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{_NO_NAME}, found another")


def _json_connection(fields: Mapping[str, Any]) -> str:
    unknown = sorted(key for key in fields if key not in _FIELDS)
    if unknown or not (fields.get("conn_type") or fields.get("uri")):
        what = f"an unknown field ({len(unknown)})" if unknown else "no conn_type"
        raise ValueError(f"expected a map with conn_type and fields of a connection ({_listed()}), found {what}")
    port, extra = fields.get("port"), fields.get("extra")
    if port not in (None, "") and not _is_port(port):
        raise ValueError(f"expected a port from 1 to {LAST_PORT} in it, found another value")
    if extra not in (None, "") and not _is_map(extra):
        raise ValueError("expected a map as extra, or the JSON of one, found another value")
    if isinstance(uri := fields.get("uri"), str):
        _check_port_of(uri)
    return json.dumps(dict(fields), sort_keys=True)


def _check_port_of(uri: str) -> None:
    """Read the port as Airflow does. If the URI has two schemes, the port follows the second.

    See models/connection.py, `_parse_from_uri`.
    """
    try:
        port = urlsplit(re.sub(r"^[^:/]+://(?=[^:/]+://)", "", uri)).port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"expected a port from 1 to {LAST_PORT} in it, or none, found another")


def _is_port(value: Any) -> bool:
    text = str(value)
    return not isinstance(value, bool) and text.isdecimal() and text.isascii() and 1 <= int(text) <= LAST_PORT


def _is_map(value: Any) -> bool:
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(value) if isinstance(value, str) else value, Mapping)
    return False


def _listed() -> str:
    return ", ".join(sorted(_FIELDS - {"conn_type", "uri"}))
