"""PgBouncer's files, read back as its documentation describes them."""

from __future__ import annotations

import re
import string
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from components.database.connection import CA_FILE, SslMode
from components.database.pgbouncer import METADATA_POOL, PORT, STATS_USER, render_ini, render_users
from tests.cases import each

PRINTABLE: Final = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)
ALL_ASCII: Final = string.punctuation + " " + string.ascii_letters + string.digits


def read_users(text: str) -> dict[str, str]:
    """`auth_file`: at least two fields in double quotes on a line; a quote in a field is written twice."""
    found = {}
    for line in text.split("\n"):
        if line:
            fields, rest = [], line
            while rest.startswith('"'):
                field, position = "", 1
                while position < len(rest):
                    if rest[position : position + 2] == '""':
                        field, position = field + '"', position + 2
                    elif rest[position] == '"':
                        break
                    else:
                        field, position = field + rest[position], position + 1
                fields.append(field)
                rest = rest[position + 1 :].lstrip(" \t")
            assert len(fields) == 2, line
            assert not rest, line
            found[fields[0]] = fields[1]
    return found


def read_ini(text: str) -> dict[str, dict[str, str]]:
    """Sections of `key = value` lines."""
    sections: dict[str, dict[str, str]] = {}
    current = ""
    for line in text.split("\n"):
        if line.startswith("["):
            current = line.strip("[]")
            sections[current] = {}
        elif line:
            key, separator, value = line.partition(" = ")
            assert separator, line
            assert key not in sections[current], f"{key} twice"
            sections[current][key] = value
    return sections


def read_connection(text: str) -> dict[str, str]:
    """A libpq-like connection string: `key=value`, a value perhaps in single quotes, with a quote written twice."""
    found = {}
    for key, quoted, plain in re.findall(r"(\w+)=(?:'((?:[^']|'')*)'|([^ ']*))(?: |$)", text):
        found[key] = quoted.replace("''", "'") or plain
    return found


@given(st.dictionaries(PRINTABLE, PRINTABLE, max_size=4))
@example({"airflow": ALL_ASCII, STATS_USER: '"'})
@example({"airflow": '\\"" "x" "', "b": ";comment"})
def test_every_user_finds_its_password_again(passwords: dict[str, str]) -> None:
    assert read_users(render_users(passwords)) == passwords


@given(st.dictionaries(PRINTABLE, PRINTABLE, max_size=4))
def test_users_are_written_in_one_order(passwords: dict[str, str]) -> None:
    backwards = dict(reversed(list(passwords.items())))
    assert render_users(passwords) == render_users(backwards)


@given(PRINTABLE, st.sampled_from("\n\r\0"), PRINTABLE)
def test_password_that_the_file_cannot_hold_is_refused_and_not_shown(before: str, bad: str, after: str) -> None:
    password = f"sentinel{before}{bad}{after}"
    with pytest.raises(ValueError, match="expected a password of airflow without line ends") as error:
        render_users({"airflow": password})
    assert "sentinel" not in str(error.value)


def ini(host: str = "db.test", name: str = "airflow", mode: SslMode = SslMode.REQUIRE) -> dict[str, dict[str, str]]:
    text = render_ini(host=host, port=5433, name=name, pool_size=7, max_client_connections=70, ssl_mode=mode)
    assert text.endswith("\n")
    return read_ini(text)


@given(PRINTABLE, PRINTABLE)
@example("db", "it's")
@example("::1", "'' x=1 '")
def test_pool_leads_to_the_database(host: str, name: str) -> None:
    found = ini(host, name)["databases"]
    assert set(found) == {METADATA_POOL}
    assert read_connection(found[METADATA_POOL]) == {"host": host, "port": "5433", "dbname": name, "pool_size": "7"}


@each("mode", SslMode)
def test_tls_is_between_the_pooler_and_the_database(mode: SslMode) -> None:
    found = ini(mode=mode)["pgbouncer"]
    assert found["server_tls_sslmode"] == mode.value
    # Without the file PgBouncer does not start with verify-full; with it, and another mode, it would not look at it.
    assert found.get("server_tls_ca_file") == (CA_FILE if mode in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL) else None)
    assert not any(key.startswith("client_tls") for key in found), "pods speak to it without TLS"


def test_pooler_is_configured_for_airflow() -> None:
    found = ini()["pgbouncer"]
    assert found["pool_mode"] == "transaction"
    assert (found["listen_addr"], found["listen_port"]) == ("*", str(PORT))
    assert (found["auth_type"], found["auth_file"]) == ("scram-sha-256", "/etc/pgbouncer/users.txt")
    assert found["stats_users"] == STATS_USER
    assert found["max_client_conn"] == "70"
    # Without them asyncpg, which prepares every statement, fails in transaction pooling; psycopg2 sends the parameter.
    assert int(found["max_prepared_statements"]) > 0
    assert "extra_float_digits" in found["ignore_startup_parameters"]


def test_pooler_follows_a_database_that_moves_well_within_the_failover_itself() -> None:
    """A host that vanishes closes no connection; RDS takes 60 to 120 seconds to put another in its place."""
    found = ini()["pgbouncer"]
    idle_seconds = int(found["tcp_keepidle"]) + int(found["tcp_keepintvl"]) * int(found["tcp_keepcnt"])
    waiting_seconds = int(found["tcp_user_timeout"]) / 1000
    assert idle_seconds <= waiting_seconds <= 30, "a shorter time-out would cut the probes short (tcp(7))"
    assert int(found["server_login_retry"]) + int(found["dns_max_ttl"]) <= 10


def test_no_password_is_in_the_ini() -> None:
    assert "password" not in render_ini(
        host="h", port=1, name="n", pool_size=1, max_client_connections=1, ssl_mode=SslMode.PREFER
    )
