"""Airflow on one cluster, as one component that you can embed in another Pulumi program.

It composes the other components in this order: namespace, isolation, keys, database, connections, migration, release.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pulumi

import outputs
from components.aws.placement import placed
from components.aws_access import aws_access
from components.chart_values.metrics import Monitoring
from components.chart_values.running import Running
from components.chart_values.security_contexts import said_of_all_pods
from components.dag_access import dag_access
from components.database.access import DatabaseAccess, DatabaseAccessArgs
from components.database.connection import Database, ExternalDatabase
from components.database.container import PostgresContainer, PostgresContainerArgs
from components.database.migration import DatabaseMigration
from components.database.rds_settings import ManagedDatabase
from components.keys.airflow_keys import AirflowKeys, AirflowKeysArgs
from components.keys.given_keys import Escrow
from components.kube.image_pull_secret import ImagePullSecret, ImagePullSecretArgs
from components.kube.images import Images
from components.kube.kube_object import KubeObject
from components.kube.metadata import LABELS
from components.monitoring.monitoring import StackMonitoring
from components.network.isolation import NetworkIsolation, NetworkIsolationArgs
from components.network.isolation_args import Isolation
from components.network.pods import API_SERVER_PORT
from components.platform_args import AirflowPlatformArgs
from components.platform_backups import backup_pods
from components.platform_checks import PlatformChecks
from components.platform_database import (
    backup_args,
    database_job,
    database_roles,
    managed_database,
    migration_args,
    postgres_image,
)
from components.platform_isolation import isolation_rules, secrets_not_for_tasks
from components.platform_monitoring import exporter_pod, monitoring_args
from components.platform_outputs import platform_outputs
from components.platform_release import release_inputs, scaler_args
from components.platform_verification import scheduled_verification
from components.release.airflow_release import (
    API_SERVER_SERVICE,
    RELEASE_NAME,
    SCHEDULER_SERVICE_ACCOUNT,
    TASK_SERVICE_ACCOUNTS,
    AirflowRelease,
    AirflowReleaseArgs,
)
from components.release.autoscaling import WorkerScaler
from components.release.gateway_route import GatewayRoute, GatewayRouteArgs
from components.release.job_pods import placement
from components.release.task_pod_access import TaskPodAccess, TaskPodAccessArgs
from components.release.task_pod_admission import TaskPodAdmission, TaskPodAdmissionArgs

TYPE: Final = "airflow:index:AirflowPlatform"
_Resources = tuple[pulumi.Resource, ...]


class AirflowPlatform(pulumi.ComponentResource):
    """A namespace with Airflow in it.

    Needs an explicit Kubernetes provider in `opts`, and an AWS provider if `aws` is given.
    Raises: ValueError for known_hosts that do not fit the repository.
    Replaces: nothing by itself; each part says what replaces it.
    Survives a destroy: the escrow of the keys. Nothing else does, unless `protect` is set: then the destroy itself is
    refused.
    """

    exports: dict[str, pulumi.Input[Any]]
    """The stack's outputs by name (see outputs.py); none is a secret."""

    def __init__(self, name: str, args: AirflowPlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)

        namespace = KubeObject(
            "v1",
            "Namespace",
            f"{name}-namespace",
            {"metadata": {"name": args.namespace, "labels": {**LABELS, **_pod_security()}}},
            pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self._namespace = namespace.name
        self._images = self._with_credentials(args.images)
        # The release comes after these, and a destroy deletes it before them: none is missing while a pod runs.
        around: list[pulumi.Resource] = []
        if args.isolation.mode is not Isolation.OFF:
            isolation_args = NetworkIsolationArgs(namespace=self._namespace, rules=isolation_rules(args))
            around += NetworkIsolation(f"{name}-isolation", isolation_args, self._child).policies
        checks = PlatformChecks(name, args, self._images, self._namespace, self._child)
        cluster_checked = checks.cluster()
        images_checked = checks.images()
        keys = AirflowKeys(
            f"{name}-keys",
            AirflowKeysArgs(
                namespace=self._namespace,
                given=args.keys,
                existing=args.existing_keys,
                protect=args.protect,
                with_database_password=isinstance(args.database, ManagedDatabase),
                escrow=self._escrow(),
            ),
            self._child,
        )
        database, ready, begun = self._database(
            keys, (*cluster_checked, *(images_checked if self._own_registry() else ()))
        )
        access = DatabaseAccess(
            f"{name}-database",
            DatabaseAccessArgs(
                namespace=self._namespace,
                release_name=RELEASE_NAME,
                database=database,
                pgbouncer=args.pgbouncer,
                login=args.logins.used,
                redis_password=keys.redis_password if args.executor.celery else None,
                broker=args.broker,
            ),
            self._child,
        )
        job = database_job(args, self._images, access)
        roles = database_roles(self, name, args, job, self._namespace, database, ready)
        made = () if roles is None else (roles.job,)
        in_aws = aws_access(self, name, args)
        dags = dag_access(self, name, args, self._namespace)
        inputs = release_inputs(self, name, args, self._images, namespace, keys, access, in_aws, dags)
        checked = (
            *cluster_checked,
            *images_checked,
            *checks.nodes(),
            *checks.dags(inputs, (*around, *cluster_checked)),
            *checks.database(database, job, (*around, *cluster_checked, *ready, *made)),
            *checks.broker(access.broker_secret, (*around, *cluster_checked)),
            *checks.login((*around, *cluster_checked)),
            *checks.aws(inputs, in_aws, (*around, *cluster_checked, *in_aws.ready)),
        )
        server = () if begun is None else ready
        migration: DatabaseMigration | None = None
        if args.running is not Running.STOPPED:  # the Jobs would wait for a container that is stopped
            after = (*(ready if begun is None else ()), *made, *checked)
            jobs = migration_args(args, job, self._namespace, keys, begun, after)
            migration = DatabaseMigration(f"{name}-database", jobs, self._child)
        if args.executor.kubernetes:
            access_args = TaskPodAccessArgs(
                namespace=self._namespace, scheduler_service_account=SCHEDULER_SERVICE_ACCOUNT
            )
            around.append(TaskPodAccess(f"{name}-task-pods", access_args, self._child).binding)
            admission_args = TaskPodAdmissionArgs(
                namespace=args.namespace,
                release_name=RELEASE_NAME,
                scheduler_service_account=SCHEDULER_SERVICE_ACCOUNT,
                service_accounts=(*TASK_SERVICE_ACCOUNTS, *args.task_service_accounts),
                secrets=secrets_not_for_tasks(args),
            )
            around.append(TaskPodAdmission(f"{name}-task-pods", admission_args, self._child).binding)
        before_release = _before_release(migration, server, checked, protect=False)
        watched: _Resources = ()
        if args.monitoring is not Monitoring.OFF and args.running is Running.ALL:
            exporter = exporter_pod(args, self._images, access.metadata_secret, access.ca_config_map)
            watch_args = monitoring_args(args, self._namespace, exporter, (*before_release, *around))
            watched = StackMonitoring(f"{name}-monitoring", watch_args, self._child).resources
        verified = scheduled_verification(
            self, name, args, self._namespace, self._images, keys, access, in_aws, migration, around
        )
        release = AirflowRelease(
            name,
            AirflowReleaseArgs(
                namespace=self._namespace,
                chart=args.chart,
                inputs=inputs,
                helm_values=args.helm_values,
                timeout_seconds=args.release_timeout_seconds,
                kubeconfig=args.kubeconfig,
                kube_context=args.kube_context,
                after=(
                    *_before_release(migration, server, checked, args.protect),
                    *around,
                    *in_aws.ready,
                    *watched,
                    *verified,
                ),
                running=args.running,
                protect=args.protect,
            ),
            self._child,
        )
        if args.ingress is not None and args.ingress.gateway is not None:
            route_args = GatewayRouteArgs(
                namespace=self._namespace,
                ingress=args.ingress,
                service=API_SERVER_SERVICE,
                port=API_SERVER_PORT,
                after=(release.release,),
            )
            GatewayRoute(f"{name}-route", route_args, self._child)
        if args.keda_namespace is not None:
            WorkerScaler(
                f"{name}-worker-scaler", scaler_args(args, self._namespace, database, release.release), self._child
            )
        self.exports = platform_outputs(args, self._namespace, database, keys, access, in_aws, before_release)
        pods = backup_pods(self, name, args, backup_args(args, job, self._namespace, keys), in_aws)
        if pods:
            self.exports[outputs.BACKUP_PODS] = pods
        if roles is not None:
            self.exports[outputs.DATABASE_ROLES_POD] = roles.pod
        self.register_outputs(self.exports)

    def _with_credentials(self, images: Images) -> Images:
        """Return the images with the stack's own pull Secret, if there are credentials."""
        credentials = self._args.registry_credentials
        if credentials is None:
            return images
        secret_args = ImagePullSecretArgs(namespace=self._namespace, docker_config=credentials)
        secret = ImagePullSecret(f"{self._name}-image-pull-secret", secret_args, self._child).secret
        return replace(images, pull_secrets=(*images.pull_secrets, secret))

    def _own_registry(self) -> bool:
        """Whether a registry of one's own may lack the image of the database: its server then waits for the check."""
        images = self._args.images
        return bool(images.registry or images.mirrors) or self._args.registry_credentials is not None

    def _escrow(self) -> Escrow | None:
        name, aws = self._args.key_escrow, self._args.aws
        if name is None:
            return None
        cluster = placed(aws, "key_escrow").cluster
        return Escrow(name=name, region=cluster.region, account_id=cluster.account_id)

    def _database(
        self, keys: AirflowKeys, checked: _Resources
    ) -> tuple[Database, _Resources, pulumi.Output[bool] | None]:
        """Return the database, what must exist before anything connects, and when the migration may start.

        The last is None, except for a new container, beside which the migration starts and waits for it.

        checked: The checks that a container is not started without.
        """
        args = self._args
        if isinstance(args.database, ExternalDatabase):
            return args.database.database, keys.stored, None
        if isinstance(args.database, ManagedDatabase):
            return *managed_database(self, self._name, args, args.database, keys), None
        postgres = PostgresContainer(
            f"{self._name}-postgres",
            PostgresContainerArgs(
                namespace=self._namespace,
                image=postgres_image(args.images),
                pull_policy=args.images.pull_policy,
                pull_secrets=self._images.pull_secrets,
                storage_gib=args.database.storage_gib,
                protect=args.protect,
                security=said_of_all_pods(args.helm_values),
                placement=placement(args.helm_values),
                runs=args.running is not Running.STOPPED or args.restoring,
                role=args.logins.used.user if args.logins.used is not None else None,
                after=checked,
            ),
            self._child,
        )
        return postgres.database, (postgres.server,), postgres.begun


def _pod_security() -> dict[str, str]:
    """Return the labels by which the namespace admits only pods of the Pod Security Standard `restricted`."""
    return {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


def _before_release(
    migration: DatabaseMigration | None, server: _Resources, checked: _Resources, protect: bool
) -> _Resources:
    """Return what must have succeeded before any pod changes, and what a destroy deletes only after the release.

    A destroy stops at a protected release. Without `protect`, the Job of the admin user and the release run at the
    same time, which is faster.
    """
    if migration is None:
        return checked
    # The Job itself, because a component stands only for the children that exist so far.
    return (migration.migration, *server, *((migration.admin_user,) if protect else ()))
