"""Who holds a lock, as each kind of backend tells it, and whether that process may be alive."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import moto
import psutil
import pytest
from botocore.client import BaseClient

from automation.engine import processes, started_engines
from automation.engine.locks import Holder, Lock, is_shared, parse_locks, read_locks
from automation.engine.machine import INITIAL_NAMESPACE as INITIAL
from automation.engine.machine import Machine, this_machine
from automation.engine.processes import Process, until_gone
from automation.engine.started_engines import StartedEngine
from tests.cases import each
from tests.samples import ROOT

NOBODY = 2**22 - 3
"""An id that no process has here: ids are given in their order."""

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


@each("text", ["", "{", "{}", "[]", "[" * 100_000, '{"pid": "many"}', json.dumps({**CONTENT, "pid": True})])
def test_lock_that_cannot_be_read_is_a_lock_of_an_unknown_holder(tmp_path: Path, text: str) -> None:
    """It stops the engine all the same, and only a recovery removes it."""
    write(tmp_path, "a.json", text)
    (lock,) = read_locks(tmp_path.as_uri(), "airflow", "dev", {}) or ()
    assert (lock.pid, lock.seen((), shared=False).holder) == (0, Holder.UNKNOWN)


@each("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_lock_that_is_no_file_is_one_of_an_unknown_holder_too(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Who may write into the folder could stop `status` and `recover` for ever: a pipe has no end without a writer."""
    locks = tmp_path / ".pulumi" / "locks" / "organization" / "airflow" / "dev"
    locks.mkdir(parents=True, exist_ok=True)
    make(locks / f"{len(list(locks.iterdir()))}.json")
    found = read_locks(tmp_path.as_uri(), "airflow", "dev", {}) or ()
    assert {lock.pid for lock in found} == {0}
    assert len(found) == len(list(locks.iterdir()))


@each("pid", [-1, 0, 2**22 + 1, 2**40, 10**400, 1.5, None, "7"])
def test_lock_with_an_id_that_no_process_has_names_none(pid: Any) -> None:
    """`kill -INT -1` would reach every process of the user."""
    lock = Lock.of("root", socket.gethostname(), pid, CONTENT["timestamp"]).seen((), shared=False)
    assert (lock.pid, lock.holder) == (0, Holder.UNKNOWN)
    assert "process ?" in str(lock)
    assert [item.pid for item in parse_locks(ERROR.replace("7322", str(pid)))] in ([0], []) or pid == "7"


@each("odd", ["", "a b", "x\x1b[2J", "a\nb", "x" * 254, "$(reboot)", 7, None, ["root"]])
def test_names_of_a_lock_are_names(odd: Any) -> None:
    lock = Lock.of(odd, odd, 7, odd)
    assert (lock.user, lock.host, lock.since, lock.started) == ("?", "?", "?", 0.0)


@each("since", ["2026-01-01T00:00:00." + "1" * 1000, "0001-01-01T00:00:00+23:59", "9" * 30, "now"])
def test_time_of_a_lock_is_a_time_or_none(since: str) -> None:
    assert (Lock.of("a", "b", 7, since).since, Lock.of("a", "b", 7, since).started) == ("?", 0.0)


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


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is called `pulumi`, and began just now."""
    program = tmp_path / "pulumi"
    shutil.copy(Path("/bin/sleep").resolve(), program)
    with subprocess.Popen([str(program), "60"]) as process:
        yield process
        process.kill()


HERE = Machine(machine="m", boot="b", namespace=INITIAL)
NOW = datetime.now(UTC)


def held_by(pid: int, since: datetime = NOW, host: str | None = None) -> Lock:
    return Lock(user="me", host=host or socket.gethostname(), pid=pid, since=since.isoformat())


def holder(lock: Lock, engines: tuple[StartedEngine, ...] = (), *, shared: bool = False) -> Holder:
    return lock.seen(engines, shared=shared).holder


def noted_in(folder: Path, pid: int) -> tuple[StartedEngine, ...]:
    started_engines.note(folder, pid)
    return started_engines.noted(folder)


def test_noted_engine_is_alive_until_it_is_killed(engine: subprocess.Popen[bytes], tmp_path: Path) -> None:
    engines, lock = noted_in(tmp_path, engine.pid), held_by(engine.pid)
    (started,) = [item.started for item in processes.processes() if item.pid == engine.pid]
    found = [holder(lock, engines, shared=True)]
    engine.kill()
    until_gone([Process(pid=engine.pid, parent=0, name="pulumi", started=started)], 5)
    found.append(holder(lock, engines, shared=True))  # also before its parent has looked
    engine.wait()
    assert [*found, holder(lock, engines, shared=True)] == [Holder.ALIVE, Holder.GONE, Holder.GONE]


@each("hours", [-24, -1, 1, 24])
def test_clock_that_was_set_changes_no_answer(
    engine: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """By hours, while the engine runs; and psutil's idea of when the machine was started moves with it."""
    engines, lock = noted_in(tmp_path, engine.pid), held_by(engine.pid)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    assert holder(lock, engines, shared=True) is Holder.ALIVE
    assert holder(lock) is not Holder.GONE, "not noted: an engine with the id is there"
    monkeypatch.undo()


