"""The weekly job that deletes old rows of the metadata database: the chart's, as values. Pure."""

from __future__ import annotations

from typing import Any, Final

import pulumi

from components.database.access import database_variables
from components.database.connection import CA_KEY
from components.kube.env import variable
from components.release.chart_defaults import chart_values

_SCHEDULE: Final = "0 4 * * 0"
"""Not at midnight, when the daily and weekly runs begin."""
_BATCH_ROWS: Final = 10_000
"""Rows of one transaction: a table that was never cleaned is not locked for hours."""
_CERTIFICATES: Final = "DATABASE_CA_CERTIFICATES"
_CERTIFICATES_FILE: Final = "/tmp/database-ca.crt"  # noqa: S108 - one process in a container of its own


def cleanup_values(
    retention_days: int, metadata_secret: pulumi.Input[str], database_ca: pulumi.Input[str] | None
) -> dict[str, Any]:
    """`databaseCleanup` of the chart: `airflow db clean`, weekly; nothing where rows are kept for ever.

    retention_days: rows that are older go; 0 keeps all.
    metadata_secret: Secret with the URIs of the metadata database.
    database_ca: ConfigMap with the authorities, where the job connects to the database itself and verifies it. At most
    128 KiB, which is all that Linux passes in one variable (MAX_ARG_STRLEN).
    """
    if retention_days == 0:
        return {}
    env, script = database_variables(metadata_secret), _script()
    if database_ca is not None:
        # The chart can mount a volume here only by mounting it everywhere, in workers too. So the certificates come as
        # a variable and become a file; the image's own look for the database, which is before that, is skipped.
        env += [
            {"name": _CERTIFICATES, "valueFrom": {"configMapKeyRef": {"name": database_ca, "key": CA_KEY}}},
            variable("PGSSLROOTCERT", _CERTIFICATES_FILE),
            variable("CONNECTION_CHECK_MAX_COUNT", "0"),
        ]
        script = f'printf "%s\\n" "${_CERTIFICATES}" > "$PGSSLROOTCERT"; unset {_CERTIFICATES}; {script}'
    return {
        "databaseCleanup": {
            "enabled": True,
            "schedule": _SCHEDULE,
            "retentionDays": retention_days,
            # An archive is tables in the same database that nobody drops: it would grow all the same.
            "skipArchive": True,
            "batchSize": _BATCH_ROWS,
            "args": ["bash", "-c", script],
            "env": env,
            "serviceAccount": {"automountServiceAccountToken": False},
        }
    }


def _script() -> str:
    """The chart's own, a template of the values beside it, and an end that lets the Job fail where a table stays as it
    was: without it only the log says so."""
    script: str = chart_values()["databaseCleanup"]["args"][2]
    return f"{script} --error-on-cleanup-failure"
