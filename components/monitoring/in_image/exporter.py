"""Serves what Airflow does not measure itself, at /metrics, in Prometheus's text format. A script of its own.

It runs in Airflow's image, as `python -c TEXT PORT [NAME=FILE ...]`, with the URI of the metadata database in its
environment; each file holds certificates. The image has SQLAlchemy and cryptography, and not this repository. Nothing
here imports it.

Each request asks the database once, in a transaction that only reads. One request is served at a time, so there is
never more than one connection. What cannot be asked is left out, and `airflow_exporter_database_up` is then 0.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

MEASURES = (
    # metric, what it is, label, query for the label's values and the numbers
    (
        "airflow_oldest_queued_task_seconds",
        "Age of the oldest queued task of a queue.",
        "queue",
        "SELECT queue, EXTRACT(EPOCH FROM now() - MIN(queued_dttm)) FROM task_instance"
        " WHERE state = 'queued' AND queued_dttm IS NOT NULL GROUP BY queue",
    ),
    (
        "airflow_dag_bundle_refreshed_seconds",
        "Time since the DAG processor last fetched a bundle.",
        "bundle",
        "SELECT name, EXTRACT(EPOCH FROM now() - last_refreshed) FROM dag_bundle"
        " WHERE active AND last_refreshed IS NOT NULL",
    ),
    (
        "airflow_dag_bundle_commit",
        "First 12 digits of the commit that the DAG processor last fetched of a bundle, as a number.",
        "bundle",
        "SELECT name, ('x' || substr(version, 1, 12))::bit(48)::bigint FROM dag_bundle"
        " WHERE active AND version ~ '^[0-9a-f]{40}'",
    ),
    (
        "airflow_backup_age_seconds",
        "Time since the last backup, or since Airflow's oldest event if there is none.",
        "database",
        # backups.sh notes each dump among Airflow's events.
        "SELECT current_database(), EXTRACT(EPOCH FROM now() - COALESCE("
        "(SELECT MAX(dttm) FROM log WHERE event = 'database_backup'), (SELECT MIN(dttm) FROM log), now()))",
    ),
)
UP = "airflow_exporter_database_up"
ENDS = "airflow_certificate_end_timestamp_seconds"
SECONDS = 2
"""Within which the database must accept a connection, and answer a query. Both together end within a scrape's time-out,
often 5 s: else a database that lets connections hang would leave no metric, not even the one that says so."""


def lines(metric: str, what: str, label: str, rows: Sequence[Any]) -> Iterator[str]:
    """Yield a gauge in Prometheus's text format. Each row has the label's value and the number."""
    yield f"# HELP {metric} {what}"
    yield f"# TYPE {metric} gauge"
    for value, number in rows:
        escaped = str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        yield f'{metric}{{{label}="{escaped}"}} {float(number)}'


def measured(database: Connection) -> list[str]:
    """Return the lines of everything that the database knows."""
    database.execute(text(f"SET LOCAL statement_timeout = '{SECONDS}s'"))
    return [
        line
        for metric, what, label, query in MEASURES
        for line in lines(metric, what, label, database.execute(text(query)).all())
    ]


def asked(engine: Engine) -> list[str]:
    """Return the lines about the database; the last one says whether it answered."""
    try:
        with engine.connect().execution_options(postgresql_readonly=True) as database:
            found, up = measured(database), 1
    except SQLAlchemyError as error:
        print(f"the database could not be asked: {type(error).__name__}", file=sys.stderr, flush=True)
        found, up = [], 0
    return [*found, f"# TYPE {UP} gauge", f"{UP} {up}"]


def ends(files: Mapping[str, Path]) -> list[str]:
    """Return the lines of when certificates end: of a server's, its own; of authorities, the one that ends last."""
    rows = []
    for name, path in files.items():
        try:
            found = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as error:
            print(f"{path}: expected certificates, found none ({type(error).__name__})", file=sys.stderr, flush=True)
            continue
        own = found[:1] if path.name == "tls.crt" else found
        rows.append((name, max(certificate.not_valid_after_utc.timestamp() for certificate in own)))
    return list(lines(ENDS, "When a certificate ends, as a Unix time.", "certificate", rows)) if rows else []


def handler(engine: Engine, files: Mapping[str, Path]) -> type[BaseHTTPRequestHandler]:
    """Return what answers the requests. Any path but /metrics only says that the process lives."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            answer = [*asked(engine), *ends(files)] if self.path == "/metrics" else ["ok"]
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write("".join(f"{line}\n" for line in answer).encode())

        def log_message(self, *_: Any) -> None:
            """Write nothing: every scrape and every probe would be a line."""

    return Handler


def main(port: str, *files: str) -> None:
    """Serve until the process is stopped."""
    engine = create_engine(
        os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
        poolclass=NullPool,
        connect_args={"connect_timeout": SECONDS},
    )
    named = {name: Path(path) for name, _, path in (file.partition("=") for file in files)}
    HTTPServer(("", int(port)), handler(engine, named)).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
