"""The exporter's script: what it answers, with a database and without one, and when certificates end."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import HTTPServer
from pathlib import Path
from typing import Any, Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import create_engine

from components.monitoring.in_image.exporter import MEASURES, handler, lines

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Answering:
    """An engine whose database answers each query with rows of its table."""

    def __init__(self, rows: Mapping[str, list[tuple[str, float]]]) -> None:
        self.rows, self.options, self.asked = rows, dict[str, Any](), list[str]()

    def connect(self) -> Answering:
        return self

    def execution_options(self, **options: Any) -> Answering:
        self.options = options
        return self

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, statement: Any) -> Answering:
        self.asked.append(str(statement))
        return self

    def all(self) -> list[tuple[str, float]]:
        return next((rows for table, rows in self.rows.items() if f"FROM {table}" in self.asked[-1]), [])


@contextmanager
def serving(engine: Any, files: Mapping[str, Path] | None = None) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), handler(cast(Any, engine), files or {}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page(address: str) -> list[str]:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return cast(str, answer.read().decode()).splitlines()


def certificate(days: int) -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{days}")])
    made = x509.CertificateBuilder(
        issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=days
    ).not_valid_before(NOW - timedelta(days=1))
    signed = made.not_valid_after(NOW + timedelta(days=days)).sign(key, None)
    return signed.public_bytes(Encoding.PEM)


def test_what_the_database_knows_is_served_from_a_transaction_that_only_reads() -> None:
    engine = Answering({"task_instance": [("default", 12.5)], "dag_bundle": [("dags-folder", 3)]})
    with serving(engine) as address:
        found = page(f"{address}/metrics")
    assert 'airflow_oldest_queued_task_seconds{queue="default"} 12.5' in found
    assert 'airflow_dag_bundle_refreshed_seconds{bundle="dags-folder"} 3.0' in found
    assert "airflow_exporter_database_up 1" in found
    assert engine.options == {"postgresql_readonly": True}
    assert "statement_timeout" in engine.asked[0]
    assert len(engine.asked) == 1 + len(MEASURES)


def test_without_a_database_it_says_so_and_never_why(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/sentinel/no-such-folder.db")
    with serving(engine) as address:
        found = page(f"{address}/metrics")
    assert found[-1] == "airflow_exporter_database_up 0"
    assert not any("sentinel" in line or "airflow_oldest" in line for line in found)


def test_a_probe_does_not_ask_the_database() -> None:
    engine = Answering({})
    with serving(engine) as address:
        assert page(address) == ["ok"]
    assert engine.asked == []


def test_a_server_s_own_certificate_counts_and_of_authorities_the_last(tmp_path: Path) -> None:
    for name in ("tls.crt", "ca.crt"):
        (tmp_path / name).write_bytes(certificate(10) + certificate(400))
    (tmp_path / "none").write_text("no certificate")
    files = {"ingress": tmp_path / "tls.crt", "database-ca": tmp_path / "ca.crt", "bad": tmp_path / "none"}
    with serving(Answering({}), files) as address:
        found = [line for line in page(f"{address}/metrics") if line.startswith("airflow_certificate")]
    ends = {days: (NOW + timedelta(days=days)).timestamp() for days in (10, 400)}
    assert found == [
        f'airflow_certificate_end_timestamp_seconds{{certificate="ingress"}} {ends[10]}',
        f'airflow_certificate_end_timestamp_seconds{{certificate="database-ca"}} {ends[400]}',
    ]


def test_any_name_of_a_queue_is_one_line() -> None:
    *_, line = lines("m", "What it is.", "queue", [('a"b\\c\nd', 1)])
    assert line == r'm{queue="a\"b\\c\nd"} 1.0'
