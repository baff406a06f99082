"""The roles by which Airflow works in a managed database, so that nothing of Airflow logs in as its master user.

A role without a login owns the database, and every login acts as that owner (docs/adr/0034-logins-below-an-owner.md).
Only the pods here know the master's password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.database.access import CONNECTION_KEY, logged_in
from components.database.connection import Database, DatabaseLogins, metadata_uri
from components.database.job_template import TRIED_AGAIN, DatabaseJob
from components.database.migration import MIGRATION_LABELS
from components.database.roles_script import COMING, MASTER, roles_command
from components.kube.env import NO_DATABASE_CHECK, from_secret
from components.kube.immutable_secret import immutable_secret
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.kube.secret import secret_output

TYPE: Final = "airflow:index:DatabaseRoles"
_LABELS: Final = {"tier": "airflow", "component": "database-roles"}
_BACKOFF_LIMIT: Final = 2
_DEADLINE_SECONDS: Final = 600


@dataclass(frozen=True, kw_only=True)
class DatabaseRolesArgs:
    """Arguments of `DatabaseRoles`."""

    namespace: pulumi.Input[str]
    """Namespace of the Job."""
    job: DatabaseJob
    """What its pod has in common with the migration's."""
    master: Database
    """The database as its master user reaches it."""
    logins: DatabaseLogins
    """The roles to make."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that must be ready before anything connects to the database."""


class DatabaseRoles(pulumi.ComponentResource):
    """A Job that makes the roles, and the Secret with the master's password that it needs.

    Raises: nothing of its own. The update fails when the Job fails, and shows the last lines of its log.
    Replaces: another address, role or password makes another Job, and so does an update after it has failed. It follows
    no image.
    Survives a destroy: the roles; the Job is deleted.
    """

    job: KubeObject
    """The Job; it must succeed before a login is used."""
    pod: dict[str, Any]
    """Metadata and spec of the pod, without a command (see `roles_command`)."""

    def __init__(self, name: str, args: DatabaseRolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        def secret(role: str, database: Database) -> pulumi.Output[str]:
            uri = pulumi.Output.all(secret_output(database.password), database.host).apply(
                lambda p: metadata_uri(database.user, p[0], p[1], database.port, database.name, database.ssl_mode)
            )
            return immutable_secret(f"{name}-{role}", args.namespace, {CONNECTION_KEY: uri}, child)

        # The entry point would try the login that this Job has yet to make.
        more = [from_secret(MASTER, secret("master", args.master), CONNECTION_KEY), NO_DATABASE_CHECK]
        if args.logins.coming is not None:
            coming = secret("coming", logged_in(args.master, args.logins.coming))
            more.append(from_secret(COMING, coming, CONNECTION_KEY))

        def template(command: list[str]) -> dict[str, Any]:
            # It bears the labels of the migration's pod, so it may reach the database and nothing else.
            return args.job.template(MIGRATION_LABELS, command, more)

        self.pod = template([])
        spec = {
            "backoffLimit": _BACKOFF_LIMIT,
            "activeDeadlineSeconds": _DEADLINE_SECONDS,
            "template": template(roles_command("admit")),
        }
        # The database of a stack that is stopped runs too, and a restore makes another one of it.
        self.job = KubeObject(
            "batch/v1",
            "Job",
            name,
            {"metadata": object_metadata(args.namespace, _LABELS, annotations=TRIED_AGAIN), "spec": spec},
            pulumi.ResourceOptions(
                parent=self,
                depends_on=args.after,
                ignore_changes=["spec.template.spec.containers[0].image"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{_DEADLINE_SECONDS + 30}s"),
            ),
        )
        self.register_outputs({"job": self.job.name})
