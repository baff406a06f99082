"""Checks the Fernet key, and then migrates the database, unless nothing is to be migrated. A script of its own.

It runs in Airflow's image, as `python -c TEXT OTHER`, where OTHER is the text of `encrypted_values.py`, with the URI of
the database and the Fernet keys in its environment. It waits for a database that does not answer yet. That is usually a
new one, so what a migration needs is imported meanwhile. Nothing here imports this script.

`airflow db migrate` takes seconds of processor time even if there is nothing to migrate, because it imports Airflow. So
the image's migrations are read as texts here, and compared with what the database says of itself. Only if both are the
same beyond doubt, the migration is left out. Whatever is missing, unknown or ambiguous has `airflow db migrate` run.

This text is part of the migration's Job: another text makes another Job, which looks again.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

URI = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
AUTH_MODULE = "airflow.providers.fab.auth_manager.fab_auth_manager"
WAIT_SECONDS = 180.0
CONNECT_SECONDS = "PGCONNECT_TIMEOUT"
NEEDED = ("airflow.__main__", "airflow.cli.commands.db_command", AUTH_MODULE)
"""What a migration imports: the first two with Airflow itself, the last with the tables of the auth manager."""
COMES = re.compile("refused|timed out|timeout|translate host|no route|unreachable|starting up", re.IGNORECASE)
"""What is said of a server that has not started yet. Whatever else it says, it will say again."""

AIRFLOW = ("3.2", "3.3")
FAB = ("3",)
"""The versions of which it was read what their `airflow db migrate` does. Others may do more."""
TABLES = {
    "airflow/migrations/versions": "alembic_version",
    "airflow/providers/fab/migrations/versions": "alembic_version_fab",
}
MANAGER = "airflow.providers.fab.auth_manager.models.db.FABDBManager"
AUTH_MANAGER = f"{AUTH_MODULE}.FabAuthManager"
FILLED = {
    "slot_pool": "SELECT count(*) FROM slot_pool WHERE pool = 'default_pool'",
    "log_template": "SELECT count(*) FROM log_template",
}
"""What the migration writes last: it was killed before that, or it did all."""
OPTION = re.compile(r"^AIRFLOW__(?:DATABASE__|CORE__(?=SQL_ALCHEMY))(\w+)$")
HARMLESS = re.compile(
    "sql_alchemy_conn|sql_alchemy_conn_async|sql_alchemy_pool_.*|sql_alchemy_max_overflow|sql_engine_encoding"
    "|max_db_retries|check_migrations|migration_batch_size|load_default_connections"
)
"""Options of the section `database` that change neither which migrations there are nor where they are noted."""
DEFAULTS = {"alembic_ini_file_path": "alembic.ini"}
"""What a file says of the others if Airflow wrote it."""
ASSIGNED = re.compile(r"^(revision|down_revision|depends_on|branch_labels)\s*(?::[^=\n]*)?=\s*(.*?)\s*$", re.MULTILINE)


class UnclearError(Exception):
    """Why it is not sure that nothing is to be migrated."""


def one(relative: str) -> Path:
    """Return the one place of a file or folder on Python's path."""
    found = {place.resolve() for entry in sys.path if (place := Path(entry, relative)).exists()}
    if len(found) != 1:
        raise UnclearError(f"the image has {len(found)} of {relative}")
    return found.pop()


def head(texts: Iterable[str]) -> str:
    """Return the newest revision of migrations that follow one another in one line."""
    before: dict[str, str | None] = {}
    for content in texts:
        named = ASSIGNED.findall(content)
        values = {name: ast.literal_eval(value) for name, value in named}
        revision, down = values.pop("revision"), values.pop("down_revision")
        # One migration of Airflow 3 has the text "None" as its label.
        plain = (
            isinstance(revision, str) and isinstance(down, str | None) and {None, "None"}.issuperset(values.values())
        )
        if not plain or len(named) != len(values) + 2 or revision in before:
            raise UnclearError(f"revision {revision} is not in one line with the others")
        before[revision] = down
    [newest] = set(before) - set(before.values())
    seen, revision = 0, newest
    while revision is not None:
        seen, revision = seen + 1, before[revision]
    if seen != len(before):
        raise UnclearError(f"{len(before) - seen} revisions are not before {newest}")
    return newest


def image_heads() -> dict[str, str]:
    """Return the newest revision of the image for each table of the database that notes one."""
    for package, known in (("apache-airflow-core", AIRFLOW), ("apache-airflow-providers-fab", FAB)):
        if not any(version(package).startswith(f"{beginning}.") for beginning in known):
            raise UnclearError(f"{package} {version(package)} is not known")
    files = {folder: [*one(folder).glob("*.py")] for folder in TABLES}
    return {
        TABLES[folder]: head(file.read_text("utf-8") for file in found if file.name != "__init__.py")
        for folder, found in files.items()
    }


