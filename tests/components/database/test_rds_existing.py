"""Which updates of an existing RDS instance are refused, and with which words."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.database import rds_settings as rds
from components.database.rds_existing import (
    ACCEPTABLE_STATUSES,
    ExistingInstance,
    replacements,
    restored_from,
    status_problem,
)
from tests.aws.samples import existing_instance, managed
from tests.cases import each


def test_same_settings_are_no_replacement() -> None:
    assert replacements(existing_instance(), managed()) == []


@each(
    "changed",
    [
        {"instance_class": "db.r7g.large"},
        {"engine_version": "17.7"},
        {"engine_version": "17.6"},
        {"storage_gib": 200},
        {"storage_gib": 50},
        {"multi_az": False},
        {"backup_retention_days": 35},
        {"apply_immediately": True},
        {"ca_identifier": rds.CertificateAuthority.ECC_384},
        {"port": 5433},
    ],
)
def test_what_changes_in_place_is_no_replacement(changed: dict[str, Any]) -> None:
    assert replacements(existing_instance(), replace(managed(), **changed)) == []


REPLACED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    # existing, wanted, what the sentence begins with, the way around in it
    ({"engine": "mysql"}, {}, "identifier: expected an instance of postgres, found one of mysql", "set it to ANOTHER"),
    ({}, {"username": "other"}, "username: expected airflow", "set it to airflow, or dump"),
    ({}, {"name": "other"}, "name: expected airflow", "set it to airflow, or dump"),
    ({"storage_encrypted": False}, {}, "identifier: expected an encrypted", "copy-db-snapshot --kms-key-id"),
    ({"engine_version": "16.9"}, {}, "engine_version: expected 16", "blue/green"),
    ({"engine_version": "16.9"}, {"engine_version": "17.6"}, "engine_version: expected 16", "blue/green"),
    ({"engine_version": "18.1"}, {}, "engine_version: expected 18.1 or 18", "restore a snapshot"),
    (
        {"engine_version": "17.10"},
        {"engine_version": "17.9"},
        "engine_version: expected 17.10 or 17",
        "set it to 17, or",
    ),
    ({"storage_gib": 1001, "max_storage_gib": None}, {}, "max_storage_gib: expected at least 1102", "blue/green"),
    ({"storage_gib": 950, "max_storage_gib": 2000}, {}, "max_storage_gib: expected at least 1045", "set it to 1045"),
    ({}, {"snapshot_identifier": "before"}, "snapshot_identifier: expected none", "take it out, or"),
    (
        {"restored_from": restored_from("before")},
        {"snapshot_identifier": "after"},
        "snapshot_identifier: expected none",
        "another identifier",
    ),
]


@each(("existing", "wanted", "beginning", "way_around"), REPLACED)
def test_replacement_is_told_with_the_way_around(
    existing: dict[str, Any], wanted: dict[str, Any], beginning: str, way_around: str
) -> None:
    [found] = replacements(replace(existing_instance(), **existing), replace(managed(), **wanted))
    assert str(found).startswith(beginning)
    assert way_around in str(found)
    assert re.search(r"expected .*, found .*\. Fix: ", str(found)), "what, and what to do"


@pytest.mark.parametrize("storage", [950, 1000])
def test_storage_that_has_grown_to_its_maximum_does_not_stop_other_updates(storage: int) -> None:
    """RDS asks for 110 % only where the maximum changes; a new image must not wait for that."""
    assert replacements(replace(existing_instance(), storage_gib=storage), managed()) == []


def test_every_replacement_is_told() -> None:
    wanted = replace(managed(), username="other", name="other", snapshot_identifier="before")
    found = replacements(
        replace(
            existing_instance(), storage_encrypted=False, storage_gib=2000, max_storage_gib=9000, engine_version="18.1"
        ),
        wanted,
    )
    assert len(found) == 6


def test_another_engine_is_told_alone() -> None:
    """Nothing else about it can be compared."""
    foreign = replace(existing_instance(), engine="aurora-postgresql", username="x", storage_encrypted=False)
    assert len(replacements(foreign, managed())) == 1


def test_restored_instance_may_keep_its_snapshot_in_the_config() -> None:
    existing = replace(existing_instance(), restored_from=restored_from("before"))
    assert replacements(existing, replace(managed(), snapshot_identifier="before")) == []


@given(st.from_regex(r"(rds:)?[A-Za-z](-?[A-Za-z0-9]){0,250}", fullmatch=True))
def test_tag_of_a_restored_instance_is_one_that_rds_takes(snapshot: str) -> None:
    value = restored_from(rds.snapshot_identifier(snapshot))
    assert re.fullmatch(r"(?!aws:|rds:)[\w\s.:/=+@-]{1,256}", value)


@each("status", ACCEPTABLE_STATUSES)
def test_instance_that_serves_may_be_updated(status: str) -> None:
    assert status_problem(replace(existing_instance(), status=status)) is None


@each(
    ("status", "mend"),
    [
        ("modifying", "aws rds wait db-instance-available --db-instance-identifier airflow"),
        ("creating", "aws rds wait db-instance-available"),
        ("backing-up", "aws rds wait db-instance-available"),
        ("stopped", "aws rds start-db-instance --db-instance-identifier airflow"),
        ("storage-full", "aws rds modify-db-instance --db-instance-identifier airflow --allocated-storage"),
    ],
)
def test_instance_that_does_not_serve_is_not_updated(status: str, mend: str) -> None:
    problem = status_problem(replace(existing_instance(), status=status))
    assert problem is not None
    assert f"expected available or storage-optimization, found {status}" in problem
    assert mend in problem


def test_existing_instance_holds_no_secret() -> None:
    assert not [field.name for field in fields(ExistingInstance) if "password" in field.name]