def test_later_process_with_the_id_of_a_noted_engine_is_another_one(
    engine: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (noted,) = noted_in(tmp_path, engine.pid)
    earlier = replace(noted, began=noted.began - 0.01)
    assert holder(held_by(engine.pid), (earlier,)) is Holder.GONE


@each(
    "there, here, expected",
    [
        (HERE, HERE, Holder.GONE),
        (HERE, replace(HERE, boot="c"), Holder.GONE),  # the machine was started anew
        (HERE, replace(HERE, namespace=f"{INITIAL} time:[7]"), Holder.UNKNOWN),  # where clocks are others
        (HERE, replace(HERE, boot="c", machine="n"), Holder.UNKNOWN),  # another machine with this name
        (HERE, replace(HERE, namespace="pid:[7]"), Holder.UNKNOWN),  # seen from a container with this name
        (replace(HERE, namespace="pid:[7]"), HERE, Holder.UNKNOWN),
        (replace(HERE, namespace="pid:[7]"), replace(HERE, namespace="pid:[8]"), Holder.UNKNOWN),
        # The image of a container gives its id to each of them:
        (replace(HERE, namespace="pid:[7]"), replace(HERE, namespace="pid:[7]", boot="c"), Holder.UNKNOWN),
        (replace(HERE, machine=""), replace(HERE, machine="", boot="c"), Holder.UNKNOWN),
        (replace(HERE, boot=""), replace(HERE, boot=""), Holder.UNKNOWN),
    ],
)
def test_noted_engine_is_gone_only_where_it_would_be_seen(
    there: Machine, here: Machine, expected: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automation.engine.machine.this_machine", lambda: here)
    noted = StartedEngine(pid=NOBODY, began=1.0, written=NOW.timestamp(), where=there)
    assert holder(held_by(NOBODY), (noted,)) is expected
    # A copy of a virtual machine has its id, its name and its notes, and another boot.
    copied = there.boot != here.boot
    assert holder(held_by(NOBODY), (noted,), shared=True) is (Holder.UNKNOWN if copied else expected)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs the command unshare")
def test_living_engine_is_not_gone_where_clocks_count_from_another_moment(
    engine: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    started_engines.note(tmp_path, engine.pid)
    script = (
        "import sys; from pathlib import Path; from automation.engine import started_engines as notes;"
        "print([found.runs(shared=False) for found in notes.noted(Path(sys.argv[1]))])"
    )
    for within in ([], ["unshare", "--map-root-user", "--time", "--boottime", "100000"]):
        command = [*within, sys.executable, "-c", script, str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if within and done.returncode:
            pytest.skip(f"no namespace of clocks can be made here: {done.stderr.strip()[-100:]}")
        assert done.stdout.strip() == ("[None]" if within else "[True]")


def test_note_is_not_that_of_a_lock_from_another_time_or_host() -> None:
    """Another machine of the same name may have given its engine the same id."""
    noted = StartedEngine(pid=NOBODY, began=1.0, written=NOW.timestamp(), where=this_machine())
    for lock in (held_by(NOBODY, NOW + timedelta(hours=1)), held_by(NOBODY, host="elsewhere"), held_by(NOBODY - 1)):
        assert lock.engine((noted,)) is None
        assert holder(lock, (noted,), shared=True) is Holder.UNKNOWN
    assert held_by(NOBODY, NOW + timedelta(seconds=9)).engine((noted,)) is noted


def test_equal_host_names_prove_nothing_where_a_backend_is_shared(engine: subprocess.Popen[bytes]) -> None:
    assert holder(held_by(NOBODY), shared=True) is Holder.UNKNOWN
    assert holder(held_by(NOBODY)) is Holder.GONE
    assert holder(held_by(NOBODY, host="elsewhere")) is Holder.UNKNOWN
    assert holder(held_by(engine.pid, host="elsewhere")) is Holder.UNKNOWN


@each(
    "process, expected",
    [
        (Process(pid=20, parent=1, name=".pulumi-wrapped", started=0), Holder.ALIVE),
        (Process(pid=20, parent=1, name="pulumi", started=2**32), Holder.UNKNOWN),  # or the clock was set
        (Process(pid=20, parent=2, name="kworker", started=0), Holder.UNKNOWN),
        (Process(pid=20, parent=2, name="bash", started=2**32), Holder.UNKNOWN),
        # Of a lock that a container made, which has this machine's name:
        (Process(pid=9020, parent=1, name="pulumi", started=0, inner_pid=20), Holder.UNKNOWN),
        (Process(pid=9020, parent=1, name="pulumi", started=2**32, inner_pid=20), Holder.UNKNOWN),
        (Process(pid=9020, parent=1, name="pulumi", started=0, inner_pid=21), Holder.GONE),
    ],
)
def test_engine_that_is_not_noted_is_never_gone_while_its_id_is_taken(
    process: Process, expected: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Process(pid=1, parent=0, name="init", started=0)
    monkeypatch.setattr("automation.engine.processes.processes", lambda: (first, process))
    monkeypatch.setattr("automation.engine.processes.exists", lambda pid: pid == process.pid)
    assert holder(held_by(20)) is expected


def test_nothing_is_gone_where_the_processes_of_others_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The container of another user, with this machine's name, may hold the lock."""
    own = Process(pid=os.getpid(), parent=1, name="python", started=0)
    monkeypatch.setattr("automation.engine.processes.processes", lambda: (own,))
    assert holder(held_by(NOBODY)) is Holder.UNKNOWN


def test_process_that_may_not_be_looked_at_may_be_the_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automation.engine.processes.processes", tuple[Process, ...])
    assert holder(held_by(os.getpid())) is Holder.ALIVE


def test_folder_is_shared_in_a_container_and_on_what_may_be_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts: list[Any] = [SimpleNamespace(mountpoint="/", fstype="ext4")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    monkeypatch.setattr("automation.engine.locks.this_machine", lambda: HERE)
    assert not is_shared(tmp_path.as_uri())
    assert is_shared("s3://bucket")
    for kind in ("nfs4", "cifs", "9p", "fuse.sshfs", "unknown"):
        mounts[1:] = [SimpleNamespace(mountpoint=str(tmp_path), fstype=kind)]
        assert is_shared(tmp_path.as_uri())
        assert is_shared((tmp_path / "of" / "later").as_uri())
    mounts[1:] = []
    monkeypatch.setattr("automation.engine.locks.this_machine", lambda: replace(HERE, namespace="pid:[7]"))
    assert is_shared(tmp_path.as_uri())


def test_lock_as_json_says_whether_its_holder_lives() -> None:
    assert LOCK.to_json() == {**LOCK.__dict__, "holder": Holder.UNKNOWN}


def test_time_that_cannot_be_read_is_no_time() -> None:
    assert Lock(user="", host="", pid=1, since="yesterday").started == 0
    assert LOCK.started == pytest.approx(datetime(2026, 11, 25, 2, 44, 31, 581029, tzinfo=UTC).timestamp())
