"""Dumps in storage like S3: made at once and by the schedule, proved, restored, and deleted by their age."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import versions
from automation import Environment
from automation.cluster.client import KubeClient
from automation.errors import BackupFailed
from automation.wait import Clock, wait_for
from tests.cluster import service
from tests.cluster.container_database import sql
from tests.cluster.harness import CONTEXT, Repository
from tests.cluster.modest_values import modest_values
from tests.cluster.object_storage import PORT, SECRET, give_connection, object_storage
from tests.cluster.test_backup import opened, restored, store

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-keep"
OUTSIDE: Final = "airflow-keep-outside"
PREFIX: Final = "airflow-backups/"
_ASK: Final = """\
import re, sys, urllib.request
request = urllib.request.Request(sys.argv[2], data=b"" if sys.argv[1] == "PUT" else None, method=sys.argv[1])
print(re.sub("<Key>", "\\n<Key>", urllib.request.urlopen(request).read().decode()))
"""


@pytest.fixture
def address(api: Any) -> Iterator[str]:
    with object_storage(api, OUTSIDE) as found:
        yield found


@pytest.fixture
def stack(engine: None, api: Any, repository: Repository, tmp_path: Path, address: str) -> Iterator[Environment]:
    egress = {"namespaces": [OUTSIDE], "ports": [PORT]}
    settings = service.settings(
        "keep",
        NAMESPACE,
        repository,
        helmValues=modest_values(pgbouncer=False),
        imageTag=os.environ.get("AIRFLOW_TEST_S3_IMAGE_TAG") or versions.AIRFLOW,
        networkIsolation="required",
        taskLogs="remote",
        taskLogsUrl="s3://logs/airflow",
        taskLogsAccessMode=None,
        taskLogsConnectionSecret=SECRET,
        backupStore="bucket",
        backupSchedule="* * * * *",
        backupRetentionDays=1,
        extraEgress=[{"components": ["api-server", "triggerer", "worker", "database-backup"], **egress}],
    )
    store(tmp_path, settings)
    threading.Thread(target=give_connection, args=(api, NAMESPACE, address), daemon=True).start()
    with service.removed(opened(tmp_path), api, NAMESPACE) as made:
        made.up()
        yield made


def asked(method: str, path: str) -> str:
    """What the storage answers, without a proof of who asks."""
    kube = KubeClient(CONTEXT, OUTSIDE)
    url = f"http://127.0.0.1:{PORT}/logs{path}"
    done = kube.run("outside", "outside", ["python", "-c", _ASK, method, url], seconds=60)
    assert done.exit_code == 0, done.stderr
    return str(done.stdout)


def test_lost_database_comes_back_from_the_bucket(stack: Environment, tmp_path: Path) -> None:
    sql(NAMESPACE, "CREATE TABLE kept AS SELECT * FROM generate_series(1, 1000) AS number")
    plan = stack.backup_plan()
    assert (plan.kind, plan.place) == ("dump", "s3://logs/airflow-backups")
    made = stack.backup()
    print(json.dumps(made.to_json()))
    assert stack.drill_plan().into.startswith("airflow_drill_")
    assert made.backup.bytes > 10_000
    assert PREFIX + made.backup.name in asked("GET", "")
    assert PREFIX not in asked("GET", "?prefix=airflow/"), "beside the logs"
    found = stack.drill(made.backup.name)
    print(json.dumps(found.to_json()))
    assert found.ok
    assert found.at_head

    asked("PUT", f"/{PREFIX}airflow-20260101T000000Z.dump")  # without a digest: a pod that was killed
    listed = wait_for(
        lambda: asked("GET", ""),
        lambda found: "20260101" not in found,
        seconds=300,
        interval=5,
        clock=Clock(),
    )
    assert "20260101" not in listed, "the schedule deletes what is no backup"
    assert {item.name for item in stack.backups().backups} > {made.backup.name}
    assert int(sql(NAMESPACE, "SELECT count(*) FROM log WHERE event = 'database_backup'")) > 1

    sql(NAMESPACE, "DROP TABLE kept")
    told = restored(tmp_path)
    print(told)
    assert sql(NAMESPACE, "SELECT count(*) FROM kept") == "1000"
    again = opened(tmp_path)
    assert again.status().problems == ()
    assert len(again.delete_old_databases().names) == 1

    newest = again.backups().backups[0].name
    asked("PUT", f"/{PREFIX}{newest}")  # something has overwritten it, with nothing
    with pytest.raises(BackupFailed) as failed:
        again.drill(newest)
    print(failed.value)
    assert newest in str(failed.value)
