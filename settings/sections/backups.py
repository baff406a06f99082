"""Where dumps of the database are kept, and when they are made by themselves."""

from __future__ import annotations

from components.database.backup_bucket import BackupStore
from components.task_logs.store import TaskLogs, TaskLogStore
from settings.errors import remove_command
from settings.reading import Config
from settings.sections.cluster import AwsChoice
from settings.sections.database import BACKUP_SCHEDULE, BACKUP_STORAGE_GIB, BACKUP_STORE, DUMP_RETENTION_DAYS
from settings.sections.task_logs import TASK_LOGS, TASK_LOGS_CONNECTION_SECRET, TASK_LOGS_URL


def read_backup_store(config: Config, logs: TaskLogs, aws: AwsChoice | None) -> BackupStore:
    """Return where dumps are kept. A bucket must be one that their pods can reach."""
    store = config[BACKUP_STORE]
    if store is not BackupStore.BUCKET:
        return store
    config.refuse_set((BACKUP_STORAGE_GIB,), f"with {BACKUP_STORE.full} bucket, which has no volume")
    if config.bad(TASK_LOGS, TASK_LOGS_URL, TASK_LOGS_CONNECTION_SECRET):
        return store
    volume = f"pulumi config set {BACKUP_STORE.full} volume, with its size in {BACKUP_STORAGE_GIB.full}"
    if logs.store not in (TaskLogStore.S3, TaskLogStore.REMOTE):
        config.problem(
            BACKUP_STORE,
            f"expected volume with {TASK_LOGS.full} {logs.store}, which has no bucket, found bucket",
            f"{volume}; or pulumi config set {TASK_LOGS.full} s3",
        )
    elif logs.place is not None and not logs.place.url.startswith("s3:"):
        config.problem(
            BACKUP_STORE,
            f"expected volume with {TASK_LOGS_URL.full} {logs.place.url}, found bucket: dumps go to S3, or to what "
            "speaks its API",
            volume,
        )
    elif logs.place is not None and logs.place.connection_secret is None and aws is None:
        config.problem(
            BACKUP_STORE,
            f"expected {TASK_LOGS_CONNECTION_SECRET.full} beside bucket without an EKS cluster, found none: the pods "
            "that store dumps would have no credentials",
            f"pulumi config set {TASK_LOGS_CONNECTION_SECRET.full} SECRET, or {remove_command(BACKUP_STORE)}",
        )
    return store


def read_backup_schedule(config: Config) -> str:
    """Return when backups are made, "" for never. There must be a place for them."""
    schedule = config[BACKUP_SCHEDULE]
    if not schedule and config.given(DUMP_RETENTION_DAYS) and not config.bad(BACKUP_SCHEDULE):
        config.must_not_be_set(DUMP_RETENTION_DAYS, f"without {BACKUP_SCHEDULE.full}, whose backups delete others")
    placed = config[BACKUP_STORE] is BackupStore.BUCKET or config[BACKUP_STORAGE_GIB]
    if schedule and not placed and not config.bad(BACKUP_STORAGE_GIB, BACKUP_STORE):
        config.problem(
            BACKUP_STORAGE_GIB,
            f"expected the size of a volume with {BACKUP_SCHEDULE.full}, found 0",
            f"pulumi config set {BACKUP_STORAGE_GIB.full} 10, or pulumi config set {BACKUP_STORE.full} bucket",
        )
    return schedule or ""
