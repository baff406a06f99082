"""How the pods of a platform get rights in AWS: the log bucket with its roles, and the roles of tasks.

Each role follows the service accounts that pods really have: the default workers, task pods and the triggerer share
one; the API server, which only reads logs, has its own; and so does each group of workers. Where secrets are in AWS,
API server, DAG processor and triggerer each have a role of their own, and workers share none of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pulumi

from components.aws.pod_identity import PodRole
from components.chart_values.worker_group import WorkerGroup
from components.connections.secrets_backend import ACCOUNTS, POLICY_NAME, secrets_policy
from components.database.backup_bucket import FOLDER as DUMPS
from components.database.backup_bucket import BackupStore
from components.platform_args import AirflowPlatformArgs
from components.release.airflow_release import RELEASE_NAME
from components.task_logs.remote import RemoteLogs, remote_logs
from components.task_logs.store import TaskLogStore

READERS: Final = ("api-server",)
"""Accounts of pods that read task logs, by the part of their names after the release's."""
TASKS: Final = ("triggerer", "worker")
"""Accounts of pods that run code of DAGs and write logs; task pods run as `worker`. The DAG processor does neither."""


@dataclass(frozen=True, kw_only=True)
class AwsAccess:
    """How the pods of a stack reach AWS, and the resources that must exist first."""

    remote_logs: RemoteLogs | None = None
    """Where outside the cluster task logs are, or None if they are in it."""
    roles: Mapping[str, PodRole] = field(default_factory=dict)
    """IAM roles of pods, by the part of their service account's name after the release's."""
    ready: tuple[pulumi.Resource, ...] = ()
    """Resources that must exist before a pod starts."""
    log_bucket: pulumi.Output[str] | None = None
    """Name of the bucket that was made for task logs, or None."""
    log_key: pulumi.Output[str] | None = None
    """ARN of its KMS key, or None."""
    log_bucket_ready: tuple[pulumi.Resource, ...] = ()
    """The resources that must exist before anything is stored in it."""


def has_roles(args: AirflowPlatformArgs) -> bool:
    """Whether any pod gets a role."""
    given = bool(args.task_policy_arns) or bool(_groups_with_role(args)) or args.secrets_prefix is not None
    return args.task_logs.store is TaskLogStore.S3 or given


def aws_access(platform: pulumi.Resource, name: str, args: AirflowPlatformArgs) -> AwsAccess:
    """Make the bucket and the roles that `args` ask for, as children of the platform, whose name is `name`.

    Raises ValueError without a place in AWS.
    """
    place = args.task_logs.place
    remote = None if place is None else remote_logs(place, args.aws.cluster.region if args.aws else None)
    if not has_roles(args):
        return AwsAccess(remote_logs=remote)
    if args.aws is None:
        raise ValueError("aws: must be set, because pods have roles in AWS, found none")
    # Imported here, because only stacks in AWS need the AWS SDK, which loads slowly.
    from components.aws import task_roles
    from components.task_logs import bucket as task_logs

    cluster, child = args.aws.cluster, pulumi.ResourceOptions(parent=platform)
    logs_name, tasks_name = f"{name}-task-logs", f"{name}-task-roles"
    roles: dict[str, PodRole] = {}
    ready: tuple[pulumi.Resource, ...] = ()
    log_policy = log_bucket = log_key = None
    configured: tuple[pulumi.Resource, ...] = ()
    secrets = None
    if args.secrets_prefix is not None:
        secrets = (POLICY_NAME, secrets_policy(args.secrets_prefix, cluster.region, cluster.account_id))
    # What reads secrets has a role of its own.
    tasks = TASKS if secrets is None else tuple(task for task in TASKS if task not in ACCOUNTS)
    if args.task_logs.store is TaskLogStore.S3:
        bucket = task_logs.TaskLogBucket(
            logs_name,
            task_logs.TaskLogBucketArgs(
                cluster=cluster,
                namespace=args.namespace,
                writers=tuple(map(_account, tasks)),
                readers=tuple(map(_account, READERS)),
                retention_days=args.task_logs_retention_days,
                protect=args.protect,
                identity=args.pod_identity,
                policy_arns=args.task_policy_arns,
                secrets=secrets,
                permissions_boundary=args.aws.permissions_boundary,
                earlier_parent=pulumi.create_urn(tasks_name, task_roles.TYPE, platform),
                dumps=DUMPS if args.backup_store is BackupStore.BUCKET else None,
            ),
            child,
        )
        remote = RemoteLogs(folder=bucket.folder, region=cluster.region)
        log_bucket, log_key, configured = bucket.bucket, bucket.key, bucket.configured
        log_policy = (task_logs.POLICY_NAME, bucket.log_policy)
        roles |= dict.fromkeys(READERS, bucket.read_role) | dict.fromkeys(tasks, bucket.write_role)
        ready += bucket.ready
    wanted: dict[str, task_roles.TaskRole] = {}
    accounts: dict[str, tuple[str, ...]] = {}
    for group in _groups_with_role(args):
        role_name = f"{name}-tasks-{group.name}"
        wanted[role_name] = task_roles.TaskRole(
            associations={_account(group.account): role_name}, policy_arns=_policies(group, args)
        )
        accounts[role_name] = (group.account,)
    if log_policy is None and args.task_policy_arns:
        wanted[f"{name}-tasks"] = task_roles.TaskRole(
            # Named as with a bucket, so that a stack whose logs move keeps them.
            associations={_account(task): f"{logs_name}-{_account(task)}" for task in tasks},
            policy_arns=args.task_policy_arns,
            earlier_parent=pulumi.create_urn(logs_name, task_logs.TYPE, platform),
        )
        accounts[f"{name}-tasks"] = tasks
    for account in ACCOUNTS if secrets is not None else ():
        if account in roles:
            continue  # the role by which it reads logs
        role_name = f"{name}-tasks-{account}.secrets"  # no group of workers has a dot in its name
        wanted[role_name] = task_roles.TaskRole(
            associations={_account(account): f"{logs_name}-{_account(account)}"},
            policy_arns=args.task_policy_arns if account in TASKS else (),
            earlier_parent=pulumi.create_urn(logs_name, task_logs.TYPE, platform),
            writes_logs=account in TASKS,
            secrets=secrets,
        )
        accounts[role_name] = (account,)
    if wanted:
        made = task_roles.TaskRoles(
            tasks_name,
            task_roles.TaskRolesArgs(
                cluster=cluster,
                namespace=args.namespace,
                identity=args.pod_identity,
                roles=wanted,
                log_policy=log_policy,
                permissions_boundary=args.aws.permissions_boundary,
            ),
            child,
        )
        for role_name, role in made.roles.items():
            roles |= dict.fromkeys(accounts[role_name], role)
        ready += made.ready
    return AwsAccess(
        remote_logs=remote,
        roles=roles,
        ready=ready,
        log_bucket=log_bucket,
        log_key=log_key,
        log_bucket_ready=configured,
    )


def _account(suffix: str) -> str:
    return f"{RELEASE_NAME}-{suffix}"


def _policies(group: WorkerGroup, args: AirflowPlatformArgs) -> tuple[str, ...]:
    return args.task_policy_arns if group.policy_arns is None else group.policy_arns


def _groups_with_role(args: AirflowPlatformArgs) -> list[WorkerGroup]:
    with_logs = args.task_logs.store is TaskLogStore.S3
    return [group for group in args.worker_groups if with_logs or _policies(group, args)]
