"""Backups of the metadata database: the volume that holds them, and the pods that make, restore and check them.

`python -m automation backup`, `restore` and `drill` run these pods. The program only says what they are, so that they
have what every Job of the stack has: its images, placement, labels, network policy and security context.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.database.backup_scripts import database_command
from components.database.job_template import job_environment, job_template
from components.database.migration import MIGRATION_LABELS
from components.kube.env import AUTH_MANAGER, fernet_key, variable
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.kube.pod_security import AIRFLOW_UID, followed, pod_security_context

TYPE: Final = "airflow:index:DatabaseBackups"
FOLDER: Final = "/backups"

_LATE_SECONDS: Final = 3600
"""A backup that could not begin for so long is left out."""
_LONGEST_SECONDS: Final = 6 * 3600


@dataclass(frozen=True, kw_only=True)
class DatabaseBackupsArgs:
    """Arguments of `DatabaseBackups`."""

    namespace: pulumi.Input[str]
    """Namespace of the claim."""
    storage_gib: int
    """Size of the volume in GiB. 0 only for `reading_pod`."""
    protect: bool
    """Whether to refuse to delete the volume."""
    images: Images
    """The Airflow image, and how images are pulled."""
    postgres_image: str
    """Reference of an official `postgres` image, or of its mirror, that is not older than the server."""
    migration_secret: pulumi.Input[str]
    """Name of the Secret with the URIs that bypass PgBouncer."""
    fernet_key_secret: pulumi.Input[str]
    """Name of the Secret with the Fernet key."""
    schedule: str = ""
    """When a backup is made, as a CronJob takes it, UTC; "" for never."""
    retention_days: int = 30
    """Age in days at which a scheduled backup deletes earlier ones, 0 for never."""
    suspended: bool = False
    """Whether no backup is made for now, because the database does not run."""
    ca_config_map: pulumi.Input[str] | None = None
    """Name of the ConfigMap with the CA certificates of the database; None if nothing is verified."""
    pod: JobPod = field(default_factory=JobPod)
    """What a team says of the pods of Jobs."""


class DatabaseBackups(pulumi.ComponentResource):
    """A volume with dumps of the metadata database, and a CronJob that makes them.

    Raises: nothing of its own.
    Replaces: nothing; a larger size grows the volume if its storage class allows.
    Survives a destroy: nothing, unless `protect` is set. The volume is deleted with its claim.
    """

    pods: dict[str, Any]
    """Metadata and spec of the pods, without commands: `database` in the PostgreSQL image, `airflow` in Airflow's."""

    def __init__(self, name: str, args: DatabaseBackupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        claim = KubeObject(
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
            pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.pods = {"database": _database_pod(args, claim.name), "airflow": reading_pod(args)}
        if args.schedule:
            KubeObject(
                "batch/v1",
                "CronJob",
                name,
                {"metadata": object_metadata(args.namespace), "spec": _schedule(args, self.pods["database"])},
                pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"claim": claim.name})


def _schedule(args: DatabaseBackupsArgs, pod: dict[str, Any]) -> Any:
    """Return the CronJob's spec. pod: that of the database, without a command."""
    [container] = pod["spec"]["containers"]
    command = database_command("scheduled", str(args.retention_days))
    template = {**pod, "spec": {**pod["spec"], "containers": [{**container, "command": command}]}}
    return {
        "schedule": args.schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "suspend": args.suspended,
        "startingDeadlineSeconds": _LATE_SECONDS,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {
            "spec": {"backoffLimit": 2, "activeDeadlineSeconds": _LONGEST_SECONDS, "template": template},
        },
    }


def _database_pod(args: DatabaseBackupsArgs, claim: pulumi.Input[str]) -> dict[str, Any]:
    environment = job_environment(args.migration_secret, args.ca_config_map, args.pod)
    # By these labels the network policies of the migration let it reach the database, and nothing else.
    pod = job_template(args.images, MIGRATION_LABELS, [], environment, ca_config_map=args.ca_config_map, pod=args.pod)
    spec = pod["spec"]
    [container] = spec["containers"]
    del container["args"]
    container["image"] = args.postgres_image
    container["volumeMounts"] = [*container.get("volumeMounts", ()), {"name": "backups", "mountPath": FOLDER}]
    spec["volumes"] = [*spec.get("volumes", ()), {"name": "backups", "persistentVolumeClaim": {"claimName": claim}}]
    spec["securityContext"] = followed(pod_security_context(AIRFLOW_UID, gid=0, fs_group=0), args.pod.security)
    return pod


def reading_pod(args: DatabaseBackupsArgs) -> dict[str, Any]:
    """Return metadata and spec of the pod in Airflow's image that looks at a restored database, without a command."""
    more = [fernet_key(args.fernet_key_secret), variable("AIRFLOW__CORE__AUTH_MANAGER", AUTH_MANAGER)]
    environment = job_environment(args.migration_secret, args.ca_config_map, args.pod, more)
    return job_template(args.images, MIGRATION_LABELS, [], environment, ca_config_map=args.ca_config_map, pod=args.pod)
