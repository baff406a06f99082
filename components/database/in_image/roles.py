"""Makes the roles by which Airflow works in a managed database, in place of the master user. A script of its own.

It runs in Airflow's image, as `python -c TEXT MODE [HOST]`, with the URIs of the master user, of the role by which
Airflow logs in, and of one that will, in its environment. HOST is another server with the same database, such as a
restored one. It can be stopped and run again.

    admit    a role without a login owns all that the master owned, and each login acts as that owner
    retire   let no earlier login in any more, and give the owner what the master has made since
    others   answer which earlier logins there are, one a line

The master is no superuser: since PostgreSQL 16 it may grant roles that it has made, but never itself
(postgresql.org/docs/17/role-attributes.html). So the owner is a role of its own, and the master is a member of it:
whatever still logs in as the master goes on. Passwords are hashed here, because the server logs statements.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import encrypt_password
from sqlalchemy.engine import URL, make_url

MASTER = "AIRFLOW_DATABASE_MASTER"
LOGIN = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
COMING = "AIRFLOW_DATABASE_COMING"
MESSAGE = "/dev/termination-log"
CONNECT_SECONDS = 10
WAIT_SECONDS = 180.0
"""RDS takes some time to accept a new password of the master, and a new instance to have a name."""
LOCK_SECONDS = 2
"""Whoever wants a table waits behind a change of its owner. Shorter than any timeout of Airflow."""
TRIES = 90
GRANT_SINCE = 160000
"""Before that version, a grant has no options, and a member always inherits."""
MADE_BY_ROTATION = "^airflow_[0-9a-f]{6}$"
ADMITTED = "login of Airflow, admitted by its stack"
"""The comment of a role that was admitted here. Its name may be one that a person has chosen."""
LOCKED = (errors.LockNotAvailable, errors.DeadlockDetected)

RELATIONS = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.relowner = %(role)s::regrole AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                  AND d.deptype IN ('a', 'i', 'e'))
ORDER BY 1
"""
"""Without sequences of a column, which follow their table, and members of extensions."""
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspowner = %(role)s::regrole ORDER BY 1"
OTHERS = """
SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname <> ALL (%(known)s)
  AND (rolname ~ %(made)s OR shobj_description(oid, 'pg_authid') = %(admitted)s)
  AND pg_has_role(oid, %(owner)s, 'MEMBER') ORDER BY 1
"""


def owner_of(master: str) -> str:
    """Return the name of the owner. PostgreSQL's names have 63 bytes at most."""
    return f"{master[:57]}_owner"


