"""Which snapshot or moment is meant, what a new instance is called, and which snapshot cannot be restored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automation.errors import BackupFailed
from automation.snapshots.model import (
    Snapshot,
    Window,
    check_snapshot,
    chosen_source,
    instance_of,
    next_identifier,
    of_stack,
    suffixed,
    window_of,
)
from tests.cases import each

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WINDOW = Window(earliest=NOON - timedelta(days=14), latest=NOON - timedelta(minutes=5))
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"


def snapshot(name: str = "airflow-prod-a", **changes: Any) -> Snapshot:
    given: dict[str, Any] = {
        "name": name,
        "kind": "manual",
        "status": "available",
        "taken": NOON - timedelta(hours=1),
        "gib": 100,
        "instance": "airflow-prod",
        "engine": "postgres",
        "username": "airflow",
        "kms_key": KEY,
    }
    return Snapshot(**{**given, **changes})


FOUND = (
    snapshot("creating", status="creating", taken=NOON),
    snapshot("newest"),
    snapshot("older", taken=NOON - timedelta(days=20)),
)


def test_newest_finished_snapshot_is_meant_or_a_named_one_or_a_moment() -> None:
    assert chosen_source(FOUND, WINDOW, None, None).snapshot == "newest"
    assert chosen_source(FOUND, WINDOW, "older", None).snapshot == "older"
    moment = chosen_source(FOUND, WINDOW, None, NOON - timedelta(minutes=10))
    assert (moment.snapshot, moment.moment, moment.text) == ("", "2026-01-31T11:50:00Z", "2026-01-31T11:50:00Z")


def test_moment_outside_of_the_window_means_the_newest_snapshot_before_it() -> None:
    assert chosen_source(FOUND, WINDOW, None, NOON - timedelta(days=15)).snapshot == "older"
    assert chosen_source(FOUND, None, None, NOON - timedelta(minutes=10)).snapshot == "newest"


def test_moment_after_the_window_is_refused_unless_a_snapshot_is_newer_than_the_window() -> None:
    words = r"--at: expected a moment until 2026-01-31T11:55:00\+00:00, .* found 2026-01-31T12:00:00\+00:00"
    with pytest.raises(BackupFailed, match=words):
        chosen_source(FOUND, WINDOW, None, NOON)
    late = (snapshot("late", taken=NOON - timedelta(minutes=1)), *FOUND)
    assert chosen_source(late, WINDOW, None, NOON).snapshot == "late"


def test_snapshot_with_the_stacks_key_is_meant_unless_one_is_named() -> None:
    found = (snapshot("foreign", kms_key=f"{KEY}2"), *FOUND)
    assert chosen_source(found, WINDOW, None, None, KEY).snapshot == "newest"
    assert chosen_source(found, WINDOW, "foreign", None, KEY).snapshot == "foreign"


def test_what_is_not_there_is_refused_with_what_is() -> None:
    with pytest.raises(
        BackupFailed, match=r"no available snapshot creating. Fix: there are: .*; moments from 2026-01-17"
    ):
        chosen_source(FOUND, WINDOW, "creating", None)
    with pytest.raises(BackupFailed, match=r"from 2025-01-01T00:00:00.* or before"):
        chosen_source(FOUND, WINDOW, None, datetime(2025, 1, 1, tzinfo=UTC))
    with pytest.raises(BackupFailed, match=r"there are: moments from 2026-01-17"):
        chosen_source((), WINDOW, None, None)
    with pytest.raises(BackupFailed, match="make one: python -m automation backup STACK"):
        chosen_source((), None, None, None)


@each(
    "present, used, expected",
    [
        ("airflow-prod", (), "airflow-prod-2"),
        ("airflow-prod-2", (), "airflow-prod-3"),
        ("airflow-prod", ("airflow-prod-7", "airflow-prod-drill-1", "other-9"), "airflow-prod-8"),
        ("a" * 63, (), "a" * 61 + "-2"),
    ],
)
def test_next_instance_has_a_number_that_no_other_had(present: str, used: tuple[str, ...], expected: str) -> None:
    assert next_identifier(present, used) == expected


def test_name_of_a_temporary_instance_is_one_that_rds_takes() -> None:
    assert suffixed("airflow-prod", "-drill-20260131104500") == "airflow-prod-drill-20260131104500"
    assert len(suffixed("a" * 63, "-drill-20260131104500")) == 63
    assert suffixed("a" * 41 + "-bcdef", "-drill-20260131104500") == "a" * 41 + "-drill-20260131104500"


def test_instances_of_a_stack_differ_by_a_number_alone() -> None:
    assert all(of_stack(name, "airflow-prod-2") for name in ("airflow-prod", "airflow-prod-2", "airflow-prod-10"))
    assert not any(of_stack(name, "airflow-prod") for name in ("airflow-prod-eu", "airflow-prod-drill-1", "airflow"))


@each(
    "changes, words",
    [
        ({"engine": "mysql"}, "expected a snapshot of postgres, found mysql"),
        ({"username": "other"}, "expected the master user airflow, .* found other"),
        (
            {"kms_key": f"{KEY}2"},
            "copy it with that key: aws rds copy-db-snapshot --region eu-central-1 .*--kms-key-id",
        ),
        ({"kms_key": ""}, "expected the stack's key .* found none"),
    ],
)
def test_snapshot_that_does_not_fit_the_stack_is_refused(changes: dict[str, Any], words: str) -> None:
    def check(found: Snapshot) -> None:
        check_snapshot(found, key=KEY, username="airflow", region="eu-central-1", copy="airflow-prod-2-copy")

    check(snapshot())
    with pytest.raises(BackupFailed, match=words):
        check(snapshot(**changes))


def test_instance_and_window_are_read_as_rds_describes_them() -> None:
    described = {
        "DBInstanceIdentifier": "airflow-prod",
        "DBInstanceStatus": "available",
        "DBInstanceClass": "db.m7g.large",
        "PendingModifiedValues": {"MasterUserPassword": "****"},
        "TagList": [{"Key": "stack", "Value": "prod"}],
    }
    found = instance_of(described)
    assert (found.changing, found.host, found.tags) == (True, "", {"stack": "prod"})
    assert window_of({"RestoreWindow": {}}) is None
    kept = {"RestoreWindow": {"EarliestTime": NOON, "LatestTime": NOON}, "Status": "retained"}
    assert window_of(kept) is None, "of an instance that was deleted"
    assert window_of({"RestoreWindow": {"EarliestTime": NOON, "LatestTime": NOON}}) == Window(
        earliest=NOON, latest=NOON
    )
