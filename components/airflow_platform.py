"""All of Airflow on one cluster: the component that another Pulumi program embeds.

Composes the other components in their order: namespace, isolation, keys, database, connections, migration, release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s

import outputs
import versions
from components.airflow_keys import AirflowKeys, AirflowKeysArgs, GivenKeys
from components.airflow_release import (
    API_SERVER_SERVICE,
    RELEASE_NAME,
    SCHEDULER_SERVICE_ACCOUNT,
    AirflowRelease,
    AirflowReleaseArgs,
)
from components.dags import Dags, DagsDelivery
from components.database import Database
from components.database_access import DatabaseAccess, DatabaseAccessArgs
from components.database_migration import DatabaseMigration, DatabaseMigrationArgs
from components.executor import Executor
from components.git_bundle import GitBundle, GitBundleArgs
from components.git_ssh_key import GitSshKey, GitSshKeyArgs
from components.git_token import GitToken, GitTokenArgs
from components.image_pull_secret import ImagePullSecret, ImagePullSecretArgs
from components.images import POSTGRES_REPOSITORY, Images
from components.metadata import LABELS
from components.network_isolation import Isolation, NetworkIsolation, NetworkIsolationArgs
from components.network_policies import API_SERVER_PORT, DatabaseCidrs, DatabasePods, IsolationRules
from components.pgbouncer import PgBouncer
from components.postgres_container import POD_LABELS, PORT, PostgresContainer, PostgresContainerArgs
from components.secret import SecretInput
from components.task_logs import TaskLogs, TaskLogStore, TaskLogVolume, TaskLogVolumeArgs
from components.task_pod_access import TaskPodAccess, TaskPodAccessArgs
from components.values import ConnectionSecrets, DagAccess, KeySecrets, ReleaseInputs, Scale

TYPE: Final = "airflow:index:AirflowPlatform"


@dataclass(frozen=True, kw_only=True)
class ContainerDatabase:
    """A PostgreSQL container in the namespace. storage_gib: size of its volume."""

    storage_gib: int


@dataclass(frozen=True, kw_only=True)
class ExternalDatabase:
    """A database that exists. cidrs: where it is; only with network isolation."""

    database: Database
    cidrs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GitCredentials:
    """ssh_private_key and known_hosts: for an SSH repository. username and token: for a private HTTPS one."""

    ssh_private_key: SecretInput | None = None
    known_hosts: str | None = None
    username: str | None = None
    token: SecretInput | None = None


@dataclass(frozen=True, kw_only=True)
class IsolationArgs:
    """mode: whether policies are made, and whether verification insists. The others: see `IsolationRules`."""

    mode: Isolation
    egress_except: tuple[str, ...] = ()
    ui_namespaces: tuple[str, ...] = ()
    metrics_namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AirflowPlatformArgs:
    """Arguments of `AirflowPlatform`; `settings.py` makes them of a stack's config.

    kubeconfig, kube_context: the cluster of the provider that the component is given.
    namespace: to make, and to own whole.
    protect: refuse to delete or replace what holds data or keys.
    chart: path of the chart's archive, relative to the program.
    registry_credentials: a Docker config.json for the registries that images come from.
    The others are documented at their types.
    """

    kubeconfig: str | None
    kube_context: str
    namespace: str
    protect: bool
    chart: str
    executor: Executor
    dags: Dags
    database: ContainerDatabase | ExternalDatabase
    task_logs: TaskLogs
    isolation: IsolationArgs
    images: Images = field(default_factory=lambda: Images(tag=versions.AIRFLOW))
    registry_credentials: SecretInput | None = None
    airflow_version: str = versions.AIRFLOW
    git: GitCredentials = field(default_factory=GitCredentials)
    keys: GivenKeys = field(default_factory=GivenKeys)
    admin_username: str = "admin"
    admin_email: str = "admin@example.com"
    pgbouncer: PgBouncer | None = None
    migration_timeout_seconds: int = 600
    release_timeout_seconds: int = 900
    scale: Scale = field(default_factory=Scale)
    load_examples: bool = False
    helm_values: Mapping[str, Any] = field(default_factory=dict)


class AirflowPlatform(pulumi.ComponentResource):
    """A namespace with Airflow in it.

    Needs an explicit Kubernetes provider in `opts`. Raises ValueError for known_hosts that do not fit the repository.
    Replaces: nothing by itself; each part says what replaces it.
    Survives a destroy: nothing of the namespace, unless `protect` is set; then the destroy itself is refused.
    """

    exports: dict[str, pulumi.Input[Any]]
    """The stack's outputs by name (see outputs.py). None is a secret."""

    def __init__(self, name: str, args: AirflowPlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)

        namespace = k8s.core.v1.Namespace(
            f"{name}-namespace",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=args.namespace, labels={**LABELS, **_pod_security()}),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self._namespace = namespace.metadata.name
        self._images = self._with_credentials(args.images)
        if args.isolation.mode is not Isolation.OFF:
            NetworkIsolation(
                f"{name}-isolation", NetworkIsolationArgs(namespace=self._namespace, rules=self._rules()), self._child
            )
        keys = AirflowKeys(
            f"{name}-keys",
            AirflowKeysArgs(namespace=self._namespace, given=args.keys, protect=args.protect),
            self._child,
        )
        database, ready = self._database()
        access = DatabaseAccess(
            f"{name}-database",
            DatabaseAccessArgs(
                namespace=self._namespace,
                release_name=RELEASE_NAME,
                database=database,
                pgbouncer=args.pgbouncer,
                redis_password=keys.redis_password if args.executor.celery else None,
            ),
            self._child,
        )
        migration = DatabaseMigration(
            f"{name}-database",
            DatabaseMigrationArgs(
                namespace=self._namespace,
                images=self._images,
                migration_secret=access.migration_secret,
                fernet_key_secret=keys.fernet_key_secret,
                admin_username=args.admin_username,
                admin_email=args.admin_email,
                admin_password_secret=keys.admin_password_secret,
                timeout_seconds=args.migration_timeout_seconds,
                after=ready,
            ),
            self._child,
        )
        if args.executor.kubernetes:
            TaskPodAccess(
                f"{name}-task-pods",
                TaskPodAccessArgs(namespace=self._namespace, scheduler_service_account=SCHEDULER_SERVICE_ACCOUNT),
                self._child,
            )
        AirflowRelease(
            name,
            AirflowReleaseArgs(
                namespace=self._namespace,
                chart=args.chart,
                inputs=self._release_inputs(keys, access),
                helm_values=args.helm_values,
                timeout_seconds=args.release_timeout_seconds,
                kubeconfig=args.kubeconfig,
                kube_context=args.kube_context,
                # The Job itself, not its component: a component stands for the children known so far.
                after=(migration.migration,),
            ),
            self._child,
        )

        self.exports = {
            outputs.NAMESPACE: self._namespace,
            outputs.RELEASE_NAME: RELEASE_NAME,
            outputs.KUBE_CONTEXT: args.kube_context,
            outputs.EXECUTOR: args.executor.value,
            outputs.IMAGE: args.images.airflow,
            outputs.API_SERVER_SERVICE: API_SERVER_SERVICE,
            outputs.API_SERVER_PORT: API_SERVER_PORT,
            outputs.ADMIN_USERNAME: args.admin_username,
            outputs.ADMIN_PASSWORD_SECRET: keys.admin_password_secret,
            outputs.FERNET_KEY_SECRET: keys.fernet_key_secret,
            outputs.API_SECRET_KEY_SECRET: keys.api_secret_key_secret,
            outputs.JWT_SECRET: keys.jwt_secret,
            outputs.REDIS_PASSWORD_SECRET: keys.redis_password_secret,
            outputs.METADATA_SECRET: access.metadata_secret,
            outputs.DATABASE_HOST: database.host,
            outputs.DATABASE_PORT: database.port,
            outputs.POOLER_HOST: f"{RELEASE_NAME}-pgbouncer" if args.pgbouncer else "",
            outputs.DAGS_REPOSITORY: args.dags.repository.url,
            outputs.DAGS_DELIVERY: args.dags.delivery.value,
            outputs.DAGS_SYNC_PERIOD_SECONDS: args.dags.sync_period_seconds,
            outputs.ISOLATION: args.isolation.mode.value,
            outputs.LOAD_EXAMPLES: args.load_examples,
        }
        self.register_outputs(self.exports)

    def _with_credentials(self, images: Images) -> Images:
        """The images with the stack's own pull Secret, if it has credentials."""
        credentials = self._args.registry_credentials
        if credentials is None:
            return images
        secret_args = ImagePullSecretArgs(namespace=self._namespace, docker_config=credentials)
        secret = ImagePullSecret(f"{self._name}-image-pull-secret", secret_args, self._child).secret
        return replace(images, pull_secrets=(*images.pull_secrets, secret))

    def _database(self) -> tuple[Database, tuple[pulumi.Resource, ...]]:
        """The database, and what must be there before anything connects."""
        args = self._args
        if isinstance(args.database, ExternalDatabase):
            return args.database.database, ()
        postgres = PostgresContainer(
            f"{self._name}-postgres",
            PostgresContainerArgs(
                namespace=self._namespace,
                image=f"{args.images.mirrored(POSTGRES_REPOSITORY)}:{versions.POSTGRES_IMAGE_TAG}",
                pull_policy=args.images.pull_policy,
                pull_secrets=self._images.pull_secrets,
                storage_gib=args.database.storage_gib,
                protect=args.protect,
            ),
            self._child,
        )
        return postgres.database, (postgres.server,)

    def _rules(self) -> IsolationRules:
        args = self._args
        return IsolationRules(
            release_name=RELEASE_NAME,
            executor=args.executor,
            database=(
                DatabaseCidrs(cidrs=args.database.cidrs, port=args.database.database.port)
                if isinstance(args.database, ExternalDatabase)
                else DatabasePods(labels=POD_LABELS, port=PORT)
            ),
            pgbouncer=args.pgbouncer is not None,
            egress_except=args.isolation.egress_except,
            ui_namespaces=args.isolation.ui_namespaces,
            metrics_namespaces=args.isolation.metrics_namespaces,
        )

    def _release_inputs(self, keys: AirflowKeys, access: DatabaseAccess) -> ReleaseInputs:
        args = self._args
        return ReleaseInputs(
            executor=args.executor,
            airflow_version=args.airflow_version,
            images=self._images,
            keys=KeySecrets(
                fernet_key=keys.fernet_key_secret,
                api_secret_key=keys.api_secret_key_secret,
                jwt_secret=keys.jwt_secret,
                redis_password=keys.redis_password_secret,
            ),
            connections=ConnectionSecrets(
                metadata=access.metadata_secret,
                broker=access.broker_secret,
                result_backend=access.result_backend_secret,
                pgbouncer_config=access.pgbouncer_config_secret,
                pgbouncer_stats=access.pgbouncer_stats_secret,
            ),
            pgbouncer=args.pgbouncer,
            dags=args.dags,
            dag_access=self._dag_access(),
            task_logs=args.task_logs,
            task_log_claim=self._task_log_claim(),
            scale=args.scale,
            load_examples=args.load_examples,
        )

    def _task_log_claim(self) -> pulumi.Output[str] | None:
        args = self._args
        if args.task_logs.store is not TaskLogStore.VOLUME:
            return None
        volume_args = TaskLogVolumeArgs(namespace=self._namespace, logs=args.task_logs, protect=args.protect)
        return TaskLogVolume(f"{self._name}-task-logs", volume_args, self._child).claim

    def _dag_access(self) -> DagAccess:
        name, dags, git = self._name, self._args.dags, self._args.git
        ssh_key: GitSshKey | None = None
        if git.ssh_private_key is not None:
            ssh_key = GitSshKey(
                f"{name}-git-ssh-key",
                GitSshKeyArgs(
                    namespace=self._namespace,
                    repository=dags.repository,
                    private_key=git.ssh_private_key,
                    known_hosts=git.known_hosts,
                ),
                self._child,
            )
        if dags.delivery is DagsDelivery.GIT_BUNDLE:
            bundle = GitBundle(
                f"{name}-git-bundle",
                GitBundleArgs(
                    namespace=self._namespace,
                    dags=dags,
                    ssh_key_secret=ssh_key.secret if ssh_key else None,
                    username=git.username,
                    token=git.token,
                ),
                self._child,
            )
            return DagAccess(
                bundle_config=tuple(bundle.bundle_config),
                env=tuple(bundle.env),
                volumes=tuple(bundle.volumes),
                volume_mounts=tuple(bundle.volume_mounts),
            )
        if ssh_key is not None:
            return DagAccess(ssh_key_secret=ssh_key.secret, known_hosts=ssh_key.known_hosts)
        if git.username is not None and git.token is not None:
            token_args = GitTokenArgs(namespace=self._namespace, username=git.username, token=git.token)
            return DagAccess(credentials_secret=GitToken(f"{name}-git-token", token_args, self._child).secret)
        return DagAccess()


def _pod_security() -> dict[str, str]:
    """Namespace labels: Kubernetes admits only pods that pass the Pod Security Standard `restricted`."""
    return {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
