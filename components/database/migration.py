"""The two commands that a deployment runs once: migrate the database, and make the admin user.

Jobs of the program, not of the chart. With Helm hooks, a release that waits never becomes ready: its pods wait for a
migration that would run after the wait. Without hooks, the chart's Job has a fixed name and an immutable template, and
the next image tag fails. A Job with a generated name has neither fault, and a failed migration stops everything that
depends on it while the old pods still run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s

from components.database.access import database_variables
from components.database.connection import CA_FILE, CA_FOLDER
from components.database.fernet_check import FERNET_CHECK
from components.kube.env import AUTH_MANAGER, from_secret, variable
from components.kube.images import Images
from components.kube.metadata import LABELS, object_metadata
from components.kube.pod_security import AIRFLOW_UID, CONTAINER, pod_security_context

TYPE: Final = "airflow:index:DatabaseMigration"

MIGRATION_LABELS: Final = {"tier": "airflow", "component": "database-migration"}
ADMIN_USER_LABELS: Final = {"tier": "airflow", "component": "admin-user"}
_BACKOFF_LIMIT = 2
_MIGRATION_SCRIPT = 'set -e; python -c "$1"; exec airflow db migrate'
_ADMIN_USER_DEADLINE_SECONDS = 600
# An existing user keeps its old password with `create`, which succeeds all the same.
_ADMIN_USER_SCRIPT = """\
set -euo pipefail
created=$(airflow users create --role Admin --username "$ADMIN_USERNAME" --email "$ADMIN_EMAIL" \\
  --firstname Airflow --lastname Admin --password "$ADMIN_PASSWORD" 2>&1) || { echo "$created" >&2; exit 1; }
case $created in
  *"already exist"*) airflow users reset-password --username "$ADMIN_USERNAME" --password "$ADMIN_PASSWORD" ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class DatabaseMigrationArgs:
    """Arguments of `DatabaseMigration`.

    namespace: of the Jobs.
    images: the Airflow image that both Jobs run.
    migration_secret: Secret with the URIs straight to the database.
    fernet_key_secret: Secret with the Fernet key.
    ca_config_map: ConfigMap with the authorities that the database's certificate is verified against, or None.
    admin_username, admin_email: of the admin user.
    admin_password_secret: Secret with the admin password.
    timeout_seconds: the migration is stopped and fails after this.
    after: what must be ready before anything connects to the database.
    """

    namespace: pulumi.Input[str]
    images: Images
    migration_secret: pulumi.Input[str]
    fernet_key_secret: pulumi.Input[str]
    admin_username: str
    admin_email: str
    admin_password_secret: pulumi.Input[str]
    timeout_seconds: int
    ca_config_map: pulumi.Input[str] | None = None
    after: tuple[pulumi.Resource, ...] = ()


class DatabaseMigration(pulumi.ComponentResource):
    """`airflow db migrate`, then the admin user, each as a Job that is kept until another replaces it.

    The migration first looks whether the Fernet key reads what the database holds (`fernet_check`).

    Raises: nothing of its own. The update fails when a Job does, with the last lines of its log.
    Replaces: another image makes another migration Job. The admin user's Job follows the user name, the address and
    the password, never the image.
    Survives a destroy: the database and its user; the Jobs go.
    """

    migration: k8s.batch.v1.Job
    """What must have succeeded before any pod of a new image starts."""
    admin_user: k8s.batch.v1.Job

    def __init__(self, name: str, args: DatabaseMigrationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        environment = [
            *database_variables(args.migration_secret),
            from_secret("AIRFLOW__CORE__FERNET_KEY", args.fernet_key_secret, "fernet-key"),
            variable("AIRFLOW__CORE__AUTH_MANAGER", AUTH_MANAGER),
            variable("AIRFLOW__CORE__LOAD_EXAMPLES", "False"),
            # libpq and asyncpg both read it; a URI would have to name the file in a way of its own for each.
            *([variable("PGSSLROOTCERT", CA_FILE)] if args.ca_config_map is not None else []),
        ]
        migrate = ["bash", "-c", _MIGRATION_SCRIPT, "migrate", FERNET_CHECK]
        self.migration = k8s.batch.v1.Job(
            f"{name}-migrate",
            metadata=object_metadata(args.namespace, MIGRATION_LABELS),
            spec=_job(args, MIGRATION_LABELS, migrate, environment, args.timeout_seconds),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.after,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{args.timeout_seconds + 30}s"),
            ),
        )
        self.admin_user = k8s.batch.v1.Job(
            f"{name}-admin-user",
            metadata=object_metadata(args.namespace, ADMIN_USER_LABELS),
            spec=_job(
                args,
                ADMIN_USER_LABELS,
                ["bash", "-c", _ADMIN_USER_SCRIPT],
                [
                    *environment,
                    variable("ADMIN_USERNAME", args.admin_username),
                    variable("ADMIN_EMAIL", args.admin_email),
                    from_secret("ADMIN_PASSWORD", args.admin_password_secret, "password"),
                ],
                _ADMIN_USER_DEADLINE_SECONDS,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[self.migration],
                ignore_changes=["spec.template.spec.containers[0].image"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{_ADMIN_USER_DEADLINE_SECONDS + 30}s"),
            ),
        )
        self.register_outputs({"migration_job": self.migration.metadata.name})


def _job(
    args: DatabaseMigrationArgs,
    labels: dict[str, str],
    command: list[str],
    environment: list[dict[str, Any]],
    deadline_seconds: int,
) -> Any:
    """A Job's spec. No time to live: a refresh would find it gone and the next update would run it again."""
    ca: dict[str, Any] = {}
    ca_mount: dict[str, Any] = {}
    if args.ca_config_map is not None:
        ca = {"volumes": [{"name": "database-ca", "configMap": {"name": args.ca_config_map}}]}
        ca_mount = {"volumeMounts": [{"name": "database-ca", "mountPath": CA_FOLDER, "readOnly": True}]}
    return {
        "backoffLimit": _BACKOFF_LIMIT,
        "activeDeadlineSeconds": deadline_seconds,
        "template": {
            "metadata": {"labels": {**LABELS, **labels}},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "imagePullSecrets": [{"name": pull_secret} for pull_secret in args.images.pull_secrets],
                "securityContext": pod_security_context(AIRFLOW_UID, gid=0),
                "containers": [
                    {
                        "name": "airflow",
                        "image": args.images.airflow,
                        "imagePullPolicy": args.images.pull_policy,
                        # As arguments: the image's entry point adds the user and the paths.
                        "args": command,
                        "env": environment,
                        "securityContext": CONTAINER,
                        # The reason of a failure then stands in the pod's status, where the update can show it.
                        "terminationMessagePolicy": "FallbackToLogsOnError",
                        "resources": {
                            "requests": {"cpu": "100m", "memory": "512Mi"},
                            "limits": {"memory": "2Gi"},
                        },
                        **ca_mount,
                    }
                ],
                **ca,
            },
        },
    }
