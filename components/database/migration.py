"""Two Jobs of a deployment: migrate the database, and create what Airflow starts with: the admin user and pools.

The chart's own Jobs are not used. With Helm hooks, a release that waits is never ready: its pods wait for a migration
that runs only after the wait. Without hooks, the chart's Job has a fixed name and an immutable template, so that the
next image tag fails. A Job with a generated name has neither problem, and a failed migration stops everything that
depends on it while the old pods still run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pulumi

from components.connections.pools import IMPORT, Pool, pool_variables
from components.database.encrypted_values import SCRIPT as ENCRYPTED_VALUES
from components.database.job_template import TRIED_AGAIN, DatabaseJob
from components.kube.env import AUTH_MANAGER, NO_DATABASE_CHECK, fernet_key, from_secret, variable
from components.kube.job_pod import JobPod
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata

TYPE: Final = "airflow:index:DatabaseMigration"

MIGRATION_LABELS: Final = {"tier": "airflow", "component": "database-migration"}
ADMIN_USER_LABELS: Final = {"tier": "airflow", "component": "admin-user"}
_BACKOFF_LIMIT = 2
# It checks the key first: a stack that lost its keys, a database restored under another stack, or a key that was
# dropped too early would otherwise leave connections and variables that nobody can read from then on.
MIGRATE: Final = (
    "python",
    "-c",
    (Path(__file__).parent / "in_image" / "migration.py").read_text(encoding="utf-8"),
    ENCRYPTED_VALUES,
)
"""The command that migrates."""
_GONE_AT_ONCE: Final = {"pulumi.com/deletionPropagationPolicy": "background"}
"""The end of an update does not wait until the pod of its predecessor is gone too, which ended long ago."""
_ADMIN_USER_DEADLINE_SECONDS = 600
# `create` succeeds for an existing user, but does not change the password. Airflow asks for it twice, and reads the
# answers from its input: an argument would stand in the node's list of processes. With `=`, a value may begin with `-`.
_ADMIN_USER_SCRIPT = """\
set -euo pipefail
answers() { printf '%s\\n%s\\n' "$ADMIN_PASSWORD" "$ADMIN_PASSWORD"; }
created=$(answers | airflow users create --role Admin --username="$ADMIN_USERNAME" --email="$ADMIN_EMAIL" \\
  --firstname Airflow --lastname Admin 2>&1) || { echo "$created" >&2; exit 1; }
case $created in
  *"already exist"*) answers | airflow users reset-password --username="$ADMIN_USERNAME" ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class DatabaseMigrationArgs:
    """Arguments of `DatabaseMigration`."""

    namespace: pulumi.Input[str]
    """Namespace of the Jobs."""
    job: DatabaseJob
    """The settings of both Jobs."""
    admin_user_pod: JobPod | None = None
    """The values that a team gives to the admin user's pod, if they differ from those of `job`."""
    fernet_key_secret: pulumi.Input[str]
    """Name of the Secret with the Fernet key."""
    admin_username: str
    """User name of the admin."""
    admin_email: str
    """E-mail address of the admin."""
    admin_password_secret: pulumi.Input[str]
    """Name of the Secret with the admin password."""
    pools: tuple[Pool, ...] = ()
    """Pools that the Job of the admin user makes or changes."""
    timeout_seconds: int
    """Time after which the migration is stopped and fails, in seconds."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that must be ready before anything connects to the database."""


class DatabaseMigration(pulumi.ComponentResource):
    """A Job that runs `airflow db migrate` where it is needed, and a Job that creates the admin user.

    Each Job is kept until another replaces it. The migration first checks that the Fernet key decrypts what the
    database holds (`encrypted_values`). If the database already has every migration of the image, that is all.

    Raises: nothing of its own. The update fails when a Job fails, and shows the last lines of its log.
    Replaces: another image makes another migration Job. The admin user's Job follows the user name, the address, the
    password and the pools, never the image. A Job that has failed is made anew by the next update.
    Survives a destroy: the database and its user; the Jobs are deleted.
    """

    migration: KubeObject
    """The migration; it must succeed before any pod with a new image starts."""
    admin_user: KubeObject
    """The Job that creates the admin user or resets its password, and then imports the pools."""

    def __init__(self, name: str, args: DatabaseMigrationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        variables = [
            fernet_key(args.fernet_key_secret),
            variable("AIRFLOW__CORE__AUTH_MANAGER", AUTH_MANAGER),
            variable("AIRFLOW__CORE__LOAD_EXAMPLES", "False"),
        ]

        metadata = object_metadata(args.namespace, MIGRATION_LABELS, annotations={**_GONE_AT_ONCE, **TRIED_AGAIN})
        spec = _spec(
            args.job.template(MIGRATION_LABELS, MIGRATE, [*variables, NO_DATABASE_CHECK]), args.timeout_seconds
        )
        self.migration = KubeObject(
            "batch/v1",
            "Job",
            f"{name}-migrate",
            {"metadata": metadata, "spec": spec},
            pulumi.ResourceOptions(
                parent=self,
                depends_on=args.after,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{args.timeout_seconds + 30}s"),
            ),
        )
        create = ["bash", "-c", _ADMIN_USER_SCRIPT + (IMPORT if args.pools else "")]
        given = [
            variable("ADMIN_USERNAME", args.admin_username),
            variable("ADMIN_EMAIL", args.admin_email),
            from_secret("ADMIN_PASSWORD", args.admin_password_secret, "password"),
            *pool_variables(args.pools),
        ]
        job = replace(args.job, pod=args.admin_user_pod or args.job.pod)
        template = job.template(ADMIN_USER_LABELS, create, variables)
        template["spec"]["containers"][0]["env"] += given
        spec = _spec(template, _ADMIN_USER_DEADLINE_SECONDS)
        self.admin_user = KubeObject(
            "batch/v1",
            "Job",
            f"{name}-admin-user",
            {"metadata": object_metadata(args.namespace, ADMIN_USER_LABELS, annotations=TRIED_AGAIN), "spec": spec},
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[self.migration],
                ignore_changes=["spec.template.spec.containers[0].image"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{_ADMIN_USER_DEADLINE_SECONDS + 30}s"),
            ),
        )
        self.register_outputs({"migration_job": self.migration.name})


def _spec(template: Mapping[str, Any], deadline_seconds: int) -> Any:
    """Return a Job's spec, without a TTL: a refresh would find the Job gone, and the next update would run it again."""
    return {"backoffLimit": _BACKOFF_LIMIT, "activeDeadlineSeconds": deadline_seconds, "template": template}
