"""Tries an image of Airflow with a stack's config and DAGs. A script of its own, which writes nothing.

It runs in Airflow's image, as `python -c TEXT MODE`, in a pod like the DAG processor's. Nothing here imports it.

    image   tell the versions in the image and what `airflow config lint` finds, and import every delivered DAG
    all     also: the statements of the migration, with the size of their tables

Each finding is one line: `tried: ` and JSON. Whatever else is in the output comes from Airflow or from DAGs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions, version
from typing import Any

LINT_SECONDS = 600
SQL_SECONDS = 600
STATEMENT = re.compile(r"^(?:ALTER|CREATE|DROP|UPDATE|DELETE|INSERT) ", re.MULTILINE)
TABLE = re.compile(
    r"^(?:ALTER TABLE|UPDATE|DELETE FROM|DROP TABLE|CREATE (?:UNIQUE )?INDEX \S+ ON) \"?(\w+)", re.MULTILINE
)


def tell(**found: Any) -> None:
    print("tried:", json.dumps(found), flush=True)


def dags() -> None:
    """Import the DAGs of every bundle, as the DAG processor would: top-level code may ask for variables."""
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag
    for bundle in DagBundlesManager().get_all_dag_bundles():
        bundle.initialize()
        tell(bundle=bundle.name, commit=str(bundle.get_current_version() or "") or linked(str(bundle.path)))
        sys.path.append(str(bundle.path))
        options = {"include_examples": False} if "include_examples" in DagBag.__init__.__code__.co_varnames else {}
        bag = DagBag(dag_folder=bundle.path, bundle_path=bundle.path, **options)
        for file, trace in sorted(bag.import_errors.items()):
            name = os.path.relpath(file, bundle.path) if os.path.isabs(file) else file
            tell(file=f"{bundle.name}: {name}", error=(trace.strip().splitlines() or [""])[-1][:500])
        tell(dags=sorted(bag.dags))


def linked(path: str) -> str:
    """Return the commit in a path of git-sync, whose folders have the names of commits; else ""."""
    found = re.findall(r"[0-9a-f]{40}", os.path.realpath(path))
    return found[-1] if found else ""


def image() -> None:
    tell(airflow=version("apache-airflow-core"), python=".".join(map(str, sys.version_info[:3])))
    names = {str(item.metadata["Name"]): item.version for item in distributions()}
    tell(providers={name: found for name, found in names.items() if name.startswith("apache-airflow-providers-")})


def lint() -> None:
    done = subprocess.run(
        ["airflow", "config", "lint"], capture_output=True, text=True, timeout=LINT_SECONDS, check=False
    )
    lines = re.findall(r"^ +- ((?:.+\n?)(?: {4,}.+\n?)*)", done.stdout, re.MULTILINE)
    tell(lint=[" ".join(line.split()) for line in lines], code=done.returncode)


def database() -> None:
    """Tell what the migration would do, from Airflow's own offline mode, which only reads the present revision."""
    from airflow.configuration import conf
    from airflow.utils.db import _REVISION_HEADS_MAP
    from sqlalchemy import create_engine, text

    with create_engine(conf.get("database", "sql_alchemy_conn")).connect() as connection:
        number = connection.execute(text("SELECT current_setting('server_version_num')::int")).scalar_one()
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        head = list(_REVISION_HEADS_MAP.values())[-1]
        tell(postgresql=number // 10_000, revision=revision, head=head, known=known(revision))
        if revision == head or not known(revision):
            return
        done = subprocess.run(
            ["airflow", "db", "migrate", "--show-sql-only"],
            capture_output=True,
            text=True,
            timeout=SQL_SECONDS,
            check=True,
        )
        statements = list(sql(done.stdout))
        for statement in statements:
            tell(sql=statement[:2000])
        tables = set(TABLE.findall("\n".join(statements)))
        found = connection.execute(
            text("SELECT relname, reltuples::bigint FROM pg_class WHERE relkind = 'r' AND relname = ANY(:names)"),
            {"names": sorted(tables)},
        ).all()
        for name, rows in found:
            # -1: nobody has analysed it yet, so it is small or new.
            count = text(f'SELECT count(*) FROM "{name}"')  # noqa: S608 - a name of the catalogue
            tell(table=name, rows=rows if rows >= 0 else connection.execute(count).scalar_one())


def sql(text: str) -> Iterator[str]:
    """Yield the statements, each on one line. Advice of a migration, which has statements for other databases too, is
    indented.
    """
    for part in re.split(r";\s*\n", text):
        found = STATEMENT.search(part)
        if found:
            yield " ".join(part[found.start() :].split())


def known(revision: str) -> bool:
    """Return whether this Airflow has a migration of this name: else a newer one has changed the database."""
    from airflow.utils.db import _get_alembic_config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        return ScriptDirectory.from_config(_get_alembic_config()).get_revision(revision) is not None
    except CommandError:
        return False


def main() -> None:
    image()
    lint()
    if sys.argv[-1] == "all":
        database()
    dags()
    tell(done=True)


main()
