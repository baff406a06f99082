"""The script of encrypted values, run as a container of Airflow's image runs it, on a database of the same shape."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine

from components.database.encrypted_values import command
from components.database.in_image import encrypted_values

OURS: Final = Fernet.generate_key().decode()
THEIRS: Final = Fernet.generate_key().decode()
NEW: Final = Fernet.generate_key().decode()
SCHEMA: Final = (
    "CREATE TABLE connection (id INTEGER PRIMARY KEY, conn_id TEXT, password TEXT, extra TEXT, is_encrypted BOOLEAN, "
    "is_extra_encrypted BOOLEAN)",
    "CREATE TABLE variable (id INTEGER PRIMARY KEY, key TEXT, val TEXT, is_encrypted BOOLEAN)",
    "CREATE TABLE trigger (id INTEGER PRIMARY KEY, classpath TEXT, kwargs TEXT)",
)
DEFERRAL: Final = '{"__var": {}}'


def encrypted(key: str, text: str = "sentinel") -> str:
    return Fernet(key).encrypt(text.encode()).decode()


@dataclass(frozen=True)
class Done:
    """A run of the script that has ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Database:
    """Airflow's database, in a file."""

    path: Path
    rows: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.execute(*((statement, {}) for statement in SCHEMA))

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def execute(self, *statements: tuple[str, Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.path) as database:
            return [row for statement, values in statements for row in database.execute(statement, values)]

    def connection(self, name: str, password: str | None, extra: str | None = None) -> None:
        values = {"name": name, "password": password, "extra": extra, "p": password is not None, "e": extra is not None}
        self.execute(("INSERT INTO connection VALUES (NULL, :name, :password, :extra, :p, :e)", values))

    def variable(self, name: str, value: str, *, is_encrypted: bool = True) -> None:
        values = {"name": name, "value": value, "flag": is_encrypted}
        self.execute(("INSERT INTO variable VALUES (NULL, :name, :value, :flag)", values))

    def trigger(self, kwargs: str) -> None:
        self.execute(("INSERT INTO trigger VALUES (NULL, 'a.Trigger', :kwargs)", {"kwargs": kwargs}))

    def variables(self, *keys: str) -> dict[str, str]:
        return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.url, "AIRFLOW__CORE__FERNET_KEY": ",".join(keys)}

    def start(self, mode: str, *keys: str) -> Done:
        """Runs the command in a process of its own."""
        python, *words = command(mode)
        assert python == "python"
        started = [sys.executable, *words]
        done = subprocess.run(started, env=self.variables(*keys), capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, mode: str, *keys: str) -> Done:
        """Runs the text of the command in this process: starting Python and its libraries takes most of the time."""
        _, _, script, *words = command(mode)
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["-c", *words])
            for name, value in self.variables(*keys).items():
                patch.setenv(name, value)
            try:
                exec(compile(script, "-c", "exec"), {"__name__": "__main__"})  # noqa: S102 - it is our own
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(bool(end.code))
                err.write(f"{end.code}\n" if isinstance(end.code, str) else "")
        return Done(code, out.getvalue(), err.getvalue())

    def answer(self, mode: str, *keys: str) -> dict[str, Any]:
        done = self.run(mode, *keys)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "airflow.db")


def fill(database: Database, key: str) -> None:
    """One value in each column, and what is none: a deferral's plain arguments, empty and unencrypted texts."""
    database.connection("both", encrypted(key), encrypted(key))
    database.connection("none", None, None)
    database.variable("secret", encrypted(key))
    database.variable("plain", "plain", is_encrypted=False)
    database.variable("empty", "")
    database.trigger(encrypted(key))
    database.trigger(DEFERRAL)


# check


def test_new_database_is_accepted(database: Database, tmp_path: Path) -> None:
    assert database.start("check", OURS).returncode == 0
    database.path = tmp_path / "empty.db"
    assert database.run("check", OURS).returncode == 0


def test_key_that_reads_what_is_there_is_accepted(database: Database) -> None:
    fill(database, OURS)
    done = database.run("check", OURS)
    assert (done.returncode, done.stdout) == (0, "Fernet key: reads 4 of 4 encrypted values\n")


def test_value_of_another_key_stops_the_migration_and_is_named_without_a_secret(database: Database) -> None:
    """Wherever it is, and among any number that the key reads."""
    fill(database, OURS)
    for number in range(60):
        database.variable(f"more-{number}", encrypted(OURS))
    foreign = encrypted(THEIRS)
    for statement, name in (
        ("INSERT INTO connection VALUES (99, 'c', :value, NULL, TRUE, FALSE)", "connection c (password)"),
        ("INSERT INTO connection VALUES (99, 'c', NULL, :value, FALSE, TRUE)", "connection c (extra)"),
        ("INSERT INTO variable VALUES (99, 'v', :value, TRUE)", "variable v (val)"),
        ("INSERT INTO trigger VALUES (99, 'a.Watcher', :value)", "trigger a.Watcher (kwargs)"),
    ):
        database.execute((statement, {"value": foreign}))
        done = database.run("check", OURS)
        assert done.returncode == 1, name
        assert f"reads 64 of 65, and not {name}. Fix: " in done.stderr
        assert "airflow:keySource escrow" in done.stderr
        assert "pulumi config set --stack STACK --secret airflow:fernetKey" in done.stderr
        for secret in (OURS, THEIRS, "sentinel", foreign):
            assert secret not in done.stderr + done.stdout
        table = name.split()[0]
        database.execute((f"DELETE FROM {table} WHERE id = 99", {}))  # noqa: S608


def test_many_foreign_values_are_counted(database: Database) -> None:
    for number in range(15):
        database.variable(f"v{number}", encrypted(THEIRS))
    assert "variable v9 (val) and 5 more. Fix" in database.run("check", OURS).stderr


def test_any_of_several_keys_will_do(database: Database) -> None:
    """A rotation gives two of them, in either order."""
    fill(database, THEIRS)
    assert database.run("check", OURS, THEIRS).returncode == database.run("check", THEIRS, OURS).returncode == 0


def test_text_that_no_key_encrypted_stops_no_migration(database: Database) -> None:
    database.variable("good", encrypted(OURS))
    database.variable("broken", "no token at all")
    done = database.run("check", OURS)
    assert done.returncode == 0
    assert "reads 1 of 1 encrypted values; not encrypted by any key: variable broken (val)" in done.stdout


def test_database_that_does_not_answer_is_one_sentence(database: Database, tmp_path: Path) -> None:
    database.path = tmp_path / "no" / "such" / "folder.db"
    done = database.start("check", OURS)
    assert done == database.run("check", OURS)
    assert done.returncode == 1
    assert done.stderr == "the database could not be asked: unable to open database file\n"


# count and renew


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
