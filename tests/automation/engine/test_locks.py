"""Who holds a lock, as each kind of backend tells it, and whether that process may be alive."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest
from botocore.client import BaseClient

from automation.engine.locks import Holder, Lock, parse_locks, read_locks
from automation.engine.processes import Process, until_gone

CONTENT = {"pid": 7322, "username": "root", "hostname": "another", "timestamp": "2026-11-25T02:44:31.581029124Z"}
LOCK = Lock(user="root", host="another", pid=7322, since="2026-11-25T02:44:31.581029124Z")
ERROR = """\
error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file.
  file:///state/.pulumi/locks/x.json: created by root@another (pid 7322) at 2026-11-25T02:44:31Z
"""


def write(root: Path, name: str, content: Any, *, folder: str = "organization/airflow/dev") -> None:
    path = root / ".pulumi" / "locks" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_engines_error_names_the_holder() -> None:
    (found,) = parse_locks(ERROR)
    assert (found.user, found.host, found.pid, found.since) == ("root", "another", 7322, "2026-11-25T02:44:31Z")
    assert str(found) == "held by root@another, process 7322, since 2026-11-25T02:44:31Z"
    assert parse_locks("error: no room") == ()


def test_locks_of_a_folder_are_read_and_no_other_stacks(tmp_path: Path) -> None:
    write(tmp_path, "b.json", {**CONTENT, "timestamp": "2026-11-25T03:00:00Z", "pid": 2})
    write(tmp_path, "a.json", CONTENT)
    write(tmp_path, "a.json.attrs", "{}")
    write(tmp_path, "c.json", CONTENT, folder="organization/airflow/prod")
    write(tmp_path, "d.json", CONTENT, folder="organization/another/dev")
    found = read_locks(tmp_path.as_uri(), "airflow", "dev", {})
    assert found is not None
    assert found[0] == LOCK
    assert [lock.pid for lock in found] == [7322, 2], "the oldest first"


def test_folder_from_before_projects_is_read_too(tmp_path: Path) -> None:
    write(tmp_path, "a.json", CONTENT, folder="dev")
    assert read_locks(tmp_path.as_uri(), "airflow", "dev", {}) == (LOCK,)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"pid": "many"}'])
def test_lock_that_is_half_written_is_none(tmp_path: Path, text: str) -> None:
    write(tmp_path, "a.json", text)
    assert read_locks(tmp_path.as_uri(), "airflow", "dev", {}) == ()


def test_folder_without_locks_has_none(tmp_path: Path) -> None:
    assert read_locks((tmp_path / "nothing").as_uri(), "airflow", "dev", {}) == ()


@pytest.mark.parametrize("url", ["https://api.pulumi.com", "gs://bucket", "azblob://container", "postgres://x"])
def test_other_backends_do_not_tell(url: str) -> None:
    assert read_locks(url, "airflow", "dev", {}) is None


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with moto.mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="states", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield s3


@pytest.mark.parametrize(
    ("url", "prefix"), [("s3://states?region=eu-central-1", ""), ("s3://states/a/b?awssdk=v2", "a/b/")]
)
def test_locks_of_a_bucket_are_read(bucket: Any, url: str, prefix: str) -> None:
    key = f"{prefix}.pulumi/locks/organization/airflow/dev/8c9c.json"
    bucket.put_object(Bucket="states", Key=key, Body=json.dumps(CONTENT))
    bucket.put_object(Bucket="states", Key=key.replace("/dev/", "/dev2/"), Body=json.dumps(CONTENT))
    assert read_locks(url, "airflow", "dev", os.environ) == (LOCK,)


def test_lock_of_a_folder_that_was_released_while_it_was_read_is_none(tmp_path: Path) -> None:
    write(tmp_path, "b.json", CONTENT)
    (tmp_path / ".pulumi" / "locks" / "organization" / "airflow" / "dev" / "a.json").symlink_to("nowhere")
    assert read_locks(tmp_path.as_uri(), "airflow", "dev", {}) == (LOCK,)


def test_lock_of_a_bucket_that_was_released_while_it_was_read_is_none(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone", "here"):
        key = f".pulumi/locks/organization/airflow/dev/{name}.json"
        bucket.put_object(Bucket="states", Key=key, Body=json.dumps(CONTENT))
    call = BaseClient._make_api_call

    def released(client: Any, operation: str, given: dict[str, Any]) -> Any:
        if operation == "GetObject" and "gone" in given["Key"]:
            bucket.delete_object(**given)
        return call(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", released)
    assert read_locks("s3://states", "airflow", "dev", os.environ) == (LOCK,)


# The holder


def held_by(pid: int, since: datetime, host: str | None = None) -> Lock:
    return Lock(user="me", host=host or socket.gethostname(), pid=pid, since=since.isoformat())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is called `pulumi`, and began just now."""
    program = tmp_path / "pulumi"
    shutil.copy(Path("/bin/sleep").resolve(), program)
    with subprocess.Popen([str(program), "60"]) as process:
        yield process
        process.kill()


