"""Backups of the metadata database: where they are kept, and the pods that make, restore and check them.

`python -m automation backup`, `restore` and `drill` run these pods. The program only says what they are, so that they
have what every Job of the stack has: its images, placement, labels, network policy and security context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.aws.pod_identity import PodRole
from components.database.backup_bucket import (
    ACCOUNT,
    CONNECTION_VARIABLE,
    FOLDER_VARIABLE,
    LABELS,
    POLICY_NAME,
    BackupBucket,
    BackupRole,
    dump_policy,
)
from components.database.backup_scripts import bucket_command, database_command
from components.database.job_template import DatabaseJob
from components.database.migration import MIGRATION_LABELS
from components.kube.env import AUTH_MANAGER, NO_DATABASE_CHECK, fernet_key, variable
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.kube.pod_security import AIRFLOW_UID, followed, pod_security_context

TYPE: Final = "airflow:index:DatabaseBackups"
FOLDER: Final = "/backups"
DATABASE_CONTAINER: Final = "database"
"""The container of the pod `transfer` that dumps and restores."""
BUCKET_CONTAINER: Final = "bucket"
"""The one beside it, which stores and fetches."""

_LATE_SECONDS: Final = 3600
"""A backup that could not begin for so long is left out."""
_LONGEST_SECONDS: Final = 6 * 3600


@dataclass(frozen=True, kw_only=True)
class DatabaseBackupsArgs:
    """Arguments of `DatabaseBackups`."""

    namespace: pulumi.Input[str]
    """Namespace of the claim."""
    storage_gib: int
    """Size of the volume in GiB. 0 only with a bucket, and for `reading_pod`."""
    protect: bool
    """Whether to refuse to delete the volume."""
    bucket: BackupBucket | None = None
    """The bucket, None for a volume."""
    job: DatabaseJob
    """What all pods have in common."""
    postgres_image: str
    """Reference of an official `postgres` image, or of its mirror, that is not older than the server."""
    fernet_key_secret: pulumi.Input[str]
    """Name of the Secret with the Fernet key."""
    schedule: str = ""
    """When a backup is made, as a CronJob takes it, UTC; "" for never."""
    retention_days: int = 30
    """Age in days at which a scheduled backup deletes earlier ones, 0 for never."""
    suspended: bool = False
    """Whether no backup is made for now, because the database does not run."""


class DatabaseBackups(pulumi.ComponentResource):
    """The place for dumps of the metadata database, and a CronJob that makes them.

    In a volume, or in a bucket with a service account and an IAM role for the pods that reach it.

    Raises: ValueError for irsa with a cluster that has no OIDC issuer.
    Replaces: nothing; a larger size grows the volume if its storage class allows.
    Survives a destroy: what is in the bucket, whose own component says what becomes of it. The volume is deleted with
    its claim, unless `protect` is set.
    """

    pods: dict[str, Any]
    """Metadata and spec of the pods, without commands: `database` in the PostgreSQL image, `airflow` in Airflow's, and
    with a bucket `transfer` with a container of each."""

    def __init__(self, name: str, args: DatabaseBackupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.pods = {"database": _database_pod(args), "airflow": reading_pod(args)}
        ready: tuple[pulumi.Resource, ...] = ()
        if args.bucket is None:
            claim = _claim(name, args, pulumi.ResourceOptions(parent=self, protect=args.protect))
            _mount(self.pods["database"]["spec"], claim.name, args.job.pod.security)
            scheduled = _with_commands(
                self.pods["database"], airflow=database_command("scheduled", str(args.retention_days))
            )
        else:
            ready = _reached(name, args, args.bucket, child)
            self.pods["transfer"] = _transfer_pod(args, args.bucket)
            scheduled = _with_commands(
                self.pods["transfer"],
                database=database_command("send"),
                bucket=bucket_command("store", "", str(args.retention_days)),
            )
        if args.schedule:
            KubeObject(
                "batch/v1",
                "CronJob",
                name,
                {"metadata": object_metadata(args.namespace), "spec": _schedule(args, scheduled)},
                pulumi.ResourceOptions(parent=self, depends_on=[*ready]),
            )
        self.register_outputs({} if args.bucket else {"claim": claim.name})


def _claim(name: str, args: DatabaseBackupsArgs, opts: pulumi.ResourceOptions) -> KubeObject:
    return KubeObject(
        "v1",
        "PersistentVolumeClaim",
        name,
        {
            # Bound when the first pod is scheduled; waiting here would never end.
            "metadata": object_metadata(args.namespace, skip_await=True),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": f"{args.storage_gib}Gi"}},
            },
        },
        opts,
    )


def _reached(
    name: str, args: DatabaseBackupsArgs, bucket: BackupBucket, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Resource, ...]:
    """Make the service account of the pods and its role. Return what must exist before such a pod starts."""
    annotations: dict[str, Any] = {}
    ready: tuple[pulumi.Resource, ...] = bucket.after
    if bucket.role is not None:
        role, made = _role(args, bucket, bucket.role, opts)
        annotations, ready = role.annotations, (*ready, *made)
    account = KubeObject(
        "v1",
        "ServiceAccount",
        name,
        {
            # Its name is in the role's trust, so it is given.
            "metadata": {**object_metadata(args.namespace, annotations=annotations), "name": ACCOUNT},
            "automountServiceAccountToken": False,
        },
        opts,
    )
    return (*ready, account)


def _role(
    args: DatabaseBackupsArgs, bucket: BackupBucket, role: BackupRole, opts: pulumi.ResourceOptions
) -> tuple[PodRole, tuple[pulumi.Resource, ...]]:
    # Imported here, because only stacks in AWS need the AWS SDK, which loads slowly.
    from components.aws.pod_role import PodRoleArgs, pod_role

    policy = pulumi.Output.all(bucket.folder, role.key).apply(
        lambda known: dump_policy(known[0], role.cluster, known[1])
    )
    made = pod_role(
        role.name,
        PodRoleArgs(
            cluster=role.cluster,
            namespace=args.namespace,
            accounts={ACCOUNT: role.name},
            identity=role.identity,
            description=f"Lets backups of Airflow on the EKS cluster {role.cluster.name} store and read dumps",
            inline=(POLICY_NAME, policy),
            permissions_boundary=role.permissions_boundary,
        ),
        opts,
    )
    return made.role, made.ready


def _with_commands(pod: dict[str, Any], **commands: list[str]) -> dict[str, Any]:
    """Return a pod with the commands of its containers, by their names."""
    spec = pod["spec"]
    containers = [with_command(container, commands[container["name"]]) for container in spec["containers"]]
    return {**pod, "spec": {**spec, "containers": containers}}


def with_command(container: Mapping[str, Any], command: Sequence[str]) -> dict[str, Any]:
    """Return a container with its command. Those that have `args` keep the entry point of Airflow's image.

    That sets up the user and the paths; the one of PostgreSQL's image begins a server.
    """
    return {**container, "args" if "args" in container else "command": list(command)}


def _schedule(args: DatabaseBackupsArgs, pod: dict[str, Any]) -> Any:
    return {
        "schedule": args.schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "suspend": args.suspended,
        "startingDeadlineSeconds": _LATE_SECONDS,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {
            "spec": {"backoffLimit": 2, "activeDeadlineSeconds": _LONGEST_SECONDS, "template": pod},
        },
    }


def _database_pod(args: DatabaseBackupsArgs, labels: Mapping[str, str] = MIGRATION_LABELS) -> dict[str, Any]:
    # The pod bears the labels of the migration, so it may reach the database and nothing else.
    pod = args.job.template(labels, [])
    [container] = pod["spec"]["containers"]
    del container["args"]
    container["image"] = args.postgres_image
    return pod


def _mount(spec: dict[str, Any], claim: pulumi.Input[str], security: Mapping[str, Any]) -> None:
    [container] = spec["containers"]
    container["volumeMounts"] = [*container.get("volumeMounts", ()), {"name": "backups", "mountPath": FOLDER}]
    spec["volumes"] = [*spec.get("volumes", ()), {"name": "backups", "persistentVolumeClaim": {"claimName": claim}}]
    spec["securityContext"] = followed(pod_security_context(AIRFLOW_UID, gid=0, fs_group=0), security)


def _transfer_pod(args: DatabaseBackupsArgs, bucket: BackupBucket) -> dict[str, Any]:
    """Return the pod with a container that dumps or restores, and one that reaches the bucket, but not the database."""
    pod = _database_pod(args, LABELS)
    [database] = pod["spec"]["containers"]
    database["name"] = DATABASE_CONTAINER
    variables = [
        variable(FOLDER_VARIABLE, bucket.folder),
        variable(CONNECTION_VARIABLE, bucket.connection_id),
        NO_DATABASE_CHECK,
        *map(dict, bucket.variables),
    ]
    own = {entry["name"] for entry in variables}
    beside = {
        **database,
        "name": BUCKET_CONTAINER,
        "image": args.job.images.airflow,
        "args": [],
        "env": [*variables, *(dict(entry) for entry in args.job.pod.env if entry["name"] not in own)],
    }
    pod["spec"]["containers"].append(beside)
    pod["spec"]["serviceAccountName"] = ACCOUNT
    return pod


def reading_pod(args: DatabaseBackupsArgs) -> dict[str, Any]:
    """Return metadata and spec of the pod in Airflow's image that looks at a restored database, without a command."""
    more = [fernet_key(args.fernet_key_secret), variable("AIRFLOW__CORE__AUTH_MANAGER", AUTH_MANAGER)]
    return args.job.template(MIGRATION_LABELS, [], more)
