"""Values of the chart's weekly job that deletes old rows of the metadata database. Pure."""

from __future__ import annotations

from typing import Any, Final

import pulumi

from components.chart_values.chart_defaults import chart_values
from components.database.access import database_variables
from components.database.client_certificate import CERTIFICATE, KEY
from components.database.connection import CA_KEY
from components.kube.env import NO_DATABASE_CHECK, fernet_key, from_secret, variable

_SCHEDULE: Final = "0 4 * * 0"
"""Sundays at 04:00, not at midnight, when daily and weekly DAG runs begin."""
_BATCH_ROWS: Final = 10_000
"""Rows in one transaction, so that a table that was never cleaned is not locked for hours."""
_CERTIFICATES: Final = "DATABASE_CA_CERTIFICATES"
_CLIENT: Final = "/tmp/database-client"  # noqa: S108 - the same
_CLIENT_SCRIPT: Final = (
    f'umask 077; mkdir -p {_CLIENT}; printf "%s\\n" "$DATABASE_CLIENT_CERTIFICATE" > "$PGSSLCERT"; '
    'printf "%s\\n" "$DATABASE_CLIENT_KEY" > "$PGSSLKEY"; '
    "unset DATABASE_CLIENT_CERTIFICATE DATABASE_CLIENT_KEY; umask 022;"
)
"""libpq refuses a key that others may read."""
_CERTIFICATES_FILE: Final = "/tmp/database-ca.crt"  # noqa: S108 - one process in a container of its own


def cleanup_values(
    retention_days: int,
    metadata_secret: pulumi.Input[str],
    fernet_key_secret: pulumi.Input[str],
    database_ca: pulumi.Input[str] | None,
    client_certificate: str | None = None,
) -> dict[str, Any]:
    """Return the chart's `databaseCleanup`, which runs `airflow db clean` weekly; nothing if rows are kept for ever.

    Args:
        retention_days: Age in days at which rows are deleted, 0 for never.
        metadata_secret: Name of the Secret with the URIs of the metadata database.
        fernet_key_secret: Name of the Secret with the Fernet key.
        database_ca: Name of the ConfigMap with the CA certificates, if the job connects to the database directly and
            verifies it. At most 128 KiB, the most that Linux passes in one variable (MAX_ARG_STRLEN).
        client_certificate: Name of the Secret with the certificate for the database, if the job connects directly.
    """
    if retention_days == 0:
        return {}
    env, script = [fernet_key(fernet_key_secret), *database_variables(metadata_secret)], _script()
    if database_ca is not None:
        # The chart can mount a volume here only by mounting it everywhere, even in workers. So the certificates come in
        # a variable and the script writes a file. The image's own check of the database, which runs before, is skipped.
        env += [
            {"name": _CERTIFICATES, "valueFrom": {"configMapKeyRef": {"name": database_ca, "key": CA_KEY}}},
            variable("PGSSLROOTCERT", _CERTIFICATES_FILE),
            NO_DATABASE_CHECK,
        ]
        script = f'printf "%s\\n" "${_CERTIFICATES}" > "$PGSSLROOTCERT"; unset {_CERTIFICATES}; {script}'
    if client_certificate is not None:
        env += [
            from_secret("DATABASE_CLIENT_CERTIFICATE", client_certificate, CERTIFICATE),
            from_secret("DATABASE_CLIENT_KEY", client_certificate, KEY),
            variable("PGSSLCERT", f"{_CLIENT}/{CERTIFICATE}"),
            variable("PGSSLKEY", f"{_CLIENT}/{KEY}"),
        ]
        script = f"{_CLIENT_SCRIPT} {script}"
    return {
        "databaseCleanup": {
            "enabled": True,
            "schedule": _SCHEDULE,
            "retentionDays": retention_days,
            # Archived rows stay in tables of the same database that nobody drops, so it would still grow.
            "skipArchive": True,
            "batchSize": _BATCH_ROWS,
            "args": ["bash", "-c", script],
            "env": env,
            "serviceAccount": {"automountServiceAccountToken": False},
        }
    }


def _script() -> str:
    """Return the chart's own script, which is a template, with an option that makes the Job fail if a table cannot be
    cleaned: without it, only the log says so."""
    script: str = chart_values()["databaseCleanup"]["args"][2]
    return f"{script} --error-on-cleanup-failure"
