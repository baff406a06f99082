"""A database URI is read as SQLAlchemy reads it."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from components.database.uri import DatabaseUri, read_database_uri
from tests.cases import each


def read(text: str) -> DatabaseUri:
    uri = read_database_uri(text)
    assert uri is not None
    return uri


@each("password", ["hunter2", "hun/ter2", "12#34", "hun[ter2", "hun?ter2", "p%40ss", ""])
def test_parts_are_those_that_sqlalchemy_finds(password: str) -> None:
    text = f"postgresql+psycopg2://air%2Fflow:{password}@db.test:5433/metadata?sslmode=verify-full"
    uri, url = read(text), make_url(text)
    assert uri.is_clear
    assert uri.dialect == "postgresql"
    assert (uri.user, uri.password, uri.host, uri.port, uri.name) == (
        url.username,
        url.password,
        url.host,
        url.port,
        url.database,
    )
    assert uri.parameter("sslmode", "ssl") == "verify-full"
    assert not password or password not in repr(uri)


def test_host_may_be_an_ipv6_address() -> None:
    assert (read("postgresql://u@[2001:db8::1]:1/n").host, read("postgresql://u@[::1]/n").port) == ("2001:db8::1", None)


@each(
    "text",
    [
        "postgresql://u:p@ss@db.test/n",
        "postgresql://u:p@/n",
        "postgresql://u:p@db.test",
        "postgresql://u:p@db.test/",
        "postgresql://u:p@db.test:port/n",
        "postgresql://u:p@db.test/n@m",
        "postgresql://u:p@[::1/n",
    ],
)
def test_uri_that_could_only_be_a_mistake_is_not_clear(text: str) -> None:
    assert not read(text).is_clear


def test_text_that_is_no_uri_is_none() -> None:
    assert read_database_uri("postgres is a word") is None


def test_first_parameter_that_is_there_counts() -> None:
    uri = read("postgresql+asyncpg://db.test/n?ssl=prefer")
    assert (uri.parameter("sslmode", "ssl"), uri.parameter("sslmode")) == ("prefer", "")


@given(st.text(alphabet="ab1%/:@[]?=&#é \n", max_size=40) | st.text(max_size=40))
def test_what_is_clear_is_what_sqlalchemy_finds_in_any_text(text: str) -> None:
    uri = read(f"postgresql://{text}")
    if uri.is_clear:
        url = None
        with suppress(ArgumentError, ValueError):
            url = make_url(f"postgresql://{text}")
        assert url is not None
        found = (url.username or "", url.password or "", url.host, url.port, url.database)
        assert (uri.user, uri.password, uri.host, uri.port, uri.name) == found
