"""The scripts that dump into a bucket and restore from it, in both containers, with a simulated S3."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from components.database.backup_scripts import BACKUPS, OTHER_FAILED
from components.database.in_image import dump_bucket
from components.database.in_image.dump_bucket import DIGEST, END, NAME, DumpError, OtherContainerError

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on PATH")

FIVE_MIB = 5 * 1024 * 1024
DUMP = b"PGDMP" + os.urandom(2 * FIVE_MIB + 17)
"""Three parts, as small as S3 takes them."""
OLD = "airflow-20260101T000000Z.dump"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A bucket, and the hook of Airflow that leads there."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", "us-east-1")
        client.create_bucket(Bucket="kept")
        hook = types.ModuleType("airflow.providers.amazon.aws.hooks.s3")
        hook.S3Hook = lambda aws_conn_id: types.SimpleNamespace(get_conn=lambda: client)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, hook.__name__, hook)
        for parent in ("airflow", "airflow.providers", "airflow.providers.amazon", "airflow.providers.amazon.aws"):
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
        monkeypatch.setitem(sys.modules, "airflow.providers.amazon.aws.hooks", types.ModuleType("hooks"))
        monkeypatch.setenv("BACKUP_FOLDER", "s3://kept/dumps")
        monkeypatch.setenv("BACKUP_CONNECTION", "one")
        with socket.create_server(("127.0.0.1", 0)) as free:
            monkeypatch.setattr(dump_bucket, "PORT", free.getsockname()[1])
        monkeypatch.setattr(dump_bucket, "PART", FIVE_MIB)
        monkeypatch.setattr(dump_bucket, "BESIDE_SECONDS", 30)
        monkeypatch.setattr(dump_bucket, "MESSAGE", str(tmp_path / "message"))
        yield client


def keys(s3: Any) -> list[str]:
    return sorted(item["Key"] for item in s3.list_objects_v2(Bucket="kept").get("Contents", ()))


def keep(s3: Any, name: str, *, digest: bool = True) -> None:
    for key in (name, *([name + DIGEST] if digest else [])):
        s3.put_object(Bucket="kept", Key=f"dumps/{key}", Body=b"x")


def both(folder: Path, work: Callable[[], None], *mode: str, **programs: str) -> tuple[int, Future[None]]:
    """Run both containers, with programs of PostgreSQL that do what is said. Return how each ended."""
    said = {"psql": f"cat >> {folder}/statements", "pg_dump": "exit 9", "pg_restore": "exit 9", **programs}
    for name, text in said.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    script = BACKUPS.replace("port=9900", f"port={dump_bucket.PORT}").replace("/dev/termination-log", f"{folder}/said")
    env = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://airflow:x@host.test:5432/airflow",
    }
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(work)
        done = subprocess.run(
            ["bash", "-c", script, "backups", *mode], env=env, capture_output=True, check=False, timeout=60
        )
        beside.exception(60)
    return done.returncode, beside


def stored(folder: Path, days: str = "0", dumped: bytes = DUMP, end: str = "") -> tuple[int, Future[None]]:
    (folder / "dumped").write_bytes(dumped)
    return both(folder, lambda: dump_bucket.store("", days), "send", pg_dump=f"cat {folder}/dumped; {end}")


def test_dump_is_stored_in_parts_and_comes_back_as_it_was(s3: Any, tmp_path: Path) -> None:
    code, beside = stored(tmp_path)
    assert (code, beside.exception()) == (0, None)
    [dump, digest] = keys(s3)
    assert digest == dump + DIGEST
    head = s3.head_object(Bucket="kept", Key=dump)
    assert head["ContentLength"] == len(DUMP)
    assert head["ETag"].endswith('-3"'), "in three parts"
    assert (tmp_path / "said").read_text() == str(len(DUMP))
    dump_bucket.listed()
    assert (tmp_path / "message").read_text() == f"{len(DUMP)} {dump.removeprefix('dumps/')}"

    name = dump.removeprefix("dumps/")
    restore = f"head -c 4 > {tmp_path}/first; cat > {tmp_path}/rest"
    code, beside = both(tmp_path, lambda: dump_bucket.fetch(name), "receive", "new", "whole one", pg_restore=restore)
    assert (code, beside.exception()) == (0, None)
    assert (tmp_path / "first").read_bytes() + (tmp_path / "rest").read_bytes() == DUMP
    assert "COMMENT ON DATABASE" in (tmp_path / "statements").read_text()


def test_small_dump_is_one_part(s3: Any, tmp_path: Path) -> None:
    for dumped in (DUMP[:5], DUMP[:5000], DUMP[:FIVE_MIB]):
        code, beside = stored(tmp_path, dumped=dumped)
        assert (code, beside.exception()) == (0, None)
        assert (tmp_path / "said").read_text() == str(len(dumped))
        (dump, _) = keys(s3)
        assert s3.get_object(Bucket="kept", Key=dump)["Body"].read() == dumped
        for key in keys(s3):
            s3.delete_object(Bucket="kept", Key=key)


def test_what_is_not_whole_never_looks_like_a_backup(s3: Any, tmp_path: Path) -> None:
    for dumped in (DUMP, DUMP[:100], b""):
        code, beside = stored(tmp_path, dumped=dumped, end="exit 1")
        assert code != 0
        assert isinstance(beside.exception(), OtherContainerError), "its words are those of pg_dump"
        assert keys(s3) == []
        assert not s3.list_multipart_uploads(Bucket="kept").get("Uploads")
    code, beside = stored(tmp_path, dumped=b"something else")
    assert code != 0
    assert isinstance(beside.exception(), DumpError)
    assert keys(s3) == []
    keep(s3, OLD, digest=False)  # of a pod that was killed between the two
    dump_bucket.listed()
    assert (tmp_path / "message").read_text() == ""
    with pytest.raises(DumpError, match="there is no backup"):
        dump_bucket.Folder().fetch(OLD, lambda part: None)


def test_container_that_dumps_ends_with_the_one_that_stores(s3: Any, tmp_path: Path) -> None:
    s3.delete_bucket(Bucket="kept")
    code, beside = stored(tmp_path)
    assert code != 0
    assert "NoSuchBucket" in str(beside.exception())


def test_dump_that_was_changed_is_not_restored(s3: Any, tmp_path: Path) -> None:
    stored(tmp_path)
    [dump, _] = keys(s3)
    s3.put_object(Bucket="kept", Key=dump, Body=DUMP[:-1] + b"?")
    (tmp_path / "statements").unlink()
    name = dump.removeprefix("dumps/")
    code, beside = both(tmp_path, lambda: dump_bucket.fetch(name), "receive", "new", "whole", pg_restore="cat >&2")
    assert code != 0
    assert "is not as it was stored" in str(beside.exception())
    assert "COMMENT" not in (tmp_path / "statements").read_text(), "no restore takes the new database for whole"


def test_dump_that_the_database_refuses_ends_both(s3: Any, tmp_path: Path) -> None:
    stored(tmp_path)
    [dump, _] = keys(s3)
    name = dump.removeprefix("dumps/")
    code, beside = both(tmp_path, lambda: dump_bucket.fetch(name), "receive", "new", "whole", pg_restore="exit 1")
    assert code != 0
    assert isinstance(beside.exception(), OtherContainerError | None)


def test_old_dumps_are_deleted_and_never_the_newest(s3: Any, tmp_path: Path) -> None:
    now = datetime.now(UTC)

    def name(days: int) -> str:
        return (now - timedelta(days=days, minutes=1)).strftime(NAME)

    for days in (1, 6, 7, 90):
        keep(s3, name(days))
    keep(s3, name(3), digest=False)
    keep(s3, "somebody's own", digest=False)
    folder = dump_bucket.Folder()
    folder.forget(7)
    kept = [name(1), name(6)]
    assert keys(s3) == sorted(
        [*(f"dumps/{each}{end}" for each in kept for end in ("", DIGEST)), "dumps/somebody's own"]
    )
    folder.forget(1)
    assert f"dumps/{name(1)}" in keys(s3), "better an old one than none"


def test_both_scripts_agree() -> None:
    assert f"printf '{END.decode()}' >&3" in BACKUPS
    assert f"port={9900}" in BACKUPS
    assert Path(dump_bucket.__file__).read_text().count("PORT = 9900") == 1
    assert dump_bucket.OTHER_FAILED == OTHER_FAILED
