"""Reads, counts and re-encrypts what Airflow's database holds under a Fernet key. A script of its own.

It runs in Airflow's image, as `python -c TEXT MODE`, with the URI of the database and the Fernet keys in its
environment. The image has SQLAlchemy and cryptography, and not this repository. `migration.py` takes `accepted` from
the text.

    count   print as JSON how many values each key reads, and which values none reads
    renew   encrypt with the first key what another one encrypted, then count

No message and no document holds a value or a key. `renew` writes a value only while it is still the one that was read,
so a password that somebody changes meanwhile stays as it was changed. It can be stopped and run again.

This text is part of the migration's Job: another text makes another Job, which migrates again.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import OperationalError

COLUMNS = (
    # table, column that names a row, encrypted column, whether it is encrypted
    ("connection", "conn_id", "password", "is_encrypted"),
    ("connection", "conn_id", "extra", "is_extra_encrypted"),
    ("variable", "key", "val", "is_encrypted"),
    ("trigger", "classpath", "kwargs", ""),
)
SHOWN = 10


def rows(database: Connection) -> Iterator[tuple[str, str, Any, str, str]]:
    """Yield table, column, id, name and text of each encrypted value. A deferred task's arguments are plain JSON."""
    tables = inspect(database).get_table_names()
    for table, name, column, flag in COLUMNS:
        if table in tables:
            encrypted = flag or f"CAST(\"{column}\" AS TEXT) NOT LIKE '{{%'"
            where = f'{encrypted} AND "{column}" IS NOT NULL AND CAST("{column}" AS TEXT) != \'\''
            statement = f'SELECT id, "{name}", "{column}" FROM "{table}" WHERE {where} ORDER BY id'  # noqa: S608
            for id_, label, value in database.execute(text(statement)).all():
                yield table, column, id_, f"{table} {label} ({column})", value


def opened(keys: Sequence[Fernet], value: str) -> tuple[int, bytes] | None:
    """Return which key reads a value, and what it reads; None if none does."""
    for number, key in enumerate(keys):
        try:
            return number, key.decrypt(value.encode())
        except InvalidToken:
            continue
    return None


def is_token(value: str) -> bool:
    """Return whether a text has the form of a Fernet token: what has not, no key can ever read."""
    try:
        content = base64.urlsafe_b64decode(value.encode())
    except (binascii.Error, ValueError):
        return False
    return content[:1] == b"\x80" and len(content) >= 73 and (len(content) - 57) % 16 == 0


def count(database: Connection, keys: Sequence[Fernet]) -> dict[str, Any]:
    """Return how many values each key reads, the names of those that need another key, and of those that are broken."""
    read, unread, broken = [0] * len(keys), list[str](), list[str]()
    for _, _, _, name, value in rows(database):
        found = opened(keys, value)
        if found is not None:
            read[found[0]] += 1
        else:
            (unread if is_token(value) else broken).append(name)
    return {"read": read, "unread": unread, "broken": broken}


def renew(database: Connection, keys: Sequence[Fernet]) -> int:
    """Encrypt with the first key what another one encrypted, until none of that is left. Return the number."""
    renewed, left = 0, True
    while left:
        left = False
        for table, column, id_, _, value in rows(database):
            found = opened(keys, value)
            if found is not None and found[0] > 0:
                left = True  # until another look finds none: somebody may change a value meanwhile
                statement = f'UPDATE "{table}" SET "{column}" = :new WHERE id = :id AND "{column}" = :old'  # noqa: S608
                new = keys[0].encrypt(found[1]).decode()
                renewed += database.execute(text(statement), {"new": new, "id": id_, "old": value}).rowcount
    return renewed


def accepted(database: Connection, keys: Sequence[Fernet]) -> str:
    """Return what to say of keys that read everything. Else the process ends: a migration must not begin."""
    found = count(database, keys)
    unread, broken = found["unread"], found["broken"]
    if not unread:
        named = f"; not encrypted by any key: {', '.join(broken[:SHOWN])}" if broken else ""
        return f"Fernet key: reads {sum(found['read'])} of {sum(found['read'])} encrypted values{named}"
    named = ", ".join(unread[:SHOWN]) + (f" and {len(unread) - SHOWN} more" if len(unread) > SHOWN else "")
    reads = f"{sum(found['read'])} of {sum(found['read']) + len(unread)}"
    sys.exit(
        f"the database holds values that another Fernet key encrypted: this stack reads {reads}, and not {named}. Fix: "
        "give the stack that key too, by airflow:keySource escrow or by pulumi config set --stack STACK --secret "
        "airflow:fernetKey, and KEY,OTHER_KEY when it asks; or delete what nobody needs, for example: airflow "
        "connections delete ID"
    )


def main(mode: str) -> None:
    """Do what a mode says."""
    keys = [Fernet(key) for key in os.environ["AIRFLOW__CORE__FERNET_KEY"].split(",")]
    try:
        engine = create_engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], isolation_level="AUTOCOMMIT")
        with engine.connect() as database:
            renewed = renew(database, keys) if mode == "renew" else 0
            found = count(database, keys)
    except OperationalError as error:
        sys.exit(f"the database could not be asked: {str(error.orig).strip()}")
    print(json.dumps({**found, "renewed": renewed}))


if __name__ == "__main__":
    main(sys.argv[1])
