"""The weekly `airflow db clean`. What becomes of it in the chart: tests/chart."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.chart_values.chart_defaults import chart_values
from components.chart_values.values import airflow_values
from components.database.connection import CA_KEY
from components.database.pgbouncer import PgBouncer
from tests import samples


def cleanup(client_certificate: str | None = None, **options: Any) -> dict[str, Any]:
    inputs = samples.release_inputs(metadata_retention_days=30, **options)
    found: dict[str, Any] = airflow_values(replace(inputs, client_certificate=client_certificate))["databaseCleanup"]
    return found


def test_rows_are_kept_for_ever_by_default() -> None:
    assert "databaseCleanup" not in airflow_values(samples.release_inputs())
    assert chart_values()["databaseCleanup"]["enabled"] is False


def test_old_rows_are_deleted_weekly_and_for_good() -> None:
    found = cleanup()
    assert (found["enabled"], found["retentionDays"]) == (True, 30)
    minute, hour, day, month, weekday = found["schedule"].split()
    assert minute.isdecimal()
    assert int(hour) > 0, "daily and weekly runs begin at midnight"
    assert (day, month) == ("*", "*")
    assert weekday.isdecimal()
    assert found["skipArchive"] is True, "or the rows stay, in tables that nobody drops"
    assert found["batchSize"] > 0
    shell, _, script = found["args"]
    assert shell == "bash"
    assert script.startswith(chart_values()["databaseCleanup"]["args"][2]), "its template reads the values above"
    assert script.endswith(" --error-on-cleanup-failure"), "or a table that stays as it was is a success"


def test_cleanup_goes_through_the_pooler_where_there_is_one() -> None:
    found = cleanup(pgbouncer=PgBouncer(), database_ca="database-ca-1")
    assert [variable["name"] for variable in found["env"]] == [
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on PATH")
def test_cleanup_has_the_client_certificate_in_files_that_nobody_else_reads(tmp_path: Path) -> None:
    pooled = cleanup(pgbouncer=PgBouncer(), client_certificate="team-client", database_ca="ca")
    assert "team-client" not in json.dumps(pooled)
    found = cleanup(client_certificate="team-client", database_ca="ca")
    variables = {variable["name"]: variable for variable in found["env"]}
    assert variables["DATABASE_CLIENT_KEY"]["valueFrom"]["secretKeyRef"] == {"name": "team-client", "key": "tls.key"}
    script = found["args"][2].partition("airflow db clean")[0]
    assert "team-client" not in script
    script = script.replace("/tmp/database-client", str(tmp_path / "client"))
    environment = {
        "PATH": "/usr/bin:/bin",
        "DATABASE_CLIENT_CERTIFICATE": "certificate",
        "DATABASE_CLIENT_KEY": "key",
        "DATABASE_CA_CERTIFICATES": "ca",
        "PGSSLROOTCERT": str(tmp_path / "ca.crt"),
        **{
            name: variables[name]["value"].replace("/tmp/database-client", str(tmp_path / "client"))
            for name in ("PGSSLCERT", "PGSSLKEY")
        },
    }
    lines = script.split("CLEAN_TS")[0]
    done = subprocess.run(["bash", "-c", lines], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    key = tmp_path / "client" / "tls.key"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("key\n", 0o600)
    assert (tmp_path / "ca.crt").stat().st_mode & 0o777 == 0o644


def test_cleanup_verifies_the_database_without_a_volume() -> None:
    """A volume of this job is a volume of every pod; see test_values.py."""
    found = cleanup(database_ca="database-ca-1")
    variables = {variable["name"]: variable for variable in found["env"]}
    source = variables["DATABASE_CA_CERTIFICATES"]["valueFrom"]["configMapKeyRef"]
    assert source == {"name": "database-ca-1", "key": CA_KEY}
    script = found["args"][2]
    wrote = script.index('> "$PGSSLROOTCERT"')
    assert script.index('"$DATABASE_CA_CERTIFICATES"') < wrote < script.index("airflow db clean")
    assert variables["PGSSLROOTCERT"]["value"].startswith("/tmp/")
    # The image looks for the database before it runs the script, when there is no file yet.
    assert variables["CONNECTION_CHECK_MAX_COUNT"]["value"] == "0"
