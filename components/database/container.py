"""PostgreSQL for a laptop: one container with a volume, for data that may be lost.

The chart's sub-chart is not used: the migration must run before the release, the sub-chart's image comes from an
archive, and with this component `dev` and `prod` reach their databases in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.database.connection import Database, SslMode
from components.keys.generated_password import generated_password
from components.kube.beginning import Beginning
from components.kube.immutable_secret import immutable_secret
from components.kube.kube_object import KubeObject
from components.kube.metadata import LABELS, object_metadata
from components.kube.pod_security import CONTAINER, POSTGRES_UID, pod_security_context, without_ids

TYPE: Final = "airflow:index:PostgresContainer"

PORT: Final = 5432
NAME: Final = "airflow"
"""Name of the database."""
POD_LABELS: Final = {"tier": "airflow", "component": "postgres"}
_PASSWORD_LENGTH = 40
_READY_TIMEOUT = "5m"


@dataclass(frozen=True, kw_only=True)
class PostgresContainerArgs:
    """Arguments of `PostgresContainer`."""

    namespace: pulumi.Input[str]
    """Namespace of all objects."""
    image: str
    """Reference of an official `postgres` image, or of its mirror."""
    pull_policy: str
    """Kubernetes `imagePullPolicy`."""
    pull_secrets: tuple[pulumi.Input[str], ...]
    """Names of Secrets with registry credentials."""
    storage_gib: int
    """Size of the volume in GiB."""
    protect: bool
    """Whether to refuse to delete the password and the volume."""
    security: Mapping[str, Any] = field(default_factory=dict)
    """What a team says of the security context of all pods: a user or group that is null is left to the cluster."""
    placement: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the pod's spec that decide on its node, such as `tolerations`."""
    runs: bool = True
    """Whether the server runs. Its volume stays without it."""
    role: str | None = None
    """Role that a rotation has made in the database, by which Airflow logs in; None while it is the owner."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that must exist before the server starts."""


class PostgresContainer(pulumi.ComponentResource):
    """One PostgreSQL server and the volume that holds its data.

    Raises: ValueError in a preview and an update that would make a volume, if `role` is given: no new database has it.
    The update fails if the server is not ready within five minutes.
    Replaces: nothing. Another image or memory size restarts the container on the same volume. A new major version
    cannot read the old version's files: dump and restore the data, or start with a new stack.
    Survives a destroy: nothing, unless `protect` is set. The volume is deleted with its claim.
    """

    database: Database
    """How to connect; the password is secret."""
    server: KubeObject
    """The server; Pulumi waits until it is ready."""
    begun: pulumi.Output[bool]
    """Resolves when a new server starts, or when an existing one is ready. A Job that waits for the server itself may
    start then. It never runs while a server that holds data is changed."""

    def __init__(self, name: str, args: PostgresContainerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=args.protect)

        password = generated_password(f"{name}-password", _PASSWORD_LENGTH, kept)
        secret = immutable_secret(name, args.namespace, {"password": password}, child)

        # The claim is separate from the StatefulSet, so that the data survives a replacement of the StatefulSet.
        claim = KubeObject(
            "v1",
            "PersistentVolumeClaim",
            f"{name}-data",
            {
                # Kind's storage class binds the claim only when the pod is scheduled: waiting here would never end.
                "metadata": object_metadata(args.namespace, POD_LABELS, skip_await=True),
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": f"{args.storage_gib}Gi"}},
                },
            },
            kept if args.role is None else pulumi.ResourceOptions.merge(kept, _never_new(name, args.role)),
        )
        service = KubeObject(
            "v1",
            "Service",
            name,
            {
                # Pulumi would wait for a pod behind the Service, but the pod is created after it.
                "metadata": object_metadata(args.namespace, POD_LABELS, skip_await=True),
                "spec": {
                    "selector": POD_LABELS,
                    "ports": [{"name": "postgresql", "port": PORT, "targetPort": PORT}],
                },
            },
            child,
        )
        created = Beginning(f"{name}-begins")
        self.server = KubeObject(
            "apps/v1",
            "StatefulSet",
            name,
            {
                "metadata": object_metadata(args.namespace, POD_LABELS),
                "spec": _server(args, service.name, secret, claim.name),
            },
            pulumi.ResourceOptions(
                parent=self,
                depends_on=args.after,
                # Two servers on one volume would destroy it.
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create=_READY_TIMEOUT, update=_READY_TIMEOUT),
                hooks=pulumi.ResourceHookBinding(before_create=[created.hook]),
            ),
        )
        self.begun = created.or_registered(self.server)

        self.database = Database(
            host=service.name,
            port=PORT,
            name=NAME,
            user="airflow",
            password=password,
            ssl_mode=SslMode.PREFER,
        )
        self.register_outputs({"host": service.name, "port": PORT})


def _never_new(name: str, role: str) -> pulumi.ResourceOptions:
    """Return options of a volume that must hold a role already: the migration would only say that it cannot log in."""

    def before_create(hook: pulumi.ResourceHookArgs) -> None:
        stack = hook.urn.removeprefix("urn:pulumi:").partition("::")[0]
        raise ValueError(
            f"airflow:databaseLogin: expected none for a new database container, found the role {role}, which a "
            f"rotation made in another one. Fix: pulumi config rm --stack {stack} airflow:databaseLogin"
        )

    hook = pulumi.ResourceHook(f"{name}-has-role", before_create, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_create=[hook]))


def _server(
    args: PostgresContainerArgs, service: pulumi.Input[str], secret: pulumi.Input[str], claim: pulumi.Input[str]
) -> Any:
    """Return the spec of the StatefulSet."""
    probe = {"exec": {"command": ["pg_isready", "--username", "airflow", "--host", "127.0.0.1"]}}
    return {
        "replicas": 1 if args.runs else 0,
        "serviceName": service,
        # A pod with a broken image is replaced at once; by default Kubernetes waits until it is ready.
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": POD_LABELS},
        "template": {
            "metadata": {"labels": {**LABELS, **POD_LABELS}},
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "imagePullSecrets": [{"name": pull_secret} for pull_secret in args.pull_secrets],
                "securityContext": without_ids(
                    pod_security_context(POSTGRES_UID, gid=POSTGRES_UID, fs_group=POSTGRES_UID), args.security
                ),
                "containers": [
                    {
                        "name": "postgres",
                        "image": args.image,
                        "imagePullPolicy": args.pull_policy,
                        "securityContext": CONTAINER,
                        "env": [
                            {"name": "POSTGRES_USER", "value": "airflow"},
                            {"name": "POSTGRES_DB", "value": NAME},
                            {"name": "PGDATA", "value": "/var/lib/postgresql/data/pgdata"},
                            {
                                "name": "POSTGRES_PASSWORD",
                                "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}},
                            },
                        ],
                        "ports": [{"name": "postgresql", "containerPort": PORT}],
                        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 120},
                        "readinessProbe": {**probe, "periodSeconds": 5, "timeoutSeconds": 5},
                        "livenessProbe": {**probe, "periodSeconds": 10, "timeoutSeconds": 10},
                        "resources": {
                            "requests": {"cpu": "100m", "memory": "128Mi"},
                            "limits": {"memory": "1Gi"},
                        },
                        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/postgresql/data"}],
                    }
                ],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
                **args.placement,
            },
        },
    }
