"""A database that is lost comes back from its backup, wherever the restore is killed; a drill names a wrong key."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from automation import Environment, EnvironmentSettings, Secret
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.engine.events import Event
from automation.verification.verify import airflow_api
from settings import SECRET_KEYS
from tests.cluster import service
from tests.cluster.container_database import sql
from tests.cluster.harness import CONTEXT, ROOT, Repository
from tests.cluster.modest_values import modest_values

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-keep"
STACK: Final = "keep"
PASSWORD: Final = "sentinel-of-the-connection"
OTHER_KEY: Final = "c2VudGluZWwtb3RoZXIta2V5LW9mLTMyLWJ5dGVzISE="
_CHILD_SECONDS: Final = 900


def store(folder: Path, settings: EnvironmentSettings) -> None:
    """Keep the settings as a service would."""
    secrets = {key: secret.reveal() for key, secret in settings.secrets.items()}
    (folder / "settings.new").write_text(json.dumps({**settings.values, **secrets}))
    (folder / "settings.new").replace(folder / "settings.json")


def opened(folder: Path) -> Environment:
    """The stack with the settings that were kept last."""
    values = json.loads((folder / "settings.json").read_text())
    given = {key: Secret(value) if key in SECRET_KEYS else value for key, value in values.items()}
    return service.environments(folder, lock_seconds=60).open(STACK, EnvironmentSettings.of(STACK, given))


@pytest.fixture
def stack(engine: None, api: object, repository: Repository, tmp_path: Path) -> Iterator[Environment]:
    values = modest_values(pgbouncer=False)
    store(tmp_path, service.settings(STACK, NAMESPACE, repository, helmValues=values, backupStorageGib=1))
    with service.removed(opened(tmp_path), api, NAMESPACE) as made:
        made.up()
        yield made


def restored(folder: Path, kill_at: str = "") -> str:
    """Restore in another process, which is killed with its engine when it tells that line. Return what it told."""
    log = folder / f"restore-{kill_at or 'to the end'}.txt"
    with log.open("w") as output:
        words = [sys.executable, "-m", "tests.cluster.test_backup", str(folder)]
        process = subprocess.Popen(words, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    end = time.monotonic() + _CHILD_SECONDS
    while kill_at and kill_at not in log.read_text():
        assert process.poll() is None, f"ended before {kill_at}: {log.read_text()[-3000:]}"
        assert time.monotonic() < end
        time.sleep(0.2)
    if kill_at:
        time.sleep(2)
        assert process.poll() is None, f"ended before {kill_at}: {log.read_text()[-3000:]}"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    else:
        assert process.wait(_CHILD_SECONDS) == 0, log.read_text()[-4000:]
    return log.read_text()


def test_lost_database_comes_back(stack: Environment, tmp_path: Path) -> None:
    kube = KubeClient(CONTEXT, NAMESPACE)
    airflow = airflow_api(Deployment.of(stack.outputs().values), kube)

    def send(method: str, path: str, body: Any = None) -> Any:
        return airflow._request(method, f"/api/v2/{path}", body)

    verified = stack.verify()  # makes a DAG run
    assert verified.ok, verified
    send("POST", "connections", {"connection_id": "kept", "conn_type": "generic", "password": PASSWORD})
    runs = send("GET", "dags/~/dagRuns")["total_entries"]
    assert runs > 0

    made = stack.backup()
    assert made.backup.bytes > 10_000
    found = stack.drill()
    print(json.dumps(found.to_json(), indent=2))
    assert found.ok
    assert found.at_head
    assert (found.backup, found.runs, found.unread) == (made.backup.name, runs, ())
    assert found.encrypted >= 1
    assert stack.backups().old_databases == (), "the drill leaves nothing"

    # The data is lost: tables that everything hangs on, with all that hangs on them.
    sql(NAMESPACE, "DROP TABLE dag_run, connection, dag CASCADE")
    for moment in ("stage 2 of 4: ", "updating Release airflow"):
        restored(tmp_path, kill_at=moment)
    told = restored(tmp_path)
    print(told)
    again = opened(tmp_path)
    assert again.status().problems == ()
    assert "restore" not in (again.settings.values if again.settings else {})
    assert send("GET", "dags/~/dagRuns")["total_entries"] >= runs
    assert send("GET", "connections/kept")["conn_type"] == "generic"

    [old] = again.backups().old_databases
    assert again.delete_old_databases().names == (old,)

    [scheduler] = kube.pods({"component": "scheduler"})
    add = ("airflow", "connections", "add", "stranger", "--conn-type", "generic", "--conn-password", "x")
    command = ("env", f"AIRFLOW__CORE__FERNET_KEY={OTHER_KEY}", *add)
    assert kube.run(scheduler.name, "scheduler", command, seconds=180).exit_code == 0
    again.backup()
    wrong = again.drill()
    assert wrong.unread == ("connection stranger (password)",)
    assert not wrong.ok


def _child(folder: Path) -> int:
    """What is killed, and what continues."""

    def tell(event: Event) -> None:
        print(f"{time.strftime('%H:%M:%S')} {event.text.splitlines()[0]}", flush=True)

    done = opened(folder).restore(keep=lambda settings: store(folder, settings), on_event=tell)
    print(json.dumps(done.to_json(), indent=2), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(_child(Path(sys.argv[1])))
