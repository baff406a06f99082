"""Connections and variables become environment variables as Airflow reads them; bad ones are refused unseen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.connections.given import GivenConnections, collisions, connection, variable
from components.kube.secret import Secret

SENTINEL = "sentinel-password"


def test_each_connection_and_variable_has_the_variable_that_airflow_asks_for() -> None:
    given = GivenConnections(
        connections={"my_db": Secret("postgres://x"), "a-b.c": Secret("http://y")}, variables={"Limit": Secret("7")}
    )
    assert given.environment() == {
        "AIRFLOW_CONN_MY_DB": Secret("postgres://x"),
        "AIRFLOW_CONN_A-B.C": Secret("http://y"),
        "AIRFLOW_VAR_LIMIT": Secret("7"),
    }


def test_a_connection_is_a_uri_or_json_of_known_fields() -> None:
    uri = f"postgres://me:{SENTINEL}@db.example.com:5432/main?sslmode=require"
    assert connection("my_db", uri).reveal() == uri
    given = {"conn_type": "http", "host": "x", "password": SENTINEL, "extra": {"a": [1]}, "port": 80}
    for value in (given, json.dumps(given)):
        assert json.loads(connection("my_http", value).reveal()) == given
    assert connection("aws", "aws://").reveal() == "aws://"


def test_what_airflow_could_not_read_is_refused_and_not_shown() -> None:
    bad: tuple[tuple[str, Any, str], ...] = (
        ("my_db", SENTINEL, "expected a connection as"),
        ("my_db", f"postgres://me:{SENTINEL} x@db", "special characters as %XX"),
        ("my_db", "", "expected a connection as"),
        ("my_db", 7, "expected a connection as"),
        ("my_db", [SENTINEL], "expected a connection as"),
        ("my_db", f'{{"conn_type": "http", "password": {SENTINEL}', "expected a connection as"),
        ("my_db", {"host": SENTINEL}, "found no conn_type"),
        ("my_db", {"conn_type": "http", "pasword": SENTINEL}, "found an unknown field"),
        ("my_db", {"conn_type": "http", "conn_id": SENTINEL}, "found an unknown field"),
        ("my db", "http://x", "expected a name"),
        ("", "http://x", "expected a name"),
        ("a=b", "http://x", "expected a name"),
        ("-x", "http://x", "expected a name"),
    )
    for name, value, says in bad:
        with pytest.raises(ValueError, match=r"expected") as error:
            connection(name, value)
        assert says in str(error.value), (name, value)
        assert SENTINEL not in str(error.value)


def test_a_variable_is_a_text_or_json() -> None:
    assert variable("limit", "a text").reveal() == "a text"
    assert variable("limit", 7).reveal() == "7"
    assert json.loads(variable("limit", {"a": [True]}).reveal()) == {"a": [True]}
    with pytest.raises(ValueError, match="found none"):
        variable("limit", None)


def test_names_that_differ_in_their_case_alone_are_named() -> None:
    assert collisions({"my_db": 1, "other": 2}) == {}
    assert list(collisions({"my_db": 1, "My_DB": 2})) == ["My_DB"]
