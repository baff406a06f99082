"""A database of Airflow's shape in a file, and the scripts of its image, run on it."""

from __future__ import annotations

import functools
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.fernet import Fernet

from components.database.encrypted_values import command

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


_compiled = functools.cache(compile)


def encrypted(key: str, text: str = "sentinel") -> str:
    return Fernet(key).encrypt(text.encode()).decode()


@dataclass(frozen=True)
class Done:
    """A run of the script that has ended."""

    returncode: int
    stdout: str
    stderr: str


def run_here(script: Sequence[str], variables: Mapping[str, str] | None = None) -> Done:
    """Runs the text of a command in this process, with more variables."""
    _, _, content, *words = script
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["-c", *words])
        for name, value in (variables or {}).items():
            patch.setenv(name, value)
        try:
            exec(_compiled(content, "-c", "exec"), {"__name__": "__main__"})  # noqa: S102 - it is our own
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
            err.write(f"{end.code}\n" if isinstance(end.code, str) else "")
    return Done(code, out.getvalue(), err.getvalue())


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

    def start(self, script: Sequence[str], *keys: str) -> Done:
        """Runs a command in a process of its own."""
        python, *words = script
        assert python == "python"
        started = [sys.executable, *words]
        done = subprocess.run(started, env=self.variables(*keys), capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, script: Sequence[str], *keys: str) -> Done:
        """Runs the text of a command in this process: starting Python and its libraries takes most of the time."""
        return run_here(script, self.variables(*keys))

    def answer(self, mode: str, *keys: str) -> dict[str, Any]:
        done = self.run(command(mode), *keys)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def fill(database: Database, key: str) -> None:
    """One value in each column, and what is none: a deferral's plain arguments, empty and unencrypted texts."""
    database.connection("both", encrypted(key), encrypted(key))
    database.connection("none", None, None)
    database.variable("secret", encrypted(key))
    database.variable("plain", "plain", is_encrypted=False)
    database.variable("empty", "")
    database.trigger(encrypted(key))
    database.trigger(DEFERRAL)
