"""The script that migrates, run as a container of Airflow's image runs it: what it refuses, does, and leaves out."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy.exc import OperationalError

import compatibility
import versions
from components.database.in_image import migration
from components.database.migration import MIGRATE
from components.kube.env import AUTH_MANAGER
from tests.components.database.in_image.airflow_database import OURS, THEIRS, Database, Done, encrypted, fill

MIGRATES: Final = "MIGRATES\n"
PROVIDER: Final = 'def get_provider_info():\n    return {"name": "x", %s}\n'
MANAGERS: Final = f'"db-managers": ["{migration.MANAGER}"]'


@pytest.fixture(autouse=True)
def airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would take the place of the process is written instead."""

    def execvp(file: str, words: list[str]) -> None:
        assert (file, words) == ("airflow", ["airflow", "db", "migrate"])
        print(MIGRATES, end="")
        raise SystemExit(0)

    monkeypatch.setattr(os, "execvp", execvp)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "airflow.db")


# The key


def test_new_database_is_accepted(database: Database, tmp_path: Path) -> None:
    assert database.run(MIGRATE, OURS).returncode == 0
    database.path = tmp_path / "empty.db"
    assert database.run(MIGRATE, OURS).returncode == 0


def test_key_that_reads_what_is_there_is_accepted(database: Database) -> None:
    fill(database, OURS)
    done = database.run(MIGRATE, OURS)
    assert done.returncode == 0
    assert done.stdout.startswith("Fernet key: reads 4 of 4 encrypted values\n")


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
        done = database.run(MIGRATE, OURS)
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
    assert "variable v9 (val) and 5 more. Fix" in database.run(MIGRATE, OURS).stderr


def test_any_of_several_keys_will_do(database: Database) -> None:
    """A rotation gives two of them, in either order."""
    fill(database, THEIRS)
    assert database.run(MIGRATE, OURS, THEIRS).returncode == database.run(MIGRATE, THEIRS, OURS).returncode == 0


def test_text_that_no_key_encrypted_stops_no_migration(database: Database) -> None:
    database.variable("good", encrypted(OURS))
    database.variable("broken", "no token at all")
    done = database.run(MIGRATE, OURS)
    assert done.returncode == 0
    assert "reads 1 of 1 encrypted values; not encrypted by any key: variable broken (val)" in done.stdout


def test_database_that_does_not_answer_is_one_sentence(database: Database, tmp_path: Path) -> None:
    database.path = tmp_path / "no" / "such" / "folder.db"
    done = database.start(MIGRATE, OURS)
    assert done == database.run(MIGRATE, OURS)
    assert done.returncode == 1
    assert done.stderr == "the database could not be asked: unable to open database file\n"


# Whether anything is to be migrated


def revision(name: str, down: str | None, more: str = "branch_labels = None") -> str:
    """The file of a migration."""
    return f'"""Revises."""\n\nrevision = {name!r}\ndown_revision = {down!r}\n{more}\n\ndef upgrade():\n    pass\n'


