"""The volume for backups, and what the pods that use it have in common with every Job."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from components.database.backup_scripts import BACKUPS, RESTORED, database_command, look_command
from components.database.backups import DatabaseBackups, DatabaseBackupsArgs
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
        "images": Images(tag="3.2.2", registry="mirror.test", pull_secrets=("pull",)),
        "postgres_image": "mirror.test/library/postgres:17",
        "migration_secret": "migration-1",
        "fernet_key_secret": "fernet-1",
        "ca_config_map": "ca-1",
        "pod": JobPod(placement={"tolerations": [{"key": "x"}]}, labels={"team": "data"}),
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
