"""A Redis outside the stack that hands Celery's tasks to workers, and its URL as Airflow's pods get it.

No message shows a part of the URL: it holds a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from components.database.host import server_host
from components.kube.ports import LAST_PORT
from components.kube.secret import SecretInput
from components.texts.fields import refuse

BROKER_VARIABLE: Final = "AIRFLOW__CELERY__BROKER_URL"
"""The variable by which Celery learns its broker."""
_PORT: Final = 6379
_URL: Final = re.compile(
    r"""
    (?P<scheme>rediss?)://
    (?:(?P<user>[^:/?\#@\s]*)(?::(?P<password>[^/?\#@\s]*))?@)?
    (?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:/?\#@\[\]\s]+))
    (?::(?P<port>[0-9]{1,5}))?
    (?:/(?P<database>[0-9]{0,5}))?
    (?:\?(?P<query>[^\#\s]*))?
    """,
    re.VERBOSE,
)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_VERIFIED: Final = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true"}
"""What makes the clients verify the server and its name. By default redis-py 5 does not look at the name, and Celery
refuses a `rediss://` without the first (celery/backends/redis.py)."""
_SAME: Final = {"CERT_REQUIRED": "required", "True": "true"}


@dataclass(frozen=True, kw_only=True)
class BrokerUrl:
    """The parts of a broker's URL, of which the whole is a secret."""

    host: str
    """DNS name or address, as pods see it."""
    port: int
    """TCP port."""
    tls: bool
    """Whether clients use TLS. They then verify the server's certificate and the name in it."""
    password: str
    """The password, decoded; "" without one."""
    whole: str
    """The URL for Airflow's pods, in which every part is percent-encoded."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.host}:{self.port})"


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A Redis outside the stack, in place of that of the chart. Celery's results are in the same database of it."""

    host: str
    """DNS name or address, as pods see it."""
    port: int
    """TCP port."""
    tls: bool
    """Whether clients use TLS."""
    url: SecretInput
    """The URL, see `BrokerUrl.whole`."""
    cidrs: tuple[str, ...]
    """IPv4 or IPv6 networks that it may be in. Used by network isolation only."""


def broker_url(text: str) -> BrokerUrl:
    """Read `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` for TLS. Raises ValueError."""
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme[1] not in ("redis", "rediss"):
        _refuse_scheme(scheme[1].lower())
    found = _URL.fullmatch(text)
    if found is None:
        refuse(
            "expected redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS, with all but letters, digits and "
            "-._~ of user and password percent-encoded, found something else, which is not shown"
        )
    port = int(found["port"] or _PORT)
    if not 1 <= port <= LAST_PORT:
        refuse(f"expected a port from 1 to {LAST_PORT}, found another number")
    host, tls = server_host(found["ipv6"] or found["host"], "broker"), found["scheme"] == "rediss"
    _check_query(found["query"] or "", tls=tls)
    user, password = unquote(found["user"] or ""), unquote(found["password"] or "")
    if user and not password:
        refuse("expected a password beside the user, found none: redis://:PASSWORD@HOST has a password alone")
    # Airflow expands `$NAME` and `~` in the variable, so nothing but what is safe in a URI stays as it is.
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
    address = f"[{host}]" if ":" in host else host
    query = f"?{urlencode(_VERIFIED)}" if tls else ""
    whole = f"{found['scheme']}://{login}{address}:{port}/{int(found['database'] or 0)}{query}"
    return BrokerUrl(host=host, port=port, tls=tls, password=password, whole=whole)


def _refuse_scheme(scheme: str) -> None:
    if scheme.startswith("sentinel"):
        refuse(
            "expected redis:// or rediss://, found Sentinel, whose master's name and further hosts have no place in "
            "it: name a service in front of the Sentinels that leads to the master"
        )
    if scheme.startswith(("amqp", "pyamqp")):
        refuse(
            "expected redis:// or rediss://, found RabbitMQ, which cannot keep the results of tasks: workers would "
            "need the database for them, which is closed to workers"
        )
    refuse("expected redis:// or rediss://, found another scheme: nothing else is both a broker and a result backend")


def _check_query(query: str, *, tls: bool) -> None:
    """Refuse every parameter that says something else than the program adds itself."""
    given = [(name, _SAME.get(value, value)) for name, value in parse_qsl(query, keep_blank_values=True)]
    if all(item in _VERIFIED.items() for item in given) and (tls or not given):
        return
    if not tls and any(name.startswith("ssl_") for name, _ in given):
        refuse("expected rediss:// with options of TLS, found redis://, which has no TLS")
    if any(name in ("ssl_cert_reqs", "ssl_check_hostname") for name, _ in given):
        refuse("expected that the server's certificate and its name are verified, found that they are not")
    refuse("expected no options behind the database's number, found some, which are not shown")
