"""A real PostgreSQL of this machine whose master user is no superuser, as on RDS, and which logs statements."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cluster.tls_database import Authority

BINARIES: Final = "AIRFLOW_TEST_POSTGRES_BIN"
"""Variable with the folder of `initdb` and `postgres`, where they are not on PATH."""
SUPERUSER: Final = "rdsadmin"
MASTER: Final = "airflow"
PASSWORD: Final = "sentinel-of-the-master"
NAME: Final = "metadata"
_HBA: Final = """\
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""
_SECONDS: Final = 60


@dataclass(frozen=True)
class Server:
    """The server. It listens at 127.0.0.1, and its superuser comes by the socket in its folder."""

    folder: Path
    port: int

    def uri(self, user: str, password: str, name: str = NAME) -> str:
        return f"postgresql+psycopg2://{user}:{password}@127.0.0.1:{self.port}/{name}"

    def connect(self, user: str, password: str, name: str = NAME) -> Any:
        """Return a connection that commits by itself."""
        import psycopg2

        found = psycopg2.connect(host="127.0.0.1", port=self.port, user=user, password=password, dbname=name)
        found.autocommit = True
        return found

    def sql(self, text: str, name: str = NAME) -> list[tuple[Any, ...]]:
        """Return what the superuser is answered."""
        import psycopg2

        # Its own context manager would begin a transaction.
        with closing(
            psycopg2.connect(host=str(self.folder), port=self.port, user=SUPERUSER, dbname=name)
        ) as connection:
            connection.autocommit = True
            return told(connection, text)

    def demand_tls(self) -> None:
        """Refuse every connection over the network that is not encrypted."""
        data = self.folder / "data"
        issued = Authority.new("the server's").issue("127.0.0.1")
        for name, file in (("tls.crt", "server.crt"), ("tls.key", "server.key")):
            (data / file).write_text(issued[name])
            shutil.chown(data / file, data.owner(), data.group())
            (data / file).chmod(0o600)
        (data / "pg_hba.conf").write_text(_HBA.replace("host ", "hostssl "))
        self.sql("ALTER SYSTEM SET ssl = on", "postgres")
        self.sql("SELECT pg_reload_conf()", "postgres")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def version(self) -> int:
        """Its major version."""
        return int(self.sql("SELECT current_setting('server_version_num')::int / 10000", "postgres")[0][0])


def told(connection: Any, text: str) -> list[tuple[Any, ...]]:
    """Return the rows that a statement finds."""
    with connection.cursor() as cursor:
        cursor.execute(text)
        return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def running() -> Iterator[Server]:
    """Yield a server with an empty database of the master's. Skip where it cannot run."""
    if importlib.util.find_spec("psycopg2") is None:
        pytest.skip("no PostgreSQL driver psycopg2")
    binaries = _binaries()
    # A server refuses to run as root, and its user must reach its folder.
    other: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if other:
            shutil.chown(folder, **other)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]

        def run(*words: str) -> None:
            environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
            subprocess.run(words, check=True, capture_output=True, cwd=folder, env=environment, **other)

        data = folder / "data"
        run(f"{binaries}/initdb", "-D", str(data), "-U", SUPERUSER, "-E", "UTF8", "--no-sync")
        (data / "pg_hba.conf").write_text(_HBA)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c log_statement=all -c fsync=off"
        control = (f"{binaries}/pg_ctl", "-D", str(data), "-w", "-t", str(_SECONDS))
        # With a log of its own, pg_ctl leaves no process that holds this one's output.
        run(*control, "-l", str(folder / "log"), "-o", options, "start")
        try:
            server = Server(folder, port)
            server.sql(f"CREATE ROLE {MASTER} LOGIN CREATEDB CREATEROLE PASSWORD '{PASSWORD}'", "postgres")
            server.sql(f"CREATE DATABASE {NAME} OWNER {MASTER}", "postgres")
            yield server
        finally:
            run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    named, on_path = os.environ.get(BINARIES), shutil.which("initdb")
    of_debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if named:
        return Path(named)
    if of_debian:
        return of_debian[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    pytest.skip(f"no PostgreSQL server, and no {BINARIES}")
