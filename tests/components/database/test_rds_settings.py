"""What each setting of an RDS instance may be, and what fits together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from components.database import rds_settings as rds
from components.database import rds_windows
from components.database.rds_settings import ManagedDatabase, problems
from tests.aws.samples import managed
from tests.cases import each

ACCEPTED: list[tuple[Callable[[str], str], list[str]]] = [
    (rds.identifier, ["airflow", "a", "a-1", "a1-b2-c3", "a" * 63]),
    (rds.instance_class, ["db.m7g.large", "db.t4g.micro", "db.r6i.24xlarge"]),
    (rds.engine_version, ["17", "17.1", "17.6", "17.10"]),
    (rds.database_name, ["airflow", "a", "a_1", "postgres", "a" * 63]),
    (rds.username, ["airflow", "a", "a_1", "postgres", "rdsx", "pgx", "a" * 16]),
    (rds_windows.backup_window, ["02:00-03:00", "00:00-00:30", "23:45-00:15", "12:01-12:00"]),
    (rds_windows.maintenance_window, ["sun:03:30-sun:04:30", "sun:23:45-mon:00:15", "mon:00:00-tue:00:00"]),
    (
        rds.snapshot_identifier,
        [
            "before-upgrade",
            "A1",
            "a" * 255,
            "rds:airflow-2026-01-31-02-05",
            "awsbackup:job-1a2b",
            "arn:aws:rds:eu-central-1:123456789012:snapshot:before-upgrade",
            "arn:aws-us-gov:rds:us-gov-west-1:123456789012:snapshot:rds:airflow-2026-01-31-02-05",
        ],
    ),
    (rds.topic_arn, ["arn:aws:sns:eu-central-1:123456789012:on-call", "arn:aws:sns:us-east-1:123456789012:A_1"]),
]

REFUSED: list[tuple[Callable[[str], str], list[str]]] = [
    (rds.identifier, ["", "-a", "a-", "a--b", "1a", "A", "a_b", "a.b", "a" * 64, "a\n", "ä"]),
    (rds.instance_class, ["", "m7g.large", "db.m7g", "db.m7g.large ", "db.M7G.large", "db.m7g.large.x"]),
    (rds.engine_version, ["", "16", "18", "17.", "17.0", "17.6.1", "v17", "17 ", "17\n", "170"]),
    (rds.database_name, ["", "1a", "_a", "Air", "a-b", "a" * 64, "a\n", "template1", "rdsadmin"]),
    (rds.username, ["", "1a", "A", "a-b", "a" * 17, "a\n", "admin", "rdsadmin", "user", "pg_x", "rds_superuser"]),
    (rds_windows.backup_window, ["", "02:00", "02:00-02:29", "02:00-02:00", "24:00-01:00", "2:00-3:00", "02:60-04:00"]),
    (
        rds_windows.maintenance_window,
        [
            "",
            "03:30-04:30",
            "sun:03:30-sun:03:59",
            "sun:03:30-sun:03:30",
            "sun:03:30-mon:03:31",
            "son:03:30-son:04:30",
            "sun:3:30-sun:4:30",
        ],
    ),
    (
        rds.snapshot_identifier,
        [
            "",
            "-a",
            "a-",
            "a--b",
            "1a",
            "a_b",
            "a" * 256,
            "s3:a",
            "arn:aws:rds:eu-central-1:123456789012:db:airflow",
            "arn:aws:rds:eu-central-1:123:snapshot:a",
            "a\n",
        ],
    ),
    (
        rds.topic_arn,
        [
            "",
            "on-call",
            "arn:aws:sns:eu-central-1:123456789012:on-call.fifo",
            "arn:aws:sqs:eu-central-1:123456789012:on-call",
            "arn:aws:sns::123456789012:on-call",
        ],
    ),
]

WINDOW_MINUTES: Final = 7 * 24 * 60
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def time(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def weekly(start: int, length: int) -> str:
    end = (start + length) % WINDOW_MINUTES
    return f"{DAYS[start // 1440]}:{time(start)}-{DAYS[end // 1440]}:{time(end)}"


@each(("check", "text"), [(check, text) for check, texts in ACCEPTED for text in texts])
def test_returns_what_is_valid(check: Callable[[str], str], text: str) -> None:
    assert check(text) == text


@each(("check", "text"), [(check, text) for check, texts in REFUSED for text in texts])
def test_says_what_it_expected_and_what_it_found(check: Callable[[str], str], text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected .*, found ") as error:
        check(text)
    assert "\n" not in str(error.value)


def test_maintenance_window_is_kept_as_rds_keeps_it() -> None:
    assert rds_windows.maintenance_window("Sun:03:30-SUN:04:30") == "sun:03:30-sun:04:30"


@given(st.text(alphabet="ab-1A\n", max_size=70))
def test_identifier_is_what_rds_says_it_is(text: str) -> None:
    """The five rules of the API reference, each by itself."""
    rules = (
        1 <= len(text) <= 63,
        all(character in "abcdefghijklmnopqrstuvwxyz0123456789-" for character in text),
        text[:1].isalpha(),
        not text.endswith("-"),
        "--" not in text,
    )
    try:
        accepted = bool(rds.identifier(text))
    except ValueError:
        accepted = False
    assert accepted == all(rules)


@each("days", [7, 31, 62, 465, 713, 731])
def test_performance_insights_are_kept_for_months(days: int) -> None:
    assert rds.performance_insights_retention(days) == days


@each("days", [0, 1, 6, 8, 30, 32, 94, 365, 730, 732, 744])
def test_performance_insights_are_kept_for_no_other_time(days: int) -> None:
    with pytest.raises(ValueError, match=rf"^expected 7, .*, found {days}$"):
        rds.performance_insights_retention(days)


@each(
    ("storage", "maximum"),
    [(20, 22), (100, 110), (100, 65_536), (101, 112), (59_578, 65_536)],
)
def test_storage_with_room_to_grow_is_accepted(storage: int, maximum: int) -> None:
    assert rds.storage_problem(storage, maximum) is None


@each(
    ("storage", "maximum", "found"),
    [
        (19, 100, "19"),
        (65_537, 65_537, "65537"),
        (20, 21, "21"),
        (100, 109, "109"),
        (101, 111, "111"),
        (100, 65_537, "65537"),
        (100, 0, "0"),
        (59_579, 65_536, "59579 to begin with"),
    ],
)
def test_storage_without_room_to_grow_is_refused(storage: int, maximum: int, found: str) -> None:
    problem = rds.storage_problem(storage, maximum)
    assert problem is not None
    assert problem.startswith("expected ")
    assert problem.endswith(f"found {found}")


@given(st.integers(-10, 70_000), st.integers(-10, 80_000))
def test_accepted_maximum_is_at_least_110_percent(storage: int, maximum: int) -> None:
    if rds.storage_problem(storage, maximum) is None:
        assert 10 * maximum >= 11 * storage
        assert 20 <= storage <= maximum <= 65_536


@given(st.integers(0, 1439), st.integers(30, 1439), st.integers(0, WINDOW_MINUTES - 1), st.integers(30, 1440))
@example(1420, 60, 0, 30)
@example(0, 30, WINDOW_MINUTES - 30, 30)
def test_windows_that_meet_are_refused_and_no_others(daily: int, length: int, start: int, weekly_length: int) -> None:
    """Against every minute of the week, the ends among them."""
    backups = {(day * 1440 + daily + minute) % WINDOW_MINUTES for day in range(7) for minute in range(length + 1)}
    maintenance = {(start + minute) % WINDOW_MINUTES for minute in range(weekly_length + 1)}
    backup_text, weekly_text = f"{time(daily)}-{time(daily + length)}", weekly(start, weekly_length)
    rds_windows.backup_window(backup_text)
    rds_windows.maintenance_window(weekly_text)
    problem = rds_windows.windows_problem(backup_text, weekly_text)
    assert (problem is not None) == bool(backups & maintenance)


@pytest.mark.parametrize("zones", [["a", "b"], ["a", "b", "a"], ["a", "b", "c"]])
def test_two_zones_are_enough(zones: list[str]) -> None:
    assert rds.subnet_problem(zones) is None


@pytest.mark.parametrize(("zones", "found"), [([], "none"), (["a"], "a"), (["a", "a", "a"], "a")])
def test_fewer_zones_are_refused(zones: list[str], found: str) -> None:
    assert rds.subnet_problem(zones) == f"expected subnets in at least two availability zones, found {found}"


def test_topic_is_where_the_database_is() -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:on-call"
    assert rds.topic_region_problem(topic, "eu-central-1", "the database") is None
    assert str(rds.topic_region_problem(topic, "eu-west-1", "the database")).startswith("expected a topic in eu-west-1")


# All settings


def test_sample_has_no_problem() -> None:
    assert problems(managed()) == {}


BROKEN: dict[str, Any] = {
    "identifier": "-",
    "instance_class": "large",
    "engine_version": "16",
    "name": "1",
    "username": "admin",
    "storage_gib": 1,
    "max_storage_gib": 1,
    "backup_retention_days": 6,
    "backup_window": "now",
    "maintenance_window": "sun:02:00-sun:03:00",
    "snapshot_identifier": "-",
    "alarm_topic_arn": "on-call",
    "performance_insights_retention_days": 30,
    "port": 80,
}


def test_every_setting_that_can_be_wrong_is_checked() -> None:
    cannot = {"multi_az", "ca_identifier", "apply_immediately", "move"}
    assert set(BROKEN) | cannot == {field.name for field in fields(ManagedDatabase)}


@each("field", BROKEN)
def test_problem_names_its_setting(field: str) -> None:
    found = problems(replace(managed(), **{field: BROKEN[field]}))
    assert list(found) == [field]
    assert re.match(r"expected .*, found ", found[field])


def test_all_problems_come_at_once() -> None:
    assert len(problems(replace(managed(), identifier="-", port=1, backup_window="now", storage_gib=1))) == 4
