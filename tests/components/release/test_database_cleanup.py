"""The weekly `airflow db clean`. What becomes of it in the chart: tests/chart."""

from __future__ import annotations

from typing import Any

from components.database.connection import CA_KEY
from components.database.pgbouncer import PgBouncer
from components.release.chart_defaults import chart_values
from components.release.values import airflow_values
from tests import samples


def cleanup(**options: Any) -> dict[str, Any]:
    found: dict[str, Any] = airflow_values(samples.release_inputs(metadata_retention_days=30, **options))[
        "databaseCleanup"
    ]
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
