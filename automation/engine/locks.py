"""Who holds the lock of a stack, as far as the backend tells, and whether that process may still run.

A DIY backend keeps one file per lock, `.pulumi/locks/…/UUID.json`, with process, user, host and time (pulumi:
pkg/backend/diy/lock.go). Those in folders and in S3 are read here. Any other backend tells only in the engine's errors.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum, unique
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from automation.engine import processes
from automation.engine.backend import local_path
from automation.engine.machine import is_local, moment_of, this_machine
from automation.engine.started_engines import StartedEngine
from automation.results import Result

_HELD: Final = re.compile(r"created by (\S+)@(\S+) \(pid (-?\d+)\) at (\S+)")
_LOCKS: Final = ".pulumi/locks"
_NAME: Final = re.compile(r"[\w.+$\\-]{1,253}")
"""What a user or a host may be called. Anything else could be text for a terminal."""
_MOST_PID: Final = 2**22
"""The largest process id of Linux (proc_sys_kernel(5), pid_max); those of macOS are smaller."""
_MOST_SINCE: Final = 40
"""No ISO 8601 time with nanoseconds is longer."""
_MOST_BYTES: Final = 2**16
"""More of a lock is not read: the engine writes a few hundred bytes."""
_ODD: Final = "?"
"""Stands for a name that is none."""
_CLOCK_SECONDS: Final = 5.0
"""How far the times of a process and of its lock may differ."""


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
    """The backend's lock on a stack. Who may write into the backend may have written anything into it."""

    user: str
    """The holder's user, "?" if that is no name."""
    host: str
    """The holder's machine, "?" if that is no name."""
    pid: int
    """The holder's process id, 0 if that is none."""
    since: str
    """ISO 8601, "?" if that is no time."""
    holder: Holder = field(default=Holder.UNKNOWN, compare=False)
    """Whether the holder runs, as it was seen when the lock was read."""

    @staticmethod
    def of(user: object, host: object, pid: object, since: object) -> Lock:
        """Return a lock in which each part has its expected form."""
        number = pid if type(pid) is int and 0 < pid <= _MOST_PID else 0
        when = since if isinstance(since, str) and len(since) <= _MOST_SINCE and seconds_of(since) > 0 else _ODD
        return Lock(user=_name(user), host=_name(host), pid=number, since=when)

    @property
    def started(self) -> float:
        """`since` in seconds since 1970; 0 if it cannot be read."""
        return seconds_of(self.since)

    def engine(self, engines: Iterable[StartedEngine]) -> StartedEngine | None:
        """Return the engine that took this lock, if it is one of those that were started here."""
        if self.host != socket.gethostname():
            return None
        return next((item for item in engines if item.made(self.pid, self.started)), None)

    def seen(self, engines: Iterable[StartedEngine], *, shared: bool) -> Lock:
        """Return the lock with whether its holder runs.

        An engine of this package is known by the note about its start. Of another one only id, host and time are
        known. On this machine a process with that id may be a later one, and a clock that was set makes any of them
        look older or younger: so an engine with the id is never gone. Where the backend is shared, another machine may
        have this one's name, and nothing is known.

        Args:
            engines: The engines that were started here.
            shared: Whether other machines or containers may use the backend.
        """
        return replace(self, holder=self._holder(engines, shared))

    def _holder(self, engines: Iterable[StartedEngine], shared: bool) -> Holder:
        if not self.pid or self.host != socket.gethostname():
            return Holder.UNKNOWN
        engine = self.engine(engines)
        if engine is not None:
            return {True: Holder.ALIVE, False: Holder.GONE, None: Holder.UNKNOWN}[engine.runs(shared=shared)]
        everything = processes.processes()
        process = next((item for item in everything if item.pid == self.pid), None)
        if process is None and processes.exists(self.pid):
            return Holder.ALIVE  # but this user may not look at it
        if process is not None:
            older = process.started <= moment_of(self.started) + _CLOCK_SECONDS
            return Holder.ALIVE if process.is_engine and older else Holder.UNKNOWN
        # A lock does not tell of containers; one of this machine may have its name. Who does not see process 1 does not
        # see other users' containers either (hidepid of proc(5)).
        inside = any(item.inner_pid == self.pid for item in everything)
        hidden = not any(item.pid == 1 for item in everything)
        return Holder.UNKNOWN if shared or inside or hidden else Holder.GONE

    def __str__(self) -> str:
        return f"held by {self.user}@{self.host}, process {self.pid or _ODD}, since {self.since}"


def is_shared(url: str) -> bool:
    """Return whether other machines or containers may use a backend."""
    return not url.startswith("file:") or this_machine().is_contained or not is_local(local_path(url))


def seconds_of(text: str) -> float:
    """Return the seconds since 1970 of an ISO 8601 time; 0 if it cannot be read."""
    try:
        # Go writes nanoseconds; Python reads microseconds.
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def parse_locks(text: str) -> tuple[Lock, ...]:
    """Return the locks that an error of the engine names."""
    return tuple(Lock.of(user, host, int(pid[:20]), since) for user, host, pid, since in _HELD.findall(text))


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
    return tuple(sorted(map(_lock, texts), key=lambda lock: lock.since))


def _lock(text: str) -> Lock:
    """Return the lock in a file. What cannot be read is a lock all the same: it stops the engine."""
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    said = content if isinstance(content, dict) else {}
    return Lock.of(said.get("username"), said.get("hostname"), said.get("pid"), said.get("timestamp"))


def _name(value: object) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else _ODD


def _files(root: Path, folders: tuple[str, ...]) -> Iterator[str]:
    for folder in folders:
        for path in (root / folder).glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # it was released after it was listed
                yield _beginning(path)


def _beginning(path: Path) -> str:
    """Return the text of a lock, "" for what is no file: a pipe would wait for its writer, a device has no end."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        is_file = stat.S_ISREG(os.fstat(handle).st_mode)
        return os.read(handle, _MOST_BYTES).decode(errors="replace") if is_file else ""
    finally:
        os.close(handle)


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
                    body = s3.get_object(Bucket=parts.netloc, Key=item["Key"])["Body"].read(_MOST_BYTES)
                    yield body.decode(errors="replace")
