"""When S3 deletes what is in the bucket of task logs. Pure."""

from __future__ import annotations

from typing import Any, Final

FOLDER: Final = "logs"
"""Prefix of every log in the bucket; the roles of Airflow's pods can reach nothing else."""
_NONCURRENT_DAYS: Final = 30
"""In this time, what was overwritten or deleted can be restored."""
_UNFINISHED_UPLOAD_DAYS: Final = 7


def lifecycle_rules(retention_days: int, dumps: str | None) -> list[Any]:
    """Return the rules of the bucket.

    Args:
        retention_days: Days that a log is kept.
        dumps: Prefix of the dumps of the database, whose age is the business of what makes them; None for none.
    """
    rest = {
        "noncurrent_version_expiration": {"noncurrent_days": _NONCURRENT_DAYS},
        "abort_incomplete_multipart_upload": {"days_after_initiation": _UNFINISHED_UPLOAD_DAYS},
    }
    expired = {
        "id": "expire",
        "status": "Enabled",
        "filter": {"prefix": f"{FOLDER}/" if dumps else ""},
        # This leaves delete markers, which S3 removes once no version is left.
        "expiration": {"days": retention_days},
        **rest,
    }
    if dumps is None:
        return [expired]
    of_dumps = {
        "id": "dumps",
        "status": "Enabled",
        "filter": {"prefix": f"{dumps}/"},
        "expiration": {"expired_object_delete_marker": True},
        **rest,
    }
    return [expired, of_dumps]