class Server:
    """The stack's database, as its master user."""

    def __init__(self, url: URL, host: str) -> None:
        self.url = url.set(host=host) if host else url
        self.master = str(url.username)
        self.owner = owner_of(self.master)
        self.connection: Any = None

    @contextmanager
    def connected(self) -> Iterator[Server]:
        """Connect, as soon as the server accepts the password. Raises psycopg2.OperationalError."""
        url, until = self.url, time.monotonic() + WAIT_SECONDS
        options = {key: str(value) for key, value in url.query.items()}
        while True:
            try:
                self.connection = psycopg2.connect(
                    host=url.host,
                    port=url.port,
                    user=url.username,
                    password=url.password,
                    dbname=url.database,
                    connect_timeout=CONNECT_SECONDS,
                    **options,
                )
                break
            except psycopg2.OperationalError:
                if time.monotonic() >= until:
                    raise
            time.sleep(2)
        with closing(self.connection):
            self.connection.autocommit = True
            yield self

    def run(self, statement: str, **names: str) -> None:
        """Run a statement with names of roles or databases in it."""
        found = {name: sql.Identifier(value) for name, value in names.items()}
        with self.connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(**found))

    def run_patiently(self, statement: str, **names: str) -> None:
        """Run a statement as soon as nobody holds what it locks. Raises the last refusal."""
        for left in reversed(range(TRIES)):
            try:
                self.run(statement, **names)
            except LOCKED:
                if not left:
                    raise
                time.sleep(1)
            else:
                return

    def ask(self, statement: str, **values: Any) -> list[str]:
        """Return the first column of what is found."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return [row[0] for row in cursor.fetchall()]

    def has(self, role: str) -> bool:
        """Return whether a role exists."""
        return bool(self.ask("SELECT 1 FROM pg_roles WHERE rolname = %(role)s", role=role))

    def join(self, role: str) -> None:
        """Let the master act as a role that it has made."""
        options = " WITH INHERIT TRUE, SET TRUE" if self.connection.server_version >= GRANT_SINCE else ""
        self.run(f"GRANT {{role}} TO {{master}}{options}", role=role, master=self.master)

    def make_owner(self) -> None:
        """Make the role that owns the database. It may make databases too, because a restore does."""
        if not self.has(self.owner):
            self.run("CREATE ROLE {owner} NOLOGIN CREATEDB", owner=self.owner)
        self.join(self.owner)
        self.run("ALTER DATABASE {name} OWNER TO {owner}", name=str(self.url.database), owner=self.owner)

    def give(self) -> None:
        """Let the owner have all that the master owns.

        Each table by itself, and never waiting for long: a change of the owner locks the table, and a lock of all
        tables at once would stop Airflow, or end its transactions as deadlocks.
        """
        self.run(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        for name in self.ask(SCHEMAS, role=f'"{self.master}"'):
            self.run("ALTER SCHEMA {name} OWNER TO {owner}", name=name, owner=self.owner)
        for name in self.ask(RELATIONS, role=f'"{self.master}"'):
            with suppress(errors.InsufficientPrivilege):  # in a schema of others; the next statement does not ask
                self.run_patiently(f"ALTER TABLE IF EXISTS {name} OWNER TO {{owner}}", owner=self.owner)
        self.run_patiently("REASSIGN OWNED BY {master} TO {owner}", master=self.master, owner=self.owner)

    def admit(self, role: str, password: str) -> None:
        """Let a role log in with a password, and act as the owner: what it makes belongs to the owner."""
        if not self.has(role):
            self.run("CREATE ROLE {role} LOGIN", role=role)
        hashed = encrypt_password(password, role, self.connection, "scram-sha-256")
        with self.connection.cursor() as cursor:
            cursor.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD %s").format(sql.Identifier(role)), [hashed])
        self.run(f"COMMENT ON ROLE {{role}} IS '{ADMITTED}'", role=role)
        self.run("GRANT {owner} TO {role}", owner=self.owner, role=role)
        self.run("ALTER ROLE {role} SET role = {owner}", role=role, owner=self.owner)

    def others(self, known: list[str]) -> list[str]:
        """Return the logins that Airflow has had, but for those that are known."""
        if not self.has(self.owner):
            return []
        return self.ask(OTHERS, made=MADE_BY_ROTATION, admitted=ADMITTED, known=known, owner=self.owner)

    def retire(self, role: str) -> None:
        """Drop a login. It owns nothing, unless somebody has made something with it by hand.

        One that a person has named may be used for more than Airflow, so it stays, without a password.
        """
        if not re.match(MADE_BY_ROTATION, role):
            self.run("ALTER ROLE {role} NOLOGIN PASSWORD NULL", role=role)
            return
        self.join(role)
        self.run("REASSIGN OWNED BY {role} TO {owner}", role=role, owner=self.owner)
        self.run("DROP OWNED BY {role}", role=role)
        self.run("DROP ROLE {role}", role=role)


def logins(master: str) -> dict[str, str]:
    """Return the roles by which Airflow logs in or will log in, with their passwords, but for the master."""
    found = (make_url(os.environ[name]) for name in (LOGIN, COMING) if name in os.environ)
    return {str(url.username): str(url.password) for url in found if url.username != master}


def main(mode: str, host: str = "") -> None:
    """Do what a mode says."""
    server = Server(make_url(os.environ[MASTER]), host)
    known = logins(server.master)
    try:
        with server.connected():
            if mode == "others":
                answer = "\n".join(server.others(list(known)))
                with open(MESSAGE, "w", encoding="utf-8") as file:
                    file.write(answer)
                return
            if mode == "retire":
                for role in server.others(list(known)):
                    server.retire(role)
            else:
                server.make_owner()
                for role, password in known.items():
                    server.admit(role, password)
            server.give()
    except psycopg2.Error as error:
        sys.exit(f"the roles of the database could not be made: {str(error).strip()}")
    print(f"{server.owner} owns the database; logins: {', '.join(known) or 'none'}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
