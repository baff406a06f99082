"""Takes the database back to the schema of an older Airflow. A script of its own, in the image of the newer one.

It runs as `python -c TEXT look VERSION` or `python -c TEXT do VERSION`. Nothing here imports it. `look` prints what the
database is at and what it would be at: `tried: ` and JSON. `do` ends with the exit code of `airflow db downgrade`; if
there is nothing to do, it does nothing. It can be stopped and run again.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    from airflow.cli.commands.db_command import _get_version_revision
    from airflow.configuration import conf
    from sqlalchemy import create_engine, text

    mode, wanted = sys.argv[-2:]
    with create_engine(conf.get("database", "sql_alchemy_conn")).connect() as connection:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    target = _get_version_revision(wanted)
    print("tried:", json.dumps({"revision": revision, "head": target}), flush=True)
    if mode == "do" and revision != target:
        os.execvp("airflow", ["airflow", "db", "downgrade", "--to-version", wanted, "--yes"])  # noqa: S606


main()
