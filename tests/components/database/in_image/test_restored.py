"""The script that looks at a restored database, on one of the same shape, with another `airflow` on the path."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from components.database.encrypted_values import SCRIPT
from components.database.in_image import restored
from tests.components.database.in_image.airflow_database import run_here

OURS, THEIRS = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SCHEMA = """
CREATE TABLE connection (id INTEGER PRIMARY KEY, conn_id TEXT, password TEXT, extra TEXT, is_encrypted BOOLEAN,
  is_extra_encrypted BOOLEAN);
CREATE TABLE dag_run (id INTEGER PRIMARY KEY, end_date TEXT, start_date TEXT, queued_at TEXT);
CREATE TABLE alembic_version (version_num TEXT);
INSERT INTO alembic_version VALUES ('abc');
"""


@pytest.fixture
def counted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts runs in this process: starting Python and its libraries takes most of the time."""
    start = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        if command[0] != sys.executable:
            return start(command, **options)
        done = run_here(command)
        assert (done.returncode, options["check"]) == (0, True), done.stderr
        return done

    monkeypatch.setattr(subprocess, "run", run)


def look(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *rows: str, at_head: bool = True, schema: str = SCHEMA
) -> dict[str, object]:
    """What the script answers about the database `restored`, beside which there is the stack's own."""
    with sqlite3.connect(folder / "restored") as database:
        database.executescript(schema + "".join(rows))
    (folder / "airflow").write_text(f"#!/bin/sh\nexit {0 if at_head else 1}\n")
    (folder / "airflow").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv(restored.URI, f"sqlite:///{folder}/the-stacks-own")
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", OURS)
    monkeypatch.setattr(restored, "MESSAGE", str(folder / "message"))
    restored.main(str(folder / "restored"), SCRIPT)
    found: dict[str, object] = json.loads((folder / "message").read_text())
    return found


def connection(name: str, key: str) -> str:
    value = Fernet(key).encrypt(b"sentinel").decode()
    return f"INSERT INTO connection (conn_id, password, is_encrypted) VALUES ('{name}', '{value}', 1);"  # noqa: S608


def test_it_tells_values_that_another_key_encrypted_and_the_newest_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restored, "NEWEST", "SELECT NULL")  # SQLite returns a text, PostgreSQL a time
    runs = "INSERT INTO dag_run (start_date) VALUES ('2026-01-01'), ('2026-01-02');"
    found = look(tmp_path, monkeypatch, connection("ours", OURS), connection("theirs", THEIRS), runs)
    assert found == {
        "read": 1,
        "unread": ["connection theirs (password)"],
        "unread_count": 1,
        "broken": [],
        "heads": ["abc"],
        "at_head": True,
        "runs": 2,
        "newest_run": "",
    }
    assert not (tmp_path / "the-stacks-own").exists(), "only the restored database was looked at"


@pytest.mark.usefixtures("counted_here")
def test_answer_fits_into_a_message_and_says_how_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [connection(f"{'x' * 60}{number}", THEIRS) for number in range(100)]
    found = look(tmp_path, monkeypatch, *many, at_head=False)
    assert found["unread_count"] == 100
    assert found["at_head"] is False
    assert (tmp_path / "message").stat().st_size < 4096


@pytest.mark.usefixtures("counted_here")
def test_backup_of_an_empty_database_is_named_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="the backup holds no tables of Airflow"):
        look(tmp_path, monkeypatch, schema="CREATE TABLE other (id INTEGER);")


@pytest.mark.usefixtures("counted_here")
def test_backup_of_an_airflow_that_never_ran_is_a_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(tmp_path, monkeypatch)
    assert [found[key] for key in ("read", "unread_count", "runs", "newest_run", "heads")] == [0, 0, 0, "", ["abc"]]
