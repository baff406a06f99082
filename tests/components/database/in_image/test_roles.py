"""The script that makes the roles of a managed database, on a real PostgreSQL whose master user is no superuser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from components.database.roles_script import owner_of
from tests.components.database.postgres_server import MASTER, NAME, PASSWORD, SUPERUSER, Server, running, told

roles = pytest.importorskip("components.database.in_image.roles", reason="no PostgreSQL driver psycopg2")

Run = Callable[..., str]
OWNER: Final = "airflow_owner"
A: Final = ("airflow_aaaaaa", "sentinel-a" + "0" * 30)
B: Final = ("airflow_bbbbbb", "sentinel-b" + "0" * 30)
NAMED: Final = ("etl", "sentinel-of-etl")
"""A role with a name that a person has chosen."""
OF_THE_MASTER: Final = (MASTER, PASSWORD)
OWNERS: Final = """
SELECT relname, relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as found:
        yield found


@pytest.fixture(autouse=True)
def tables(server: Server) -> Iterator[None]:
    """What a migration makes as the master, and no role of an earlier test."""
    with closing(server.connect(*OF_THE_MASTER)) as master:
        told(
            master,
            """
            CREATE TABLE dag (id serial PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, name text);
            CREATE TABLE dag_run (id int REFERENCES dag (id));
            CREATE VIEW dags AS SELECT * FROM dag;
            CREATE SEQUENCE apart;
            CREATE TYPE state AS ENUM ('success');
            CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
            INSERT INTO dag (name) VALUES ('first');
            """,
        )
    yield
    server.sql(f"ALTER DATABASE {NAME} OWNER TO {MASTER}")
    server.sql("DROP SCHEMA public CASCADE")
    server.sql("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
    for role in (A[0], B[0], NAMED[0], OWNER):
        if (role,) in server.sql("SELECT rolname FROM pg_roles"):
            server.sql(f"DROP OWNED BY {role}")
            server.sql(f"DROP ROLE {role}")


@pytest.fixture
def run(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Returns what does a mode of the script, and returns what it answers."""
    message = tmp_path / "message"
    monkeypatch.setattr(roles, "MESSAGE", str(message))

    def run(mode: str, login: tuple[str, str], coming: tuple[str, str] | None = None) -> str:
        message.write_text("")
        monkeypatch.setenv("AIRFLOW_DATABASE_MASTER", server.uri(*OF_THE_MASTER))
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", server.uri(*login))
        if coming is None:
            monkeypatch.delenv("AIRFLOW_DATABASE_COMING", raising=False)
        else:
            monkeypatch.setenv("AIRFLOW_DATABASE_COMING", server.uri(*coming))
        roles.main(mode)
        return message.read_text()

    return run


def test_name_of_the_owner_is_known_outside_of_the_script() -> None:
    for master in (MASTER, "m" * 63):
        assert roles.owner_of(master) == owner_of(master)


def test_login_acts_as_the_owner_of_everything_and_the_master_goes_on(server: Server, run: Run) -> None:
    before = server.connect(*OF_THE_MASTER)
    for _ in range(3):
        run("admit", OF_THE_MASTER, A)
    assert {owner for _, owner in server.sql(OWNERS)} == {OWNER}
    with closing(server.connect(*A)) as login:
        assert told(login, "SELECT current_user, session_user") == [(OWNER, A[0])]
        told(login, "ALTER TABLE dag ADD COLUMN more int; CREATE TABLE made (id int); DROP FUNCTION one()")
        told(login, "ALTER TYPE state ADD VALUE 'failed'")
        told(login, "CREATE DATABASE metadata_new_1 TEMPLATE template0")
        told(login, "ALTER DATABASE metadata_new_1 RENAME TO metadata_old_1")
        told(login, "DROP DATABASE metadata_old_1 WITH (FORCE)")
    told(before, "INSERT INTO dag (name) VALUES ('second')")
    told(before, "ALTER TABLE made ADD COLUMN of_the_master int")
    assert server.sql("SELECT rolsuper, rolcanlogin FROM pg_roles WHERE rolname = 'airflow_owner'") == [(False, False)]


def test_what_the_master_makes_later_becomes_the_owners(server: Server, run: Run) -> None:
    run("admit", OF_THE_MASTER, A)
    with closing(server.connect(*OF_THE_MASTER)) as master:
        told(master, "CREATE TABLE late (id int); CREATE TYPE later AS ENUM ('x')")
    run("retire", A)
    assert {owner for _, owner in server.sql(OWNERS)} == {OWNER}
    found = server.sql("SELECT DISTINCT typowner::regrole::text FROM pg_type WHERE typname IN ('late', 'later')")
    assert found == [(OWNER,)]


def test_whatever_the_master_has_made_beside_airflow_becomes_the_owners(server: Server, run: Run) -> None:
    server.sql("CREATE SCHEMA of_others; GRANT ALL ON SCHEMA of_others TO airflow")
    server.sql(f"ALTER DATABASE postgres OWNER TO {MASTER}")  # as on RDS
    try:
        with closing(server.connect(*OF_THE_MASTER)) as master:
            told(master, "CREATE SCHEMA team; CREATE TABLE team.t (id int); CREATE TABLE of_others.t (id int)")
            told(master, "SELECT lo_create(4711)")
        run("admit", OF_THE_MASTER, A)
        tables = "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename IN ('t', 'dag')"
        assert server.sql(tables) == [(OWNER,)]
        assert server.sql("SELECT lomowner::regrole::text FROM pg_largeobject_metadata") == [(OWNER,)]
        with closing(server.connect(*A)) as login:
            told(login, "INSERT INTO team.t VALUES (1)")
    finally:
        server.sql(f"ALTER DATABASE postgres OWNER TO {SUPERUSER}")
        server.sql("SELECT lo_unlink(4711)")
        server.sql("DROP SCHEMA IF EXISTS team, of_others CASCADE")


def test_earlier_login_is_dropped_when_it_is_not_used_any_more(server: Server, run: Run) -> None:
    run("admit", A)
    run("admit", A, B)
    assert run("others", A, B) == ""
    assert run("others", B) == A[0]
    with closing(server.connect(*A)) as old:
        told(old, "SET ROLE NONE")
        told(old, "CREATE TEMP TABLE by_hand (id int)")
        told(old, "SET ROLE airflow_owner")
    run("retire", B)
    assert run("others", B) == ""
    with pytest.raises(Exception, match="password authentication failed"):
        server.connect(*A)
    with closing(server.connect(*B)) as login:
        assert told(login, "SELECT name FROM dag") == [("first",)]


def test_earlier_login_with_a_name_of_its_own_stays_and_cannot_log_in(server: Server, run: Run) -> None:
    """It may own what is not of Airflow."""
    run("admit", NAMED)
    server.sql("CREATE ROLE reader LOGIN IN ROLE airflow_owner")  # which is none of Airflow's
    try:
        run("admit", NAMED, B)
        assert run("others", NAMED, B) == ""
        assert run("others", B) == NAMED[0]
        run("retire", B)
        assert run("others", B) == ""
        with pytest.raises(Exception, match=r"password authentication failed|not permitted to log in"):
            server.connect(*NAMED)
        logins = "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname IN ('etl', 'reader') ORDER BY 1"
        assert server.sql(logins) == [("etl", False), ("reader", True)]
        run("admit", NAMED)
        assert told(server.connect(*NAMED), "SELECT current_user") == [(OWNER,)], "it can come back"
    finally:
        server.sql("DROP ROLE reader")


def test_login_of_an_older_snapshot_gets_the_present_password(server: Server, run: Run) -> None:
    run("admit", (A[0], "sentinel-older"))
    run("admit", A)
    assert told(server.connect(*A), "SELECT current_user") == [(OWNER,)]


def test_table_in_use_is_waited_for_and_others_behind_it_only_shortly(server: Server, run: Run) -> None:
    holder = server.connect(*OF_THE_MASTER)
    holder.autocommit = False
    told(holder, "SELECT * FROM dag")
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(run("admit", OF_THE_MASTER, A)))
    thread.start()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    until = time.monotonic() + 30
    while server.sql(waiting) == [(0,)] and time.monotonic() < until:
        time.sleep(0.05)
    began = time.monotonic()
    with closing(server.connect(*OF_THE_MASTER)) as other:
        assert told(other, "SELECT count(*) FROM dag") == [(1,)]
    assert time.monotonic() - began < 15, "it stood behind the change of the owner until that gave up"
    assert not done
    told(holder, "INSERT INTO dag (name) VALUES ('kept')")
    holder.commit()
    thread.join(60)
    assert done == [""]
    assert server.sql("SELECT count(*) FROM dag") == [(2,)]
    assert {owner for _, owner in server.sql(OWNERS)} == {OWNER}


def test_no_password_stands_in_the_log_of_the_server(
    server: Server, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("admit", OF_THE_MASTER, A)
    assert "SCRAM-SHA-256$" in server.log
    assert A[1] not in server.log + str(capsys.readouterr())
