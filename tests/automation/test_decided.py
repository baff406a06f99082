"""Rotations and restores in the list of decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.decided import decide
from automation.errors import FileInvalid
from automation.rotation.keys import KEYS
from policy.context import DECIDED, decided_in
from tests.samples import ship


def test_decision_is_written_once_below_what_is_there(tmp_path: Path) -> None:
    ship(tmp_path)
    before = (tmp_path / DECIDED).read_text()
    for _ in range(2):
        decide(tmp_path, "prod", "airflow-keys-fernet-key", "rotate fernet")
    assert (tmp_path / DECIDED).read_text() == f"{before}prod airflow-keys-fernet-key  # rotate fernet\n"
    assert decided_in(tmp_path, "prod") == {"airflow-keys-fernet-key"}
    assert decided_in(tmp_path, "dev") == frozenset()


def test_list_is_made_if_there_is_none(tmp_path: Path) -> None:
    decide(tmp_path, "prod", "airflow-keys-fernet-key", "rotate fernet")
    assert decided_in(tmp_path, "prod") == {"airflow-keys-fernet-key"}


def test_list_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / DECIDED).parent.mkdir()
    (tmp_path / DECIDED).write_text("prod\n")
    with pytest.raises(FileInvalid, match=r"decided\.txt:1: expected a stack and the name"):
        decide(tmp_path, "prod", "airflow-keys-fernet-key", "rotate fernet")
    assert (tmp_path / DECIDED).read_text() == "prod\n"


def test_resources_are_those_of_the_program() -> None:
    assert {key.resource for key in KEYS.values()} == {
        "airflow-keys-fernet-key",
        "airflow-keys-api-secret-key",
        "airflow-keys-admin-password",
        "airflow-keys-redis-password",
        "airflow-keys-jwt-secret",
        "",  # the deploy key is in the hands of its Git host
    }
