"""Who holds the lock of a stack, as far as the backend tells, and whether the holder may be alive.

A DIY backend keeps one file per lock, `.pulumi/locks/…/UUID.json`, with process, user, host and time (pulumi:
pkg/backend/diy/lock.go). Those in folders and in S3 are read here. Any other backend tells only in the engine's errors.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from automation.engine import processes
from automation.results import Result
from automation.stacks.backend import local_path

_HELD: Final = re.compile(r"created by (\S+)@(\S+) \(pid (\d+)\) at (\S+)")
_LOCKS: Final = ".pulumi/locks"
_CLOCK_SECONDS: Final = 5.0
"""How far the times of a process and of its lock may differ on one machine."""


@unique
class Holder(StrEnum):
    """Whether the process that holds a lock runs."""

    ALIVE = "alive"
    """It runs."""
    GONE = "gone"
    """It ran on this machine, and does not run any more."""
    UNKNOWN = "unknown"
    """It cannot be seen from here."""


@dataclass(frozen=True, kw_only=True)
class Lock(Result):
    """The backend's lock on a stack."""

    user: str
    """The holder's user."""
    host: str
    """The holder's machine."""
    pid: int
    """The holder's process id."""
    since: str
    """ISO 8601."""

    SHOWN = ("holder",)

    @property
    def started(self) -> float:
        """`since` in seconds since 1970; 0 if it cannot be read."""
        return seconds_of(self.since)

    @property
    def holder(self) -> Holder:
        """Whether the holder runs, as this machine sees it now.

        A process with the holder's id that is older than the lock is the holder. But the lock may come from a container
        with this machine's name, and a lock does not tell of containers. So a process that is not named as an engine
        counts as unknown, and so does an engine that is seen inside a container. A process in a container cannot see
        another container with the same name (as with Docker's `--network=host`), and takes an engine there for gone.
        """
        if self.host != socket.gethostname():
            return Holder.UNKNOWN
        everything = processes.processes()
        process = next((item for item in everything if item.pid == self.pid), None)
        if process is None and processes.exists(self.pid):
            return Holder.ALIVE  # but this user may not look at it
        if process is not None and self._may_be_of(process):
            return Holder.ALIVE if process.is_engine else Holder.UNKNOWN
        inside = any(item.inner_pid == self.pid and self._may_be_of(item) for item in everything)
        return Holder.UNKNOWN if inside else Holder.GONE

    def _may_be_of(self, process: processes.Process) -> bool:
        """Return whether the process did not begin after the lock."""
        return not self.started or process.started <= self.started + _CLOCK_SECONDS

    def __str__(self) -> str:
        return f"held by {self.user}@{self.host}, process {self.pid}, since {self.since}"


def seconds_of(text: str) -> float:
    """Return the seconds since 1970 of an ISO 8601 time; 0 if it cannot be read."""
    try:
        # Go writes nanoseconds; Python reads microseconds.
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


def parse_locks(text: str) -> tuple[Lock, ...]:
    """Return the locks that an error of the engine names."""
    return tuple(
        Lock(user=user, host=host, pid=int(pid), since=since) for user, host, pid, since in _HELD.findall(text)
    )


def read_locks(url: str, project: str, stack: str, environ: Mapping[str, str]) -> tuple[Lock, ...] | None:
    """Return the locks of a stack, the oldest first; None if this kind of backend does not tell.

    Args:
        url: URL of the backend.
        project: The name of the project.
        stack: The short name of the stack.
        environ: The engine's environment, which may hold AWS credentials.

    Raises:
        Exception: OSError, or what boto3 raises, if the backend does not answer.
    """
    kind = urlsplit(url).scheme
    folders = (f"{_LOCKS}/organization/{project}/{stack}", f"{_LOCKS}/{stack}")  # projects, and before them none
    if kind == "file":
        texts: Iterable[str] = _files(local_path(url), folders)
    elif kind == "s3":
        texts = _s3_objects(url, folders, environ)
    else:
        return None
    locks = [_lock(text) for text in texts]
    return tuple(sorted((lock for lock in locks if lock is not None), key=lambda lock: lock.since))


def _lock(text: str) -> Lock | None:
    """Return the lock in a file, None if its engine has not finished writing it."""
    try:
        content: Any = json.loads(text)
        return Lock(
            user=str(content["username"]),
            host=str(content["hostname"]),
            pid=int(content["pid"]),
            since=str(content["timestamp"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _files(root: Path, folders: tuple[str, ...]) -> Iterator[str]:
    for folder in folders:
        for path in (root / folder).glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # it was released after it was listed
                yield path.read_text(encoding="utf-8")


def _s3_objects(url: str, folders: tuple[str, ...], environ: Mapping[str, str]) -> Iterator[str]:
    """Read bucket, prefix and options as the engine reads them from the URL (gocloud.dev/blob/s3blob)."""
    import boto3

    parts = urlsplit(url)
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    session = boto3.Session(
        aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environ.get("AWS_SESSION_TOKEN"),
        profile_name=options.get("profile") or environ.get("AWS_PROFILE"),
        region_name=options.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
    )
    endpoint = options.get("endpoint")
    s3 = session.client("s3", endpoint_url=endpoint and (endpoint if "://" in endpoint else f"https://{endpoint}"))
    prefix = parts.path.strip("/")
    for folder in folders:
        start = f"{prefix}/{folder}/" if prefix else f"{folder}/"
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=parts.netloc, Prefix=start, Delimiter="/"):
            for item in page.get("Contents", ()):
                with contextlib.suppress(s3.exceptions.NoSuchKey):  # it was released after it was listed
                    body = s3.get_object(Bucket=parts.netloc, Key=item["Key"])["Body"].read()
                    yield body.decode(errors="replace")
