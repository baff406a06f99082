"""Reads the URI of a database as SQLAlchemy does (`_parse_url` in sqlalchemy/engine/url.py).

A password in it may contain characters that are not allowed in other URIs, so urllib would read it wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote

POSTGRES: Final = ("postgresql", "postgres")
"""Dialects that are PostgreSQL."""
URI_VARIABLE: Final = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
"""The variable that tells Airflow the URI of its database."""
_URI: Final = re.compile(
    r"""
    (?P<dialect>\w+)(?:\+\w+)?://
    (?:(?P<user>[^:/]*) (?::(?P<password>[^@]*))? @)?
    (?:\[(?P<ipv6>[^/?]+)\] | (?P<host>[^/:?]+))?
    (?P<path>[^?]*)
    (?:\?(?P<query>.*))?
    """,
    re.VERBOSE | re.DOTALL,
)
_PATH: Final = re.compile(r"(?::(?P<port>[0-9]{1,5}))?/(?P<name>[^@]+)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class DatabaseUri:
    """The parts of a URI, decoded; "" where there is none."""

    dialect: str
    """Without its driver: `postgresql` of `postgresql+psycopg2`."""
    user: str
    password: str = field(repr=False)
    host: str
    """Without the brackets of an IPv6 address."""
    port: int | None
    name: str
    """The name of the database."""
    parameters: Mapping[str, list[str]] = field(repr=False)
    """What follows the question mark."""
    is_clear: bool
    """Whether it has a host and a name, its port is a number, and no @ is left that is not encoded: SQLAlchemy takes
    what follows the first @ for the host."""

    def parameter(self, *names: str) -> str:
        """Return the first of these parameters that the URI has, else ""."""
        return next((self.parameters[name][0] for name in names if name in self.parameters), "")


def read_database_uri(text: str) -> DatabaseUri | None:
    """Return the parts of a URI as far as they can be read; None for what is no URI. Check `is_clear` to rely on it."""
    uri = _URI.match(text)
    if uri is None:
        return None
    host, path = uri["ipv6"] or uri["host"] or "", _PATH.fullmatch(uri["path"])
    return DatabaseUri(
        dialect=uri["dialect"],
        user=unquote(uri["user"] or ""),
        password=unquote(uri["password"] or ""),
        host=host,
        port=int(path["port"]) if path is not None and path["port"] else None,
        name=unquote(path["name"]) if path is not None else "",
        parameters=parse_qs(uri["query"] or ""),
        is_clear=bool(host) and path is not None and not set(host) & set("@[]"),
    )
