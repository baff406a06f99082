"""The backups of a platform: where they are kept, and the pods that make, restore and check them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi

from components.aws_access import AwsAccess
from components.database.backup_bucket import FOLDER, BackupBucket, BackupRole, BackupStore, folder_beside
from components.database.backups import DatabaseBackups, DatabaseBackupsArgs, reading_pod
from components.database.rds_settings import ManagedDatabase
from components.platform_args import AirflowPlatformArgs
from components.task_logs.remote import remote_log_variables


def backup_pods(
    platform: pulumi.Resource, name: str, args: AirflowPlatformArgs, backups: DatabaseBackupsArgs, in_aws: AwsAccess
) -> dict[str, Any]:
    """Register the place for dumps, and return the pods that make, restore and check backups; none without backups.

    Args:
        platform: The platform.
        name: Its name.
        args: Its arguments.
        backups: What does not depend on the place.
        in_aws: Where its task logs are, and the bucket that it made for them.

    Raises:
        ValueError: Dumps go to a bucket, and there is none.
    """
    backups = replace(backups, bucket=_bucket(name, args, in_aws))
    if backups.bucket or args.backup_storage_gib:
        return DatabaseBackups(f"{name}-backups", backups, pulumi.ResourceOptions(parent=platform)).pods
    return {"airflow": reading_pod(backups)} if isinstance(args.database, ManagedDatabase) else {}


def _bucket(name: str, args: AirflowPlatformArgs, in_aws: AwsAccess) -> BackupBucket | None:
    if args.backup_store is not BackupStore.BUCKET:
        return None
    logs, place = in_aws.remote_logs, args.task_logs.place
    if logs is None:
        raise ValueError("backup_store: expected a bucket of the task logs with bucket, found none")
    given = place is not None and place.connection_secret is not None
    folder = folder_beside(place.url) if place else pulumi.Output.concat("s3://", in_aws.log_bucket or "", "/", FOLDER)
    role = None
    if args.aws is not None and not given:
        role = BackupRole(
            name=f"{name}-task-logs-{FOLDER}",
            cluster=args.aws.cluster,
            identity=args.pod_identity,
            key=in_aws.log_key,
            permissions_boundary=args.aws.permissions_boundary,
        )
    return BackupBucket(
        folder=folder,
        connection_id=logs.connection_id,
        variables=tuple(remote_log_variables(logs)),
        role=role,
        after=in_aws.log_bucket_ready,
    )