def test_holder_that_runs_is_alive_until_it_is_killed(engine: subprocess.Popen[bytes]) -> None:
    lock = held_by(engine.pid, datetime.now(UTC))
    found = [lock.holder]
    engine.kill()
    until_gone([Process(pid=engine.pid, parent=0, name="pulumi", started=lock.started)], 5)
    found.append(lock.holder)  # also before its parent has looked
    engine.wait()
    assert [*found, lock.holder] == [Holder.ALIVE, Holder.GONE, Holder.GONE]


def test_process_that_began_after_the_lock_is_another_one(engine: subprocess.Popen[bytes]) -> None:
    assert held_by(engine.pid, datetime.now(UTC) - timedelta(hours=1)).holder is Holder.GONE


def test_holder_by_another_name_is_not_taken_for_gone() -> None:
    """What has the id and is older than the lock was there when it was made."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert held_by(process.pid, datetime.now(UTC)).holder is Holder.UNKNOWN
        assert held_by(process.pid, datetime.now(UTC) - timedelta(hours=1)).holder is Holder.GONE


@pytest.mark.parametrize(
    ("process", "holder"),
    [
        (Process(pid=20, parent=1, name=".pulumi-wrapped", started=0), Holder.ALIVE),
        # Of a lock that a container made, which has this machine's name:
        (Process(pid=20, parent=2, name="kworker", started=0), Holder.UNKNOWN),
        (Process(pid=9020, parent=1, name="pulumi", started=0, inner_pid=20), Holder.UNKNOWN),
        (Process(pid=9020, parent=1, name="pulumi", started=2**32, inner_pid=20), Holder.GONE),
        (Process(pid=9020, parent=1, name="pulumi", started=0, inner_pid=21), Holder.GONE),
    ],
)
def test_holder_is_told_by_its_id_and_age(process: Process, holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automation.engine.processes.processes", lambda: (process,))
    monkeypatch.setattr("automation.engine.processes.exists", lambda pid: pid == process.pid)
    assert held_by(20, datetime(2026, 1, 1, tzinfo=UTC)).holder is holder


def test_process_of_another_machine_cannot_be_seen(engine: subprocess.Popen[bytes]) -> None:
    assert held_by(engine.pid, datetime.now(UTC), host="elsewhere").holder is Holder.UNKNOWN


def test_process_that_may_not_be_looked_at_may_be_the_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automation.engine.processes.processes", tuple[Process, ...])
    assert held_by(os.getpid(), datetime.now(UTC)).holder is Holder.ALIVE


def test_lock_as_json_says_whether_its_holder_lives() -> None:
    assert LOCK.to_json() == {**LOCK.__dict__, "holder": Holder.UNKNOWN}


def test_time_that_cannot_be_read_is_no_time() -> None:
    assert Lock(user="", host="", pid=1, since="yesterday").started == 0
    assert LOCK.started == pytest.approx(datetime(2026, 11, 25, 2, 44, 31, 581029, tzinfo=UTC).timestamp())
