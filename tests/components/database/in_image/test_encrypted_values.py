"""The script of encrypted values, run as a container of Airflow's image runs it, on a database of the same shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine

from components.database.in_image import encrypted_values
from tests.components.database.in_image.airflow_database import DEFERRAL, NEW, OURS, THEIRS, Database, encrypted, fill


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "airflow.db")


def test_count_says_what_each_key_reads(database: Database) -> None:
    fill(database, OURS)
    database.variable("renewed", encrypted(NEW))
    database.variable("foreign", encrypted(THEIRS))
    database.variable("broken", "gAAAAA")
    expected = {"read": [1, 4], "unread": ["variable foreign (val)"], "broken": ["variable broken (val)"], "renewed": 0}
    assert database.answer("count", NEW, OURS) == expected


def test_renewed_values_need_the_new_key_alone_and_say_the_same(database: Database) -> None:
    fill(database, OURS)
    assert database.answer("renew", NEW, OURS)["renewed"] == 4
    assert database.answer("count", NEW)["read"] == [4]
    values = database.execute(
        ("SELECT password FROM connection WHERE is_encrypted UNION ALL SELECT extra FROM connection", {}),
        ("SELECT val FROM variable WHERE is_encrypted AND val != ''", {}),
        ("SELECT kwargs FROM trigger WHERE kwargs NOT LIKE '{%'", {}),
    )
    assert {Fernet(NEW).decrypt(value) for (value,) in values if value} == {b"sentinel"}
    assert (DEFERRAL,) in database.execute(("SELECT kwargs FROM trigger", {}))
    assert database.answer("renew", NEW, OURS)["renewed"] == 0


def test_what_no_key_reads_stays_as_it_is(database: Database) -> None:
    foreign = encrypted(THEIRS)
    database.variable("foreign", foreign)
    database.variable("own", encrypted(OURS))
    found = database.answer("renew", NEW, OURS)
    assert (found["renewed"], found["unread"]) == (1, ["variable foreign (val)"])
    assert (foreign,) in database.execute(("SELECT val FROM variable", {}))


def test_value_that_changes_meanwhile_stays_as_it_was_changed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody sets a password after it was read; a process that still encrypts with the old key may do so."""
    database.connection("shop", encrypted(OURS, "before"))
    read: Callable[..., Any] = encrypted_values.rows
    changes = iter([encrypted(OURS, "meanwhile")])

    def rows(connection: Any) -> Any:
        found = list(read(connection))
        for changed in changes:
            database.execute(("UPDATE connection SET password = :new", {"new": changed}))
            break
        return iter(found)

    monkeypatch.setattr(encrypted_values, "rows", rows)
    keys = [Fernet(NEW), Fernet(OURS)]
    engine = create_engine(database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        assert encrypted_values.renew(connection, keys) == 1
    engine.dispose()
    [(password,)] = database.execute(("SELECT password FROM connection", {}))
    assert Fernet(NEW).decrypt(password) == b"meanwhile"
