"""Where task logs are, and how pods reach them in S3."""

from __future__ import annotations

from dataclasses import dataclass

from components.aws.pod_identity import PodIdentity
from components.release.executor import Executor
from components.task_logs.store import AccessMode, TaskLogs, TaskLogStore
from settings.reader import PROJECT, Reader
from settings.sections.aws import AwsChoice, needs_aws


@dataclass(frozen=True, kw_only=True)
class TaskLogChoice:
    """logs: where they are. retention_days, identity: of logs in S3."""

    logs: TaskLogs
    retention_days: int
    identity: PodIdentity


def read_task_logs(read: Reader, aws: AwsChoice | None, executor: Executor) -> TaskLogChoice:
    """The keys taskLogs… and podIdentity."""
    store = read.choice("taskLogs", TaskLogStore)
    logs = TaskLogs(
        store=store,
        storage_gib=read.integer("taskLogsStorageGib", 1, 65536),
        access_mode=read.choice("taskLogsAccessMode", AccessMode),
    )
    if executor.kubernetes and store is TaskLogStore.WORKER:
        read.problem(
            "taskLogs",
            "expected volume or s3 with KubernetesExecutor, found worker: a task's log would go with its pod",
            f"pulumi config set {PROJECT}:taskLogs volume",
        )
    if store is TaskLogStore.S3:
        needs_aws(read, aws, "taskLogs", "the bucket is")
    return TaskLogChoice(
        logs=logs,
        retention_days=read.integer("taskLogsRetentionDays", 1, 3650),
        identity=read.choice("podIdentity", PodIdentity),
    )
