"""Everything that decides the Helm values of the release. No field holds a secret, only names of Secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.aws.pod_identity import PodRole
from components.chart_values.release_settings import ReleaseSettings
from components.task_logs.remote import RemoteLogs
from components.task_logs.store import TaskLogStore


@dataclass(frozen=True, kw_only=True)
class KeySecrets:
    """Names of the Secrets with the keys."""

    fernet_key: pulumi.Input[str]
    """Secret with the Fernet key of the database."""
    worker_key: pulumi.Input[str]
    """Secret with the Fernet key of workers and task pods."""
    api_secret_key: pulumi.Input[str]
    """Secret with the API secret key."""
    jwt_secret: pulumi.Input[str]
    """Secret with the JWT secret that signs."""
    jwt_key_id: pulumi.Input[str] | None
    """Secret with the id of that secret, or None: tokens then have no id."""
    jwks: pulumi.Input[str] | None
    """Secret with the JWT secrets that the API server accepts, or None: it then accepts what it would sign itself."""
    redis_password: pulumi.Input[str]
    """Secret with the Redis password."""


@dataclass(frozen=True, kw_only=True)
class ConnectionSecrets:
    """Names of the Secrets with connections. broker and result_backend: with Celery; the others: with PgBouncer."""

    metadata: pulumi.Input[str]
    broker: pulumi.Input[str] | None = None
    result_backend: pulumi.Input[str] | None = None
    pgbouncer_config: pulumi.Input[str] | None = None
    pgbouncer_stats: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class DagAccess:
    """How pods fetch DAGs; empty for git-sync from a public repository."""

    ssh_key_secret: pulumi.Input[str] | None = None
    """Secret with the SSH key, for git-sync over SSH."""
    known_hosts: str | None = None
    """Trusted host keys, for git-sync over SSH."""
    credentials_secret: pulumi.Input[str] | None = None
    """Secret with user name and token, for git-sync over HTTPS."""
    git_sync_env: tuple[dict[str, Any], ...] = ()
    """Further variables of git-sync."""
    git_sync_mounts: tuple[dict[str, Any], ...] = ()
    """Further mounts of git-sync, of `volumes`."""
    bundle_config: tuple[dict[str, Any], ...] = ()
    """The chart's `dagBundleConfigList`, for GitDagBundle."""
    env: tuple[dict[str, Any], ...] = ()
    """Variables of the containers that load DAGs, for GitDagBundle."""
    volumes: tuple[dict[str, Any], ...] = ()
    """Volumes of the pods that load DAGs."""
    volume_mounts: tuple[dict[str, Any], ...] = ()
    """Mounts of these volumes in the containers that load DAGs, for GitDagBundle."""
    in_triggerer: bool = True
    """Whether the triggerer has them too. It clones no bundle; a single one is there as it always was."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """How people log in to the UI, where it is not by password."""

    server_config: str
    """The API server's `webserver_config.py`, as a template of the chart."""
    client_secret: pulumi.Input[str]
    """Secret with the secret of the OpenID Connect client."""


@dataclass(frozen=True, kw_only=True)
class ReleaseInputs(ReleaseSettings):
    """Everything that decides the values: the settings, and the names of what the program makes."""

    keys: KeySecrets
    """Secrets with the keys."""
    connections: ConnectionSecrets
    """Secrets with the connections."""
    dag_access: DagAccess
    """How pods fetch the DAGs."""
    task_log_claim: pulumi.Input[str] | None
    """Claim of the shared log volume, or None if each worker keeps its own logs, or S3 does."""
    own_redis: bool = True
    """Whether the chart's Redis runs with Celery, and not one outside the stack."""
    release_name: str = "airflow"
    """Value of the chart's label `release` on every pod."""
    pod_roles: Mapping[str, PodRole] = field(default_factory=dict)
    """IAM roles of pods, by the part of their service account's name after the release's; empty outside of AWS."""
    remote_logs: RemoteLogs | None = None
    """Where task logs are outside the cluster; required with task logs s3 or remote, and only then."""
    login: Login | None = None
    """How people log in to the UI, or None for a password."""
    connection_variables: tuple[dict[str, Any], ...] = ()
    """Variables with connections and variables of Airflow, for the server components."""
    client_certificate: str | None = None
    """Secret with the certificate by which pods log in to the database, or None."""
    database_ca: pulumi.Input[str] | None = None
    """ConfigMap with the database's CA certificates (`ca.crt`, at most 128 KiB), or None if nothing is verified."""

    def __post_init__(self) -> None:
        """Raise ValueError for task logs outside the cluster without a place, and for a place with other task logs."""
        outside = self.task_logs.store in (TaskLogStore.S3, TaskLogStore.REMOTE)
        if outside != (self.remote_logs is not None):
            raise ValueError(
                f"remote_logs: must be set with task logs s3 or remote and only then, found {self.task_logs.store}"
            )

    @property
    def most_workers(self) -> int:
        """The largest number of default workers."""
        return max(self.scale.worker, self.autoscaling.max_workers if self.autoscaling else 0)

    @property
    def direct_ca(self) -> pulumi.Input[str] | None:
        """The ConfigMap for Airflow's own pods; None with PgBouncer, which then connects to the database for them."""
        return None if self.pgbouncer else self.database_ca

    @property
    def direct_client(self) -> str | None:
        """The Secret with the certificate for Airflow's own pods; None with PgBouncer, which then connects for them."""
        return None if self.pgbouncer else self.client_certificate
