"""The volume for backups, and what the pods that use it have in common with every Job."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.database.backup_bucket import LABELS as BACKUP_LABELS
from components.database.backup_bucket import BackupBucket
from components.database.backup_scripts import BACKUPS, RESTORED, bucket_command, database_command, look_command
from components.database.backups import DatabaseBackups, DatabaseBackupsArgs
from components.database.job_template import DatabaseJob
from components.database.migration import MIGRATION_LABELS
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.kube.pod_security_standard import violations

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

CRON_JOB = "kubernetes:batch/v1:CronJob"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"


def pods(record: Record, **changes: Any) -> tuple[Recorder, dict[str, Any]]:
    given: dict[str, Any] = {
        "namespace": "ns",
        "storage_gib": 3,
        "protect": True,
        "job": DatabaseJob(
            images=Images(tag="3.2.2", registry="mirror.test", pull_secrets=("pull",)),
            migration_secret="migration-1",
            ca_config_map="ca-1",
            pod=JobPod(placement={"tolerations": [{"key": "x"}]}, labels={"team": "data"}),
        ),
        "postgres_image": "mirror.test/library/postgres:17",
        "fernet_key_secret": "fernet-1",
        **changes,
    }
    made: list[DatabaseBackups] = []
    recorder = record(lambda: made.append(DatabaseBackups("backups", DatabaseBackupsArgs(**given))))
    return recorder, made[0].pods


def test_volume_is_protected_with_the_stack(record: Record) -> None:
    recorder, _ = pods(record)
    claim = recorder.one(CLAIM)
    assert claim.inputs["spec"]["resources"] == {"requests": {"storage": "3Gi"}}
    assert claim.request.protect


def test_pods_are_as_those_of_every_job(record: Record) -> None:
    _, found = pods(record)
    for pod in found.values():
        spec = pod["spec"]
        assert pod["metadata"]["labels"].items() >= {**MIGRATION_LABELS, "team": "data"}.items()
        assert spec["tolerations"] == [{"key": "x"}]
        assert spec["imagePullSecrets"] == [{"name": "pull"}]
        assert spec["containers"][0]["image"].startswith("mirror.test/")
        assert "database-ca" in {volume["name"] for volume in spec["volumes"]}
        assert list(violations(spec)) == []
        assert all("value" not in entry or "://" not in entry["value"] for entry in spec["containers"][0]["env"])
    assert "postgres" in found["database"]["spec"]["containers"][0]["image"]
    assert "airflow" in found["airflow"]["spec"]["containers"][0]["image"]


def test_schedule_runs_the_same_pod_and_is_suspended_with_the_database(record: Record) -> None:
    recorder, _ = pods(record)
    assert recorder.every(CRON_JOB) == []
    for suspended in (False, True):
        recorder, found = pods(record, schedule="30 1 * * *", retention_days=7, suspended=suspended)
        spec = recorder.one(CRON_JOB).inputs["spec"]
        assert (spec["schedule"], spec["suspend"]) == ("30 1 * * *", suspended)
        assert spec["concurrencyPolicy"] == "Forbid"
        [container] = spec["jobTemplate"]["spec"]["template"]["spec"].pop("containers")
        assert container["command"] == database_command("scheduled", "7")
        [own] = found["database"]["spec"]["containers"]
        assert "command" not in own, "automation sets it"
        assert {**container, "command": None} == {**own, "command": None}


def test_dumps_in_a_bucket_need_no_volume_and_an_account_of_their_own(record: Record) -> None:
    bucket = BackupBucket(folder="s3://kept/dumps", connection_id="one", variables=({"name": "AIRFLOW_CONN_ONE"},))
    recorder, found = pods(record, storage_gib=0, bucket=bucket, schedule="@daily", retention_days=7)
    assert recorder.every(CLAIM) == []
    account = recorder.one("kubernetes:core/v1:ServiceAccount")
    [template] = [recorder.one(CRON_JOB).inputs["spec"]["jobTemplate"]["spec"]["template"]]
    for pod in (found["transfer"], template):
        assert list(violations(pod["spec"])) == []
        assert pod["spec"]["serviceAccountName"] == account.inputs["metadata"]["name"]
        assert pod["metadata"]["labels"].items() >= BACKUP_LABELS.items()
    database, beside = template["spec"]["containers"]
    assert database["command"] == database_command("send")
    assert beside["args"] == bucket_command("store", "", "7")
    assert "migration-1" not in str(beside), "it has no login at the database"
    assert found["database"]["metadata"]["labels"].items() >= MIGRATION_LABELS.items()
    assert "backups" not in str(found["database"]["spec"].get("volumes"))


def test_only_the_pod_that_reads_values_has_the_key(record: Record) -> None:
    _, found = pods(record)

    def variables(kind: str) -> set[str]:
        return {entry["name"] for entry in found[kind]["spec"]["containers"][0]["env"]}

    assert "AIRFLOW__CORE__FERNET_KEY" not in variables("database")
    assert "AIRFLOW__CORE__FERNET_KEY" in variables("airflow")


def test_commands_hand_scripts_to_the_images() -> None:
    assert database_command("dump", "x")[:5] == ["bash", "-c", BACKUPS, "backups", "dump"]
    assert look_command("airflow", "other.example")[4:] == [*look_command("airflow")[4:], "other.example"]
    assert look_command("airflow_drill_1")[:4] == ["python", "-c", RESTORED, "airflow_drill_1"]


def scheduled(folder: Path, days: str, *, room: bool = True) -> int:
    """Run the script as the CronJob does, with programs of PostgreSQL that do nothing, and return its exit code."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    writes = 'while [ "$1" != --file ]; do shift; done; echo x > "$2"'
    dump = writes if room else f"{writes}; echo No space left on device >&2; exit 1"
    for name, text in (("pg_dump", dump), ("pg_restore", ":"), ("psql", "cat > /dev/null")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    script = BACKUPS.replace("folder=/backups", f"folder={folder}").replace("/dev/termination-log", "/dev/null")
    env = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://airflow:x@host.test:5432/airflow",
    }
    done = subprocess.run(
        ["bash", "-c", script, "backups", "scheduled", days], env=env, capture_output=True, check=False
    )
    return done.returncode


def old_dumps(folder: Path, *ages: int) -> None:
    for days in ages:
        path = folder / f"airflow-202601{31 - days:02}T000000Z.dump"
        path.write_text("x")
        moment = time.time() - 86400 * days - 60
        os.utime(path, (moment, moment))


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on PATH")
def test_full_volume_is_freed_of_what_is_too_old_and_never_of_the_newest_dump(tmp_path: Path) -> None:
    def names() -> list[str]:
        return sorted(path.name for path in tmp_path.glob("airflow-*"))

    old_dumps(tmp_path, 9, 8, 7, 1)
    assert scheduled(tmp_path, "7", room=False) != 0
    assert names() == ["airflow-20260130T000000Z.dump"], "no half dump, and room for the next one"
    os.utime(tmp_path / names()[0], (0, 0))
    assert scheduled(tmp_path, "7", room=False) != 0
    assert names() == ["airflow-20260130T000000Z.dump"], "better an old one than none"
    assert scheduled(tmp_path, "0") == 0
    assert len(names()) == 2, "0 deletes none"
    assert scheduled(tmp_path, "7") == 0
    assert "airflow-20260130T000000Z.dump" not in names()
