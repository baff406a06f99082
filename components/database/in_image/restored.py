"""Looks at a database that was restored: its encrypted values, its schema, and how new it is. A script of its own.

It runs in Airflow's image, as `python -c TEXT DATABASE OTHER [HOST]`, where OTHER is the text of `encrypted_values.py`,
with the URI of the stack's database and the Fernet keys in its environment. HOST is another server with the same login.
It prints JSON, and no value and no key. What it prints becomes the message by which the container ended, of which
Kubernetes keeps 4096 bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from sqlalchemy import create_engine, inspect, make_url, text

URI = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
MESSAGE = "/dev/termination-log"
NAMED = 15
LONGEST = 90
NEWEST = "SELECT max(coalesce(end_date, start_date, queued_at)) FROM dag_run"


def main(database: str, encrypted_values: str, host: str = "") -> None:
    """Point Airflow's variables to the database, and look."""
    for name in (URI, f"{URI}_ASYNC"):
        if name in os.environ:
            uri = make_url(os.environ[name])
            uri = uri.set(database=database, host=host or uri.host)
            os.environ[name] = uri.render_as_string(hide_password=False)
    count = [sys.executable, "-c", encrypted_values, "count"]
    done = subprocess.run(count, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    with create_engine(os.environ[URI]).connect() as connection:
        if not {"alembic_version", "dag_run"} <= set(inspect(connection).get_table_names()):
            sys.exit("the backup holds no tables of Airflow: it is of a database that was empty")
        newest = connection.execute(text(NEWEST)).scalar()
        runs = connection.execute(text("SELECT count(*) FROM dag_run")).scalar()
        heads = [row[0] for row in connection.execute(text("SELECT version_num FROM alembic_version"))]
    check = ["airflow", "db", "check-migrations", "--migration-wait-timeout", "0"]
    at_head = subprocess.run(check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
    answer = {
        "read": sum(found["read"]),
        "unread": [name[:LONGEST] for name in found["unread"][:NAMED]],
        "unread_count": len(found["unread"]),
        "broken": [name[:LONGEST] for name in found["broken"][:NAMED]],
        "heads": heads,
        "at_head": at_head,
        "runs": runs,
        "newest_run": newest.isoformat() if newest is not None else "",
    }
    with open(MESSAGE, "w", encoding="utf-8") as file:
        file.write(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:4])