@dataclass
class Image:
    """What an image has on Python's path, with a database that has been migrated by it."""

    folder: Path
    database: Database
    patch: pytest.MonkeyPatch
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.patch.syspath_prepend(self.folder)
        self.patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", AUTH_MANAGER)
        self.patch.setenv("AIRFLOW_HOME", str(self.folder))
        for name, down in (("a1", None), ("b2", "a1"), ("c3", "b2")):
            self.write(f"airflow/migrations/versions/{name}.py", revision(name, down))
        self.write("airflow/migrations/versions/__init__.py", "")
        self.write("airflow/providers/fab/migrations/versions/f1.py", revision("f1", None))
        self.package("apache-airflow-core", versions.AIRFLOW)
        self.package("apache-airflow-providers-fab", "3.10.2", "airflow.providers.fab.get_provider_info")
        self.write("airflow/providers/fab/get_provider_info.py", PROVIDER % MANAGERS)
        for table, head in (("alembic_version", "c3"), ("alembic_version_fab", "f1")):
            self.execute(f"CREATE TABLE {table} (version_num TEXT)", f"INSERT INTO {table} VALUES ('{head}')")  # noqa: S608
        self.execute("CREATE TABLE slot_pool (pool TEXT)", "INSERT INTO slot_pool VALUES ('default_pool')")
        self.execute("CREATE TABLE log_template (id TEXT)", "INSERT INTO log_template VALUES ('1')")

    def execute(self, *statements: str) -> None:
        self.database.execute(*((statement, {}) for statement in statements))

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def package(self, name: str, version: str, provider: str = "") -> None:
        folder = f"{name.replace('-', '_')}.dist-info"
        self.write(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if provider:
            points = f"[apache_airflow_provider]\nprovider_info = {provider}:get_provider_info\n"
            self.write(f"{folder}/entry_points.txt", points)

    def run(self, **variables: str) -> Done:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            done = self.database.run(MIGRATE, OURS)
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture
def image(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Image:
    return Image(tmp_path / "site", database, monkeypatch)


def test_database_with_every_migration_of_the_image_is_left_as_it_is(image: Image) -> None:
    done = image.run()
    assert done.stdout.splitlines()[-1].startswith("Database: already has every migration of this image")
    assert MIGRATES not in done.stdout


def test_key_is_checked_where_nothing_is_to_be_migrated(image: Image) -> None:
    image.database.variable("v", encrypted(THEIRS))
    assert image.database.run(MIGRATE, OURS).returncode == 1


def test_database_of_another_image_is_migrated(image: Image) -> None:
    """Of an older one, of a newer one, of one with another FAB; and a database that nobody has migrated."""
    for statement, back, why in (
        ("UPDATE alembic_version SET version_num = 'b2'", "UPDATE alembic_version SET version_num = 'c3'", "says b2"),
        ("UPDATE alembic_version SET version_num = 'd4'", "UPDATE alembic_version SET version_num = 'c3'", "says d4"),
        ("INSERT INTO alembic_version VALUES ('b2')", "DELETE FROM alembic_version WHERE version_num = 'b2'", "c3, b2"),
        ("DELETE FROM alembic_version", "INSERT INTO alembic_version VALUES ('c3')", "says nothing"),
        (
            "UPDATE alembic_version_fab SET version_num = 'f0'",
            "UPDATE alembic_version_fab SET version_num = 'f1'",
            "f0",
        ),
        ("ALTER TABLE alembic_version_fab RENAME TO x", "ALTER TABLE x RENAME TO alembic_version_fab", "not clear"),
        ("ALTER TABLE alembic_version RENAME TO x", "ALTER TABLE x RENAME TO alembic_version", "not clear"),
    ):
        image.execute(statement)
        done = image.run()
        assert done.stdout.endswith(MIGRATES), statement
        assert "`airflow db migrate` begins, because " in done.stdout
        assert why in done.stdout
        image.execute(back)
    assert MIGRATES not in image.run().stdout


def test_migration_that_was_killed_before_its_last_writes_is_repeated(image: Image) -> None:
    for table, row in (("slot_pool", "default_pool"), ("log_template", "1")):
        image.execute(f"DELETE FROM {table}")  # noqa: S608
        assert image.run().stdout.endswith(MIGRATES), table
        image.execute(f"INSERT INTO {table} VALUES ('{row}')")  # noqa: S608


def test_migrations_that_are_not_in_one_line_are_left_to_airflow(image: Image) -> None:
    """Two heads, a gap, two of a name, a dependency, a label, a merge, a form that is not read, and none at all."""
    folder = image.folder / "airflow/migrations/versions"
    for content in (
        revision("x", "b2"),
        revision("x", "missing"),
        revision("c3", "b2"),
        revision("x", "c3", 'depends_on = "a1"'),
        revision("x", "c3", 'branch_labels = "side"'),
        'revision = "x"\ndown_revision = ("c3", "b2")',
        'revision = "x"\ndown_revision = (\n"c3",)',
        'revision = NAME\ndown_revision = "c3"',
        "",
    ):
        (folder / "x.py").write_text(content)
        assert image.run().stdout.endswith(MIGRATES), content
        (folder / "x.py").unlink()
    assert MIGRATES not in image.run().stdout
    for file in folder.iterdir():
        file.unlink()
    assert image.run().stdout.endswith(MIGRATES)


def test_image_or_option_that_is_not_known_is_left_to_airflow(image: Image) -> None:
    for variables in (
        {"AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS": "a.Manager"},
        {"AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS_CMD": "echo a.Manager"},
        {"AIRFLOW__DATABASE__SQL_ALCHEMY_SCHEMA": "team"},
        {"airflow__database__sql_alchemy_connect_args": "a.b"},
        {"AIRFLOW__CORE__AUTH_MANAGER": "a.Manager"},
    ):
        assert image.run(**variables).stdout.endswith(MIGRATES), variables
    assert MIGRATES not in image.run(AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE="5").stdout
    image.write("airflow.cfg", "[database]\nsql_alchemy_schema = \nalembic_ini_file_path = alembic.ini\n# a = b\n")
    assert MIGRATES not in image.run().stdout
    image.write("airflow.cfg", "[database]\nexternal_db_managers = a.Manager\n")
    assert "external_db_managers of the database is set" in image.run().stdout
    image.write("airflow.cfg", "no section")
    assert image.run().stdout.endswith(MIGRATES)
    (image.folder / "airflow.cfg").unlink()
    for version in ("3.99.0", "3.20.1", "2.11.0"):
        image.package("apache-airflow-core", version)
        assert f"apache-airflow-core {version} is not known" in image.run().stdout
    image.package("apache-airflow-core", versions.AIRFLOW)
    image.package("apache-airflow-providers-fab", "4.0.0", "airflow.providers.fab.get_provider_info")
    assert image.run().stdout.endswith(MIGRATES)


def test_tables_of_another_provider_are_left_to_airflow(image: Image) -> None:
    image.package("apache-airflow-providers-http", "1", "airflow.providers.http.get_provider_info")
    assert "has 0 of airflow/providers/http/get_provider_info.py" in image.run().stdout
    info = "airflow/providers/http/get_provider_info.py"
    for text, migrates in (
        ('"hooks": []', False),
        ('"db-managers": ["a.Manager"]', True),
        ('"db-managers": [\n"a.Manager"]', True),
        (f'"db-managers": ["{migration.MANAGER}", "a.Manager"]', True),
    ):
        image.write(info, PROVIDER % text)
        assert image.run().stdout.endswith(MIGRATES) is migrates, text
    image.write(info, PROVIDER % '"hooks": []')
    image.package("other", "1", "airflow.providers.http.get_provider_info")
    assert "the provider other is not known" in image.run().stdout


def test_second_copy_of_airflow_is_left_to_airflow(image: Image, tmp_path: Path) -> None:
    (tmp_path / "other/airflow/migrations/versions").mkdir(parents=True)
    image.patch.syspath_prepend(tmp_path / "other")
    assert "the image has 2 of airflow/migrations/versions" in image.run().stdout


def test_known_versions_are_those_that_the_program_deploys() -> None:
    assert set(migration.AIRFLOW) <= set(compatibility.AIRFLOW)
    assert compatibility.minor(versions.AIRFLOW) in migration.AIRFLOW


# The wait for the database


def test_database_that_is_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["connection refused", "FATAL:  the database system is starting up", ""])
    waited: list[float] = []
    prepared: list[str] = []

    class Engine:
        def connect(self) -> Engine:
            said = next(answers)
            if said:
                raise OperationalError("", {}, Exception(said))
            return self

    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(migration, "prepare", lambda: prepared.append("once"))
    engine: Any = Engine()
    found: Any = migration.connected(engine)
    assert found is engine
    assert len(waited) == 2
    assert prepared == ["once"]
    answers = iter(['FATAL:  password authentication failed for user "airflow"'])
    with pytest.raises(OperationalError):
        migration.connected(engine)
    assert len(waited) == 2


def test_airflow_that_was_imported_during_the_wait_migrates_in_this_process(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of it cannot be imported is left to the command, which says why."""
    image.write("airflow/__init__.py", "")
    image.write("airflow/__main__.py", "import sys\ndef main():\n    print('HERE', *sys.argv)\n")
    for module in migration.NEEDED[1:]:
        *folders, name = module.split(".")
        for number in range(len(folders)):
            image.write("/".join([*folders[: number + 1], "__init__.py"]), "")
        image.write("/".join([*folders, f"{name}.py"]), "")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["-c"])
        migration.prepare()
        migration.migrate()
        assert sys.argv == ["airflow", "db", "migrate"]
    for name in [name for name in sys.modules if name.split(".")[0] == "airflow"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit):
        migration.migrate()
