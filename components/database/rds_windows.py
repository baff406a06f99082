"""The times of the week in which RDS makes backups, and in which it maintains an instance. Pure.

Limits are those of the RDS API (docs.aws.amazon.com/AmazonRDS/latest/APIReference, CreateDBInstance).
"""

from __future__ import annotations

import re
from typing import Final

from components.texts.fields import refuse, shown

_MIN_WINDOW_MINUTES: Final = 30
_DAY_MINUTES: Final = 24 * 60
_WEEK_MINUTES: Final = 7 * _DAY_MINUTES
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = r"([01][0-9]|2[0-3]):([0-5][0-9])"


def backup_window(text: str) -> str:
    """Validate a backup window: HH:MM-HH:MM in UTC, at least 30 minutes; it may pass midnight."""
    minutes = _backup_span(text)[1]
    if minutes < _MIN_WINDOW_MINUTES:
        refuse(f"expected a daily window of at least {_MIN_WINDOW_MINUTES} minutes, found {shown(text)}")
    return text


def maintenance_window(text: str) -> str:
    """Validate a maintenance window, ddd:HH:MM-ddd:HH:MM in UTC, and return it in lower case, as RDS stores it.

    It lasts at least 30 minutes. RDS also accepts more than 24 hours; here that is refused as a mistyped weekday.
    """
    minutes = _maintenance_span(text)[1]
    if not _MIN_WINDOW_MINUTES <= minutes <= _DAY_MINUTES:
        refuse(f"expected a weekly window of {_MIN_WINDOW_MINUTES} minutes to 24 hours, found {shown(text)}")
    return text.lower()


def windows_problem(backup: str, maintenance: str) -> str | None:
    """Return what is wrong with two valid windows; else None.

    RDS refuses a maintenance window that overlaps the backup window of any day. It does not say whether they may touch;
    here they may not.
    """
    backup_start, backup_minutes = _backup_span(backup)
    start, minutes = _maintenance_span(maintenance)
    for day in range(7):
        # Minutes from the start of the maintenance to this day's backup, around the week.
        after = (day * _DAY_MINUTES + backup_start - start) % _WEEK_MINUTES
        if after <= minutes or after + backup_minutes >= _WEEK_MINUTES:
            return f"expected a window apart from the daily backups ({backup}), found {maintenance}"
    return None


def _backup_span(text: str) -> tuple[int, int]:
    """Return the start in minutes of the day and the length in minutes. Raises ValueError for another format."""
    match = re.fullmatch(rf"{_TIME}-{_TIME}", text)
    if match is None:
        refuse(f"expected a daily window in UTC such as 02:00-03:00, found {shown(text)}")
    start, end = _minutes(match[1], match[2]), _minutes(match[3], match[4])
    return start, (end - start) % _DAY_MINUTES


def _maintenance_span(text: str) -> tuple[int, int]:
    """Return the start in minutes of the week and the length in minutes. Raises ValueError for another format."""
    day = rf"({'|'.join(_DAYS)})"
    match = re.fullmatch(rf"{day}:{_TIME}-{day}:{_TIME}", text, re.IGNORECASE)
    if match is None:
        refuse(f"expected a weekly window in UTC such as sun:03:30-sun:04:30, found {shown(text)}")
    start = _DAYS.index(match[1].lower()) * _DAY_MINUTES + _minutes(match[2], match[3])
    end = _DAYS.index(match[4].lower()) * _DAY_MINUTES + _minutes(match[5], match[6])
    return start, (end - start) % _WEEK_MINUTES


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)
