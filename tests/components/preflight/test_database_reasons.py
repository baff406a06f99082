"""What a database refuses, and the config key that it is about."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from components.preflight.database_reasons import LEAST_VERSION, SCRIPT, database_finding
from components.preflight.finding import Verdict
from tests.cases import each
from tests.components.database.postgres_server import MASTER, PASSWORD, running

ABOUT: Final = {
    "stack": "prod",
    "host": "db.test",
    "port": "5432",
    "name": "airflow",
    "user": "airflow",
    "ssl_mode": "databaseSslMode require",
}
GOOD: Final = {
    "number": 150004,
    "version": "15.4",
    "encoding": "UTF8",
    "standby": False,
    "read_only": "off",
    "tls": True,
    "schema": "public",
    "may_create": True,
    "other_owner": None,
}
AT: Final = 'connection to server at "db.test" (10.0.0.1), port 5432 failed: '


@each(
    "error, key",
    [
        (AT + 'FATAL:  password authentication failed for user "airflow"', "databasePassword"),
        (AT + 'FATAL:  role "airflow" does not exist', "databasePassword"),
        (AT + 'FATAL:  database "airflow" does not exist', "databaseName"),
        (AT + 'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "airflow", database "airflow", no encryption',
         "databaseSslMode"),
        (AT + 'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "airflow", database "airflow", SSL encryption',
         "databaseHost"),
        (AT + "server does not support SSL, but SSL was required", "databaseSslMode"),
        (AT + "SSL error: certificate verify failed", "databaseCaCertificate"),
        (AT + "FATAL:  connection requires a valid client certificate", "databaseClientCertificateSecret"),
        (AT + 'FATAL:  certificate authentication failed for user "airflow"', "databaseClientCertificateSecret"),
        (AT + "SSL error: tlsv1 alert unknown ca", "databaseClientCertificateSecret"),
        (AT + 'private key file "/x" has group or world access', "databaseClientCertificateSecret"),
        (AT + 'server certificate for "other" does not match host name "db.test"', "databaseCaCertificate"),
        (AT + "Connection refused\n\tIs the server running on that host?", "databaseHost"),
        (AT + "timeout expired", "databaseHost"),
        ('could not translate host name "db.test" to address: Name or service not known', "databaseHost"),
        (AT + "FATAL:  sorry, too many clients already", "databaseHost"),
        ("something that nobody has seen", "databaseHost"),
    ],
)  # fmt: skip
def test_usual_refusals_name_their_key(error: str, key: str) -> None:
    found = database_finding(json.dumps({"error": error}), ABOUT)
    assert found.verdict is Verdict.FAILED
    assert found.what.startswith(f"airflow:{key}: expected ")
    assert found.fix


@each(
    "change, key",
    [
        ({"number": LEAST_VERSION * 10_000 - 1}, "databaseHost"),
        ({"standby": True}, "databaseHost"),
        ({"read_only": "on"}, "databaseHost"),
        ({"encoding": "SQL_ASCII"}, "databaseName"),
        ({"may_create": False}, "databaseUser"),
        ({"other_owner": "old"}, "databaseUser"),
    ],
)
def test_database_that_answers_may_still_not_do(change: dict[str, Any], key: str) -> None:
    found = database_finding(json.dumps({**GOOD, **change}), ABOUT)
    assert found.what.startswith(f"airflow:{key}: expected ")
    good = database_finding(json.dumps({**GOOD, "number": LEAST_VERSION * 10_000}), ABOUT)
    assert good.verdict is Verdict.PASSED


def test_script_sees_what_the_database_says_and_tls_though_the_role_acts_as_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as server:
        server.demand_tls()
        server.sql(f"CREATE ROLE owner ROLE {MASTER}; ALTER ROLE {MASTER} SET role = 'owner'")
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", server.uri(MASTER, PASSWORD))
        found = _answer(tmp_path, monkeypatch, "SELECT current_user AS acts_as")
        assert found.keys() == {*GOOD, "acts_as"}
        assert (found["tls"], found["acts_as"], found["encoding"]) == (True, "owner", "UTF8")
        assert database_finding(json.dumps({**found, "may_create": True}), ABOUT).what.endswith(
            "answers with TLS, and airflow may migrate it"
        )
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", server.uri(MASTER, "sentinel-of-another"))
        refused = _answer(tmp_path, monkeypatch)
    assert "password authentication failed" in refused["error"]
    assert "sentinel" not in str(refused)


def _answer(folder: Path, monkeypatch: pytest.MonkeyPatch, *questions: str) -> Any:
    """Return what the script writes where Kubernetes looks."""
    written = folder / "message"
    monkeypatch.setattr(sys, "argv", ["-c", *questions])
    exec(compile(SCRIPT.replace("/dev/termination-log", str(written)), "script", "exec"), {})  # noqa: S102
    return json.loads(written.read_text())
