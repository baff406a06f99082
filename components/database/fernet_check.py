"""A check that runs in the migration Job, before anything changes: does this Fernet key read what the database holds?

A stack that has lost its keys, or a database that was restored under another stack, would otherwise get a second Fernet
key, and every connection and variable in that database would be unreadable from then on.
"""

from __future__ import annotations

from typing import Final

FERNET_CHECK: Final = """\
import os, sys
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

COLUMNS = (("connection", "password", "is_encrypted"), ("connection", "extra", "is_extra_encrypted"),
           ("variable", "val", "is_encrypted"))
keys = os.environ["AIRFLOW__CORE__FERNET_KEY"].split(",")
fernet = MultiFernet([Fernet(key) for key in keys])
read = unread = 0
try:
    with create_engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]).connect() as database:
        tables = inspect(database).get_table_names()
        for table, column, encrypted in COLUMNS:
            if table not in tables:
                continue
            rows = database.execute(text(
                f"SELECT {column} FROM {table} WHERE {encrypted} AND {column} IS NOT NULL AND {column} != '' LIMIT 50"))
            for (value,) in rows:
                try:
                    fernet.decrypt(value.encode())
                    read += 1
                except InvalidToken:
                    unread += 1
except OperationalError as error:
    sys.exit(f"the database could not be asked: {str(error.orig).strip()}")
if unread and not read:
    sys.exit("the database holds values that another Fernet key encrypted, and this stack's key reads none of "
             f"{unread} of them. Fix: give the stack that key, by airflow:keySource escrow or by "
             "pulumi config set --stack STACK --secret airflow:fernetKey")
print(f"Fernet key: reads {read} of {read + unread} encrypted values")
"""
"""Python for Airflow's image (SQLAlchemy and cryptography are there); its environment has the URI and the key.

Ends with an error only where values are there and none can be read: a single broken row is not for a migration to
judge. Changes nothing in the database. No message holds a value, a key or a password.
"""
