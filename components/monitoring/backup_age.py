"""The age of the newest backup at which the alert fires. Pure."""

from __future__ import annotations

from typing import Final

_DAY: Final = 86_400
_LATE: Final = 8 * 3600
"""A backup may begin an hour late and take six (`components/database/backups.py`)."""
_DAYS: Final = {"@hourly": 1, "@daily": 1, "@weekly": 7, "@monthly": 31}


def oldest_seconds(schedule: str) -> int:
    """Return the age in seconds above which a backup by this schedule is missing. schedule: as a CronJob takes it.

    The age is a number of days, also for an hourly backup: that one may be a day old.
    """
    return _days(schedule) * _DAY + _LATE


def _days(schedule: str) -> int:
    if schedule.startswith("@"):
        return _DAYS[schedule]
    _, _, day, month, weekday = schedule.split()
    if month != "*":
        return 366
    if weekday != "*":
        return 7  # beside a day of the month, either is enough
    return 1 if day == "*" else 31
