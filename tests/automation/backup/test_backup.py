"""Which backup is meant, what a drill leaves, and what a pod's end is told as."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from automation.backup.backup import chosen_backup
from automation.backup.jobs import Databases, answer, listed_backups, taken_at
from automation.backup.result import Backup
from automation.backup.stages import database_name
from automation.errors import BackupFailed
from components.database.backup_scripts import OTHER_FAILED
from components.preflight.pod_run import ContainerEnd, PodEnd

FOUND = tuple(
    Backup(name=f"airflow-2026010{day}T000000Z.dump", bytes=1)
    for day in (3, 2, 1)  # the newest first
)


def test_newest_backup_is_meant_or_one_by_name_or_by_time() -> None:
    assert chosen_backup(FOUND, None, None) == FOUND[0].name
    assert chosen_backup(FOUND, FOUND[2].name, None) == FOUND[2].name
    assert chosen_backup(FOUND, None, datetime(2026, 1, 2, 23, tzinfo=UTC)) == FOUND[1].name
    assert chosen_backup(FOUND, None, taken_at(FOUND[2].name)) == FOUND[2].name


def test_file_that_no_backup_is_called_is_none() -> None:
    """Who has the connection of task logs may put files beside the dumps."""
    text = "".join(
        f"{line}\n"
        for line in (
            "7 airflow-99999999T999999Z.dump",
            "7 airflow-20260230T000000Z.dump",
            "7 airflow-20260101T000000Z.dump\x1b[2J",
            "7 ../airflow-20260101T000000Z.dump",
            "-7 airflow-20260101T000000Z.dump",
            "airflow-20260101T000000Z.dump",
            "",
            "12 airflow-20260103T000000Z.dump",
        )
    )
    assert listed_backups(text) == (Backup(name="airflow-20260103T000000Z.dump", bytes=12),)


def test_backup_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(BackupFailed, match=f"there is no backup x. Fix: there are: {FOUND[0].name}"):
        chosen_backup(FOUND, "x", None)
    with pytest.raises(BackupFailed, match=r"from 2025-01-01T00:00:00\+00:00 or before"):
        chosen_backup(FOUND, None, datetime(2025, 1, 1, tzinfo=UTC))
    with pytest.raises(BackupFailed, match="make one"):
        chosen_backup((), None, None)


def test_name_of_a_database_fits_and_is_known_again() -> None:
    for own in ("airflow", "x" * 63):
        name = database_name(own, "old", "20260131104500")
        assert len(name) <= 63
        assert Databases(own=own, comments={own: "", name: "", "other_new_1": ""}).of("old") == (name,)


def end(**changes: Any) -> PodEnd:
    return PodEnd(containers={"a": ContainerEnd(name="a", image="i", **changes)})


def test_end_of_a_pod_is_its_answer_or_its_own_words_without_secrets() -> None:
    def clean(text: str) -> str:
        return text.replace("sentinel", "[secret]")

    assert answer(end(exit_code=0, message="12"), clean, "backup") == "12"
    with pytest.raises(BackupFailed, match=r"the backup failed in its pod: pg_dump: \[secret\] is wrong"):
        answer(end(exit_code=1, message="pg_dump:\n sentinel is wrong\n"), clean, "backup")
    full = end(exit_code=1, message="pg_dump: error: could not write to file: No space left on device")
    with pytest.raises(
        BackupFailed, match=r"Fix: give the volume of backups more room: .*airflow:backupStorageGib GIB"
    ):
        answer(full, clean, "backup")
    with pytest.raises(BackupFailed, match=r"Fix: give the server of the database more room"):
        answer(full, clean, "restore")
    with pytest.raises(BackupFailed, match=r"admits no pod for the drill: quota"):
        answer(PodEnd(refused="quota"), clean, "drill")
    with pytest.raises(BackupFailed, match=r"waited too long for its images"):
        answer(PodEnd(containers=end().containers, waits="its images"), clean, "drill")


def test_of_two_containers_the_one_that_failed_first_is_heard() -> None:
    def ended(database: int | None, bucket: int | None) -> PodEnd:
        return PodEnd(
            containers={
                "database": ContainerEnd(name="database", image="i", exit_code=database, message="of pg_dump"),
                "bucket": ContainerEnd(name="bucket", image="i", exit_code=bucket, message="of S3"),
            }
        )

    assert answer(PodEnd(containers={"database": ended(0, 0).containers["database"]}), str, "backup") == "of pg_dump"
    for codes, words in {
        (1, OTHER_FAILED): "of pg_dump",
        (1, 1): "of S3",
        (0, 1): "of S3",
        (137, OTHER_FAILED): "of pg_dump",
        (1, None): "of pg_dump",
        (1, 0): "of pg_dump",
    }.items():
        with pytest.raises(BackupFailed, match=words):
            answer(ended(*codes), str, "backup")
