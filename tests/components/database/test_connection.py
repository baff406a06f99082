"""Connection strings: whatever a password holds, every reader finds it again."""

from __future__ import annotations

import re
import string
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from components.database.connection import (
    Database,
    SslMode,
    connection_uri,
    metadata_async_uri,
    metadata_uri,
    redis_uri,
)
from components.kube.secret import Secret
from tests.cases import each

PRINTABLE: Final = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)
ALL_ASCII: Final = string.punctuation + " " + string.ascii_letters + string.digits
NAMES: Final = st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True)
HOSTS: Final = st.one_of(
    st.sampled_from(["db", "airflow-postgres-1a2b3c", "db.example.internal"]), st.ip_addresses().map(str)
)
PORTS: Final = st.integers(1, 65535)


def sqlalchemy_parts(uri: str) -> dict[str, str | None]:
    """The parts of a URI by the expression that SQLAlchemy's `make_url` documents and uses (RFC 1738)."""
    match = re.fullmatch(
        r"(?P<name>[\w\+]+)://(?:(?P<username>[^:/]*)(?::(?P<password>[^@]*))?@)?"
        r"(?:(?:\[(?P<ipv6host>[^/\?]+)\]|(?P<ipv4host>[^/:\?]+))?(?::(?P<port>[^/\?]*))?)?"
        r"(?:/(?P<database>[^\?]*))?(?:\?(?P<query>.*))?",
        uri,
    )
    assert match is not None, uri
    parts = match.groupdict()
    return {
        **parts,
        "username": unquote(parts["username"]),
        "password": unquote(parts["password"]),
        "host": parts["ipv6host"] or parts["ipv4host"],
    }


@given(user=NAMES, password=PRINTABLE, host=HOSTS, port=PORTS, name=NAMES, mode=st.sampled_from(SslMode))
@example(user="u", password=ALL_ASCII, host="db", port=1, name="n", mode=SslMode.REQUIRE)
@example(user="u", password="%41$HOME~\u2028\U0001f511é", host="::1", port=1, name="n", mode=SslMode.DISABLE)
def test_every_reader_finds_every_part_again(
    user: str, password: str, host: str, port: int, name: str, mode: SslMode
) -> None:
    for write, driver, parameter in (
        (metadata_uri, "postgresql+psycopg2", "sslmode"),
        (metadata_async_uri, "postgresql+asyncpg", "ssl"),
    ):
        uri = write(user, password, host, port, name, mode)
        parts = sqlalchemy_parts(uri)
        assert (parts["name"], parts["username"], parts["password"]) == (driver, user, password)
        assert (parts["host"], parts["port"], parts["database"]) == (host, str(port), name)
        split = urlsplit(uri)
        assert unquote(split.password or "") == password
        assert (split.hostname, split.port, split.path) == (host, port, f"/{name}")
        expected = {} if mode is SslMode.PREFER else {parameter: [mode.value]}
        assert parse_qs(split.query) == expected, "asyncpg refuses `sslmode`, psycopg2 `ssl`"


@given(PRINTABLE)
@example(ALL_ASCII)
def test_nothing_in_a_uri_is_expanded_on_its_way(password: str) -> None:
    """Airflow expands `$NAME` and `~` in a value from the environment, until nothing changes."""
    for uri in (metadata_uri("u", password, "db", 1, "n", SslMode.REQUIRE), redis_uri(password, "redis", 0)):
        assert "$" not in uri
        assert not uri.startswith("~")
        assert uri.isascii()
        assert uri.isprintable()
        assert " " not in uri


@given(PRINTABLE, st.integers(0, 15), PORTS)
@example(ALL_ASCII, 0, 6379)
def test_kombu_and_redis_find_the_password_and_the_database(password: str, database: int, port: int) -> None:
    """As `kombu.utils.url.parse_url` and `redis.connection.parse_url` do it."""
    split = urlsplit(redis_uri(password, "airflow-redis", database, port))
    assert split.scheme == "redis"
    assert not split.username, "a user name would ask for Redis's access lists"
    assert unquote(split.password or "") == password
    assert (split.hostname, split.port) == ("airflow-redis", port)
    assert int(unquote(split.path).replace("/", "")) == database
    assert (split.query, split.fragment) == ("", "")


def test_port_of_redis_is_the_usual_one() -> None:
    assert redis_uri("p", "airflow-redis", 1) == "redis://:p@airflow-redis:6379/1"


@each(
    ("mode", "query", "async_query"),
    [
        (SslMode.PREFER, "", ""),
        (SslMode.DISABLE, "?sslmode=disable", "?ssl=disable"),
        (SslMode.REQUIRE, "?sslmode=require", "?ssl=require"),
        (SslMode.VERIFY_FULL, "?sslmode=verify-full", "?ssl=verify-full"),
    ],
)
def test_tls_mode_is_given_as_each_driver_reads_it(mode: SslMode, query: str, async_query: str) -> None:
    assert metadata_uri("u", "p", "h", 5, "n", mode) == f"postgresql+psycopg2://u:p@h:5/n{query}"
    assert metadata_async_uri("u", "p", "h", 5, "n", mode) == f"postgresql+asyncpg://u:p@h:5/n{async_query}"


def test_address_of_ipv6_is_in_brackets() -> None:
    uri = connection_uri(driver="d", user="u", password="p", host="fd00::1", port=5, name="n")
    assert uri == "d://u:p@[fd00::1]:5/n"


@each(
    ("mode", "certificates"),
    [(SslMode.VERIFY_FULL, None), (SslMode.VERIFY_CA, None), (SslMode.REQUIRE, "PEM"), (SslMode.PREFER, "PEM")],
)
def test_authorities_are_given_where_they_are_asked_and_nowhere_else(mode: SslMode, certificates: str | None) -> None:
    """With verify-full and without them libpq looks in the home of a user; with `require` it would ignore them."""
    with pytest.raises(ValueError, match="ca_certificates: must be set with verify-ca or verify-full and only then"):
        Database(
            host="h", port=1, name="n", user="u", password=Secret("p"), ssl_mode=mode, ca_certificates=certificates
        )
