"""A key that has no effect in a stack is refused, also where it has a default."""

from __future__ import annotations

from typing import Any, Final

from tests.cases import each
from tests.samples import dev, external, prod

OF_RDS: Final[dict[str, Any]] = {
    "databaseMaxStorageGib": 2000,
    "databaseInstanceClass": "db.m7g.xlarge",
    "databaseEngineVersion": "17.6",
    "databaseMultiAz": False,
    "databaseBackupRetentionDays": 20,
    "databaseBackupWindow": "01:00-02:00",
    "databaseMaintenanceWindow": "mon:03:30-mon:04:30",
    "databaseCaIdentifier": "rds-ca-ecc384-g1",
    "databaseApplyImmediately": True,
}
OF_OTHERS: Final[dict[str, Any]] = {"databasePort": 5433, "databaseSslMode": "disable", "databaseMaxConnections": 900}
NAMES: Final[dict[str, Any]] = {"databaseName": "x", "databaseUser": "x"}
POOLER: Final[dict[str, Any]] = {
    "pgbouncerReplicas": 3,
    "pgbouncerPoolSize": 33,
    "pgbouncerMaxClientConnections": 5000,
}


@each(
    ("stack", "keys", "when"),
    [
        (dev, {**OF_RDS, **OF_OTHERS, **NAMES}, "with airflow:database container"),
        (external, OF_RDS, "with airflow:database external"),
        (prod, OF_OTHERS, "with airflow:database managed"),
        (dev, POOLER, "without airflow:pgbouncerEnabled true"),
        (dev, {"workerMaxReplicas": 20}, "without airflow:workerScaling keda"),
        (dev, {"kedaNamespace": "scaling"}, "without airflow:workerScaling keda"),
        (dev, {"backupRetentionDays": 10}, "without airflow:backupSchedule"),
    ],
)
def test_key_without_effect_is_refused(stack: Any, keys: dict[str, Any], when: str) -> None:
    for key, value in keys.items():
        [problem] = stack().with_({key: value}).problems()
        assert problem.startswith(f"airflow:{key}: must not be set {when}"), problem


def test_key_that_has_an_effect_is_accepted() -> None:
    keda = {"workerScaling": "keda", "workerMaxReplicas": 20, "kedaNamespace": "scaling"}
    for stack, keys in (
        (prod, {**NAMES, "databaseInstanceClass": "db.m7g.xlarge"}),
        (external, {**NAMES, "databasePort": 5433, "databaseMaxConnections": 5000}),
        (external, {**POOLER, **keda}),
        (external, {"kedaNamespace": "scaling", "workerGroups": [{"name": "a", "maxReplicas": 3}]}),
        (dev, {"backupRetentionDays": 10, "backupSchedule": "30 1 * * *", "backupStorageGib": 10}),
        (dev, {"databasePort": 5432, "workerMaxReplicas": 10}),
    ):
        assert stack().with_(keys).problems() == (), keys
