"""Where task logs are kept, and how pods reach them in S3."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from components.aws.pod_identity import PodIdentity
from components.chart_values.size_preset import SizePreset
from components.platform_args import AirflowPlatformArgs
from components.task_logs.store import AccessMode, LogPlace, TaskLogs, TaskLogStore
from components.texts import fields
from settings.foreign_secrets import foreign_secret
from settings.keys import Section
from settings.parsers import one_of
from settings.reading import Config
from settings.sections.cluster import AwsChoice, needs_aws
from settings.sections.database import DATABASE, DatabaseKind
from settings.sections.executor import EXECUTOR, SIZE

SECTION = Section("Task logs")

_URL: Final = re.compile(r"(s3|gs|wasb)://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[A-Za-z0-9!_.=-]+)+")
"""Names of buckets and containers as S3, Google and Azure have them in common, and a folder."""


def _storage_class(text: str) -> str:
    return _object_name(text, "a storage class")


def _claim(text: str) -> str:
    return _object_name(text, "a claim")


def _url(text: str) -> str:
    match = _URL.fullmatch(text)
    if match is None:
        fields.refuse(
            "expected s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or wasb://CONTAINER/FOLDER, without a slash at its end, "
            f"found {fields.shown(text)}"
        )
    return text


def _object_name(text: str, what: str) -> str:
    try:
        return fields.dns_subdomain(text)
    except ValueError:
        fields.refuse(f"expected the name of {what}: a-z, 0-9, - and ., found {fields.shown(text)}")


TASK_LOGS = SECTION.optional(
    "taskLogs",
    one_of(TaskLogStore),
    description="volume (one for all pods; a log outlives its pod), worker (one for each Celery worker), s3 (a bucket "
    "that the stack makes; needs eksCluster), or remote (a place that exists; needs taskLogsUrl). Empty is volume with "
    "a database container, and refused with another database.",
)
TASK_LOGS_URL = SECTION.optional(
    "taskLogsUrl",
    _url,
    description="Where remote task logs are: s3://BUCKET/FOLDER (S3 or compatible storage), gs://BUCKET/FOLDER or "
    "wasb://CONTAINER/FOLDER.",
)
TASK_LOGS_CONNECTION_SECRET = SECTION.optional(
    "taskLogsConnectionSecret",
    foreign_secret,
    description="Name of a Secret that something else puts into the namespace; its key connection is an Airflow "
    "connection to taskLogsUrl. Empty where pods have an identity.",
)
TASK_LOGS_RETENTION_DAYS = SECTION.integer(
    "taskLogsRetentionDays",
    1,
    3650,
    default=AirflowPlatformArgs.task_logs_retention_days,
    description="Days that task logs are kept in S3, {least} to {most}.",
)
POD_IDENTITY = SECTION.choice(
    "podIdentity",
    PodIdentity,
    default=AirflowPlatformArgs.pod_identity,
    description="How pods get their AWS role: eks-pod-identity (the agent's add-on must be in the cluster), or irsa "
    "(IAM must know the cluster's OIDC provider).",
)
TASK_LOGS_STORAGE_GIB = SECTION.integer(
    "taskLogsStorageGib",
    1,
    65_536,
    default=10,
    description="Size of the log volume, or of each worker's, in GiB.",
)
TASK_LOGS_ACCESS_MODE = SECTION.choice(
    "taskLogsAccessMode",
    AccessMode,
    default=AccessMode.READ_WRITE_MANY,
    description="Access mode of the shared log volume. ReadWriteOnce is for a cluster of one node.",
)
TASK_LOGS_STORAGE_CLASS = SECTION.optional(
    "taskLogsStorageClass",
    _storage_class,
    description="Storage class of the shared log volume, such as efs-sc. Empty takes the cluster's default, which is "
    "seldom ReadWriteMany.",
)
TASK_LOGS_CLAIM = SECTION.optional(
    "taskLogsClaim",
    _claim,
    description="Name of a PersistentVolumeClaim that something else puts into the namespace, to keep task logs on in "
    "place of a new one.",
)


@dataclass(frozen=True, kw_only=True)
class TaskLogChoice:
    """Everything that the config says about task logs."""

    logs: TaskLogs
    """Where logs are kept."""
    retention_days: int
    """Days that logs are kept in S3."""
    identity: PodIdentity
    """How pods get the AWS role for S3."""


def read_task_logs(config: Config, aws: AwsChoice | None) -> TaskLogChoice:
    """Return where task logs are kept."""
    _refuse_silence(config)
    store = log_store(config)
    if config[EXECUTOR].kubernetes and store is TaskLogStore.WORKER:
        config.problem(
            TASK_LOGS,
            "expected volume, s3 or remote with KubernetesExecutor, found worker: a log would be lost with its pod",
            f"pulumi config set {TASK_LOGS.full} volume",
        )
    if store is TaskLogStore.S3:
        needs_aws(config, aws, TASK_LOGS, "the bucket is")
    _check_volume(config, store)
    place = _place(config, store)
    return TaskLogChoice(
        logs=TaskLogs(
            store=store,
            storage_gib=config[TASK_LOGS_STORAGE_GIB],
            access_mode=config[TASK_LOGS_ACCESS_MODE],
            storage_class=config[TASK_LOGS_STORAGE_CLASS],
            claim=config[TASK_LOGS_CLAIM],
            place=place,
        ),
        retention_days=config[TASK_LOGS_RETENTION_DAYS],
        identity=config[POD_IDENTITY],
    )


def log_store(config: Config) -> TaskLogStore:
    """Return where task logs are kept, or a volume while that is not known."""
    return config[TASK_LOGS] or TaskLogStore.VOLUME


def _refuse_silence(config: Config) -> None:
    """Report a missing `taskLogs`, unless the database is a container.

    The rule `task-logs-apart` refuses the shared volume there, and a default would be a choice that nobody made.
    """
    if config[TASK_LOGS] is not None or config.bad(DATABASE) or config[DATABASE] is DatabaseKind.CONTAINER:
        return
    set_ = f"pulumi config set {TASK_LOGS.full}"
    apart = "remote" if config[EXECUTOR].kubernetes else "worker"
    config.problem(
        TASK_LOGS,
        f"expected s3, remote, worker or volume with {DATABASE.full} {config[DATABASE]}, found none: volume is the "
        "default only with a database container, because DAG authors can read files of the API server through it",
        f"{set_} {apart}; or, to keep the logs of a stack that runs: {set_} volume, and a line for task-logs-apart in "
        "policy/decided.txt",
    )


def _place(config: Config, store: TaskLogStore) -> LogPlace | None:
    """Return where remote logs are, and note keys that do not fit."""
    url, secret = config[TASK_LOGS_URL], config[TASK_LOGS_CONNECTION_SECRET]
    if config.bad(TASK_LOGS, TASK_LOGS_URL):
        return None
    if store is not TaskLogStore.REMOTE:
        config.refuse_set(
            (TASK_LOGS_URL, TASK_LOGS_CONNECTION_SECRET),
            f"with {TASK_LOGS.full} {store}",
            instead=f"pulumi config set {TASK_LOGS.full} remote",
        )
        return None
    if url is None:
        config.problem(
            TASK_LOGS_URL,
            f"expected the place of the logs with {TASK_LOGS.full} remote, found none",
            f"pulumi config set {TASK_LOGS_URL.full} s3://BUCKET/FOLDER",
        )
        return None
    if url.startswith("wasb:") and secret is None and not config.bad(TASK_LOGS_CONNECTION_SECRET):
        config.problem(
            TASK_LOGS_CONNECTION_SECRET,
            "expected a Secret with a connection, which names the storage account, found none",
        )
    return LogPlace(url=url, connection_secret=secret)


def _check_volume(config: Config, store: TaskLogStore) -> None:
    """Note what does not fit the shared volume. A given claim has a size, a class and an access mode of its own."""
    if config.bad(TASK_LOGS):
        return
    if store is not TaskLogStore.VOLUME:
        config.refuse_set(
            (TASK_LOGS_STORAGE_CLASS, TASK_LOGS_CLAIM),
            f"with {TASK_LOGS.full} {store}",
            instead=f"pulumi config set {TASK_LOGS.full} volume",
        )
        return
    if config[TASK_LOGS_CLAIM] is not None:
        config.refuse_set(
            (TASK_LOGS_STORAGE_CLASS,), f"together with {TASK_LOGS_CLAIM.full}, which has a class of its own"
        )
        return
    one_node = config[TASK_LOGS_ACCESS_MODE] is AccessMode.READ_WRITE_ONCE
    if one_node and config[SIZE] is not SizePreset.NONE and not config.bad(TASK_LOGS_ACCESS_MODE, SIZE):
        config.problem(
            TASK_LOGS_ACCESS_MODE,
            f"expected ReadWriteMany with {SIZE.full} {config[SIZE]}, found ReadWriteOnce: only one node can mount "
            "such a volume, and the pods run on several",
            f"pulumi config set {TASK_LOGS_ACCESS_MODE.full} ReadWriteMany, with a class for it in "
            f"{TASK_LOGS_STORAGE_CLASS.full}; or pulumi config set {TASK_LOGS_CLAIM.full} CLAIM",
        )
