"""Where task logs are kept. Value types without Pulumi resources."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class TaskLogStore(StrEnum):
    """`volume`: one volume that every pod mounts; a log is readable when its pod is gone.

    `worker`: a volume for each Celery worker, served by the worker.
    `s3`: a bucket; a running task's log is served by its pod, and moved there when the task ends.
    `remote`: the same, in a place that exists: a bucket of S3 or of what speaks its API, of Google, or Azure's blobs.
    """

    VOLUME = "volume"
    WORKER = "worker"
    S3 = "s3"
    REMOTE = "remote"


@unique
class AccessMode(StrEnum):
    """Access mode of the shared volume. ReadWriteOnce is for a single node: there, many pods may mount it."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_MANY = "ReadWriteMany"


@dataclass(frozen=True, kw_only=True)
class LogPlace:
    """A place for task logs that something else made."""

    url: str
    """`s3://BUCKET/FOLDER`, `gs://BUCKET/FOLDER` or `wasb://CONTAINER/FOLDER`."""
    connection_secret: str | None = None
    """Secret with an Airflow connection to it under the key `connection`, or None where pods have an identity."""


@dataclass(frozen=True, kw_only=True)
class TaskLogs:
    """Where task logs are kept."""

    store: TaskLogStore
    """Where logs are while their pods come and go."""
    storage_gib: int
    """Size of the shared volume, or of each worker's, in GiB."""
    access_mode: AccessMode
    """Access mode of the shared volume."""
    storage_class: str | None = None
    """Storage class of the shared volume, or None for the cluster's default."""
    claim: str | None = None
    """An existing claim that is the shared volume, or None to make one."""
    place: LogPlace | None = None
    """Where remote logs are; with the store `remote`, and only then."""