def options() -> Iterator[tuple[str, str]]:
    """Yield the options of Airflow's section `database` that the environment or a file sets."""
    for name, value in os.environ.items():
        found = OPTION.match(name.upper())
        if found:
            yield found[1].lower(), value
    home = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
    config = Path(os.environ.get("AIRFLOW_CONFIG", os.path.join(home, "airflow.cfg")))
    if config.exists():
        read = ConfigParser(strict=False, interpolation=None)
        read.read_string(config.read_text("utf-8"))
        yield from read.items("database") if read.has_section("database") else ()


def only_known_managers() -> None:
    """Be sure that nothing else has tables of its own: neither by configuration, nor by a package of a provider."""
    if os.environ.get("AIRFLOW__CORE__AUTH_MANAGER") != AUTH_MANAGER:
        raise UnclearError("the auth manager is not FAB's")
    for name, value in options():
        if not HARMLESS.fullmatch(name) and value.strip() not in ("", DEFAULTS.get(name)):
            raise UnclearError(f"the option {name} of the database is set")
    for provider in entry_points(group="apache_airflow_provider"):
        package = provider.dist.name if provider.dist is not None else provider.module
        if not package.startswith("apache-airflow-providers-"):
            raise UnclearError(f"the provider {package} is not known")
        content = one(provider.module.replace(".", "/") + ".py").read_text("utf-8")
        if re.search("db.managers", content) and managers(content) != [MANAGER]:
            raise UnclearError(f"the provider {package} has tables of its own")


def managers(content: str) -> list[str]:
    """Return what a provider's file says under `db-managers`."""
    items = [
        pair
        for node in ast.walk(ast.parse(content))
        if isinstance(node, ast.Dict)
        for pair in zip(node.keys, node.values, strict=True)
    ]
    return [
        name
        for key, value in items
        if isinstance(key, ast.Constant) and key.value == "db-managers"
        for name in ast.literal_eval(value)
    ]


def database_heads(database: Connection) -> dict[str, list[str]]:
    """Return the revisions that the database notes, by their tables."""
    return {
        table: [str(row[0]) for row in database.execute(text(f"SELECT version_num FROM {table}"))]  # noqa: S608
        for table in TABLES.values()
    }


def wanted(database: Connection) -> str:
    """Return why the database is to be migrated, or "" if it is already what the image wants."""
    try:
        only_known_managers()
        image, noted = image_heads(), database_heads(database)
        for table, revision in image.items():
            if noted[table] != [revision]:
                return f"{table} says {', '.join(noted[table]) or 'nothing'}, and the image has {revision}"
        for table, statement in FILLED.items():
            if database.execute(text(statement)).scalar_one() < 1:
                return f"{table} is not filled"
    except UnclearError as why:
        return str(why)
    except Exception as error:
        return f"it is not clear what it needs ({type(error).__name__})"
    return ""


def connected(engine: Engine) -> Connection:
    """Return a connection, as soon as the server of the database has started."""
    until, prepared = time.monotonic() + WAIT_SECONDS, False
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            if time.monotonic() >= until or not COMES.search(str(error.orig)):
                raise
        if not prepared:
            prepare()
            prepared = True
        time.sleep(0.2)


def prepare() -> None:
    """Import what a migration needs. Whatever fails would fail again, and be told then."""
    with contextlib.suppress(Exception):
        for name in NEEDED:
            importlib.import_module(name)


def migrate() -> None:
    """Run `airflow db migrate`, here if it has been imported, else in place of this process."""
    words = ["airflow", "db", "migrate"]
    if all(name in sys.modules for name in NEEDED):
        sys.argv[:] = words
        sys.modules["airflow.__main__"].main()
    else:
        os.execvp("airflow", words)  # noqa: S606


def main(encrypted_values: str) -> None:
    """Check the key, and migrate if that is needed."""
    sys.path[:] = [entry for entry in sys.path if entry]  # as a command has it, not what is in the folder
    values: dict[str, Any] = {"__name__": "encrypted_values"}
    exec(compile(encrypted_values, "encrypted_values", "exec"), values)  # noqa: S102 - the text beside this one
    keys = [Fernet(key) for key in os.environ["AIRFLOW__CORE__FERNET_KEY"].split(",")]
    engine = create_engine(os.environ[URI], isolation_level="AUTOCOMMIT")
    own_limit = CONNECT_SECONDS not in os.environ
    os.environ.setdefault(CONNECT_SECONDS, "5")  # seconds of one attempt
    try:
        with connected(engine) as database:
            print(values["accepted"](database, keys))
            why = wanted(database)
    except OperationalError as error:
        sys.exit(f"the database could not be asked: {str(error.orig).strip()}")
    engine.dispose()
    if own_limit:
        del os.environ[CONNECT_SECONDS]
    if not why:
        print("Database: already has every migration of this image, so `airflow db migrate` is left out")
        return
    print(f"Database: `airflow db migrate` begins, because {why}", flush=True)
    migrate()


if __name__ == "__main__":
    main(sys.argv[1])
