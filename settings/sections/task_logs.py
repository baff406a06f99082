"""Where task logs are kept, and how pods reach them in S3."""

from __future__ import annotations

from dataclasses import dataclass

from components.aws.pod_identity import PodIdentity
from components.platform_args import AirflowPlatformArgs
from components.task_logs.store import AccessMode, TaskLogs, TaskLogStore
from settings.keys import Section
from settings.reading import Config
from settings.sections.cluster import AwsChoice, needs_aws
from settings.sections.executor import EXECUTOR

SECTION = Section("Task logs")

TASK_LOGS = SECTION.choice(
    "taskLogs",
    TaskLogStore,
    default=TaskLogStore.VOLUME,
    description="volume (one for all pods; a log outlives its pod), worker (one for each Celery worker), or s3 (a "
    "bucket that the stack makes; needs eksCluster).",
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
    description="Of the shared log volume. ReadWriteOnce is for a cluster of one node.",
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
    store = config[TASK_LOGS]
    if config[EXECUTOR].kubernetes and store is TaskLogStore.WORKER:
        config.problem(
            TASK_LOGS,
            "expected volume or s3 with KubernetesExecutor, found worker: a task's log would go with its pod",
            f"pulumi config set {TASK_LOGS.full} volume",
        )
    if store is TaskLogStore.S3:
        needs_aws(config, aws, TASK_LOGS, "the bucket is")
    return TaskLogChoice(
        logs=TaskLogs(
            store=store, storage_gib=config[TASK_LOGS_STORAGE_GIB], access_mode=config[TASK_LOGS_ACCESS_MODE]
        ),
        retention_days=config[TASK_LOGS_RETENTION_DAYS],
        identity=config[POD_IDENTITY],
    )
