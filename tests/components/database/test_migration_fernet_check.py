"""The check of the Fernet key, run as the migration's container runs it, on a database of the shape that it asks."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
from cryptography.fernet import Fernet

from components.database.migration import FERNET_CHECK

OURS: Final = Fernet.generate_key().decode()
THEIRS: Final = Fernet.generate_key().decode()
SCHEMA: Final = (
    "CREATE TABLE connection (password TEXT, extra TEXT, is_encrypted BOOLEAN, is_extra_encrypted BOOLEAN)",
    "CREATE TABLE variable (val TEXT, is_encrypted BOOLEAN)",
)

Check = Callable[..., subprocess.CompletedProcess[str]]


def encrypted(key: str, text: str = "sentinel") -> str:
    return Fernet(key).encrypt(text.encode()).decode()


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def check(
        key: str, statements: Sequence[tuple[str, tuple[object, ...]]] = (), schema: Sequence[str] = SCHEMA
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "airflow.db"
        with sqlite3.connect(path) as database:
            for statement in schema:
                database.execute(statement)
            for statement, values in statements:
                database.execute(statement, values)
        environment = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{path}",
            "AIRFLOW__CORE__FERNET_KEY": key,
        }
        command = [sys.executable, "-c", FERNET_CHECK]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return check


def variable(value: str, *, is_encrypted: bool = True) -> tuple[str, tuple[object, ...]]:
    return "INSERT INTO variable VALUES (?, ?)", (value, is_encrypted)


def connection(password: str | None, extra: str | None) -> tuple[str, tuple[object, ...]]:
    return "INSERT INTO connection VALUES (?, ?, ?, ?)", (password, extra, password is not None, extra is not None)


def test_new_database_is_accepted(check: Check) -> None:
    assert check(OURS, schema=()).returncode == 0
    assert check(OURS).returncode == 0


def test_key_that_reads_what_is_there_is_accepted(check: Check) -> None:
    done = check(OURS, [variable(encrypted(OURS)), connection(encrypted(OURS), encrypted(OURS))])
    assert (done.returncode, done.stdout) == (0, "Fernet key: reads 3 of 3 encrypted values\n")


@pytest.mark.parametrize(
    "row", [variable(encrypted(THEIRS)), connection(encrypted(THEIRS), None), connection(None, encrypted(THEIRS))]
)
def test_second_key_over_a_living_database_is_refused_with_the_mend_and_without_a_secret(
    check: Check, row: tuple[str, tuple[object, ...]]
) -> None:
    done = check(OURS, [row])
    assert done.returncode == 1
    assert "another Fernet key encrypted" in done.stderr
    assert "airflow:keySource escrow" in done.stderr
    assert "pulumi config set --stack STACK --secret airflow:fernetKey" in done.stderr
    for secret in (OURS, THEIRS, "sentinel", str(row[1][0])):
        assert secret not in done.stderr + done.stdout


@pytest.mark.parametrize("keys", [f"{OURS},{THEIRS}", f"{THEIRS},{OURS}"], ids=["ours first", "theirs first"])
def test_any_of_several_keys_will_do(check: Check, keys: str) -> None:
    """A rotation gives two of them, in either order."""
    assert check(keys, [variable(encrypted(THEIRS))]).returncode == 0


def test_single_broken_row_stops_no_migration(check: Check) -> None:
    done = check(OURS, [variable(encrypted(OURS)), variable("no token at all")])
    assert (done.returncode, done.stdout) == (0, "Fernet key: reads 1 of 2 encrypted values\n")


def test_what_is_not_encrypted_says_nothing(check: Check) -> None:
    rows = [variable("plain", is_encrypted=False), connection(None, None), variable("")]
    assert check(OURS, rows).returncode == 0


def test_database_that_does_not_answer_is_one_sentence(check: Check, tmp_path: Path) -> None:
    environment = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/no/such/folder.db",
        "AIRFLOW__CORE__FERNET_KEY": OURS,
    }
    command = [sys.executable, "-c", FERNET_CHECK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "the database could not be asked: unable to open database file\n"
