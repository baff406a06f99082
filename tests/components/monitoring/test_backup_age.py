"""How old a backup may become, by its schedule."""

from __future__ import annotations

from components.monitoring.backup_age import oldest_seconds
from components.texts.fields import cron
from tests.cases import each

DAY = 86_400


@each(
    ("schedule", "days"),
    [
        ("30 1 * * *", 1),
        ("@daily", 1),
        ("@hourly", 1),
        ("0 */6 * * *", 1),
        ("0 4 * * 0", 7),
        ("0 4 * * MON-FRI", 7),
        ("@weekly", 7),
        ("0 4 1 * *", 31),
        ("0 4 1 * 1", 7),
        ("@monthly", 31),
        ("0 4 1 1 *", 366),
    ],
)
def test_it_may_be_as_old_as_the_schedule_makes_it_and_some_hours(schedule: str, days: int) -> None:
    assert cron(schedule) == schedule
    assert days * DAY < oldest_seconds(schedule) < (days + 1) * DAY
