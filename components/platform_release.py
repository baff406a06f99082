"""The inputs of a platform's Helm release: made from its arguments, and the names of Secrets, volumes and roles."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pulumi

from components.aws_access import AwsAccess
from components.chart_values.release_inputs import ConnectionSecrets, DagAccess, KeySecrets, Login, ReleaseInputs
from components.chart_values.release_settings import ReleaseSettings
from components.chart_values.running import Running
from components.chart_values.worker_group import default_queues
from components.connections.connections_secret import AirflowConnections, AirflowConnectionsArgs
from components.database.access import DatabaseAccess
from components.database.connection import Database
from components.first_pod import first_pod
from components.keys.airflow_keys import AirflowKeys
from components.kube.images import Images
from components.kube.kube_object import KubeObject
from components.login.oidc import server_config
from components.login.oidc_client import OidcClient, OidcClientArgs
from components.platform_args import AirflowPlatformArgs
from components.release.airflow_release import RELEASE_NAME
from components.release.autoscaling import DEFAULT_WORKERS, ScaledWorkers, WorkerScalerArgs, scaled_group
from components.task_logs.remote import RemoteLogs
from components.task_logs.store import AccessMode, TaskLogStore
from components.task_logs.volume import TaskLogVolume, TaskLogVolumeArgs


def inputs_without_secrets(args: AirflowPlatformArgs, images: Images) -> ReleaseInputs:
    """Return the inputs of the release before the Secrets and the bucket that they name exist."""
    outside = args.task_logs.store in (TaskLogStore.S3, TaskLogStore.REMOTE)
    settings = {item.name: getattr(args, item.name) for item in fields(ReleaseSettings)}
    return ReleaseInputs(
        **{**settings, "images": images},
        keys=KeySecrets(**dict.fromkeys((item.name for item in fields(KeySecrets)), "")),
        connections=ConnectionSecrets(metadata=""),
        own_redis=args.broker is None,
        dag_access=DagAccess(),
        task_log_claim=None,
        remote_logs=RemoteLogs(folder="") if outside else None,
        client_certificate=args.client_certificate,
    )


def release_inputs(
    parent: pulumi.ComponentResource,
    name: str,
    args: AirflowPlatformArgs,
    images: Images,
    namespace: KubeObject,
    keys: AirflowKeys,
    access: DatabaseAccess,
    in_aws: AwsAccess,
    dags: DagAccess,
) -> ReleaseInputs:
    """Return the inputs of the release, and register the resources that only the release needs.

    Args:
        parent: The platform.
        name: Its name.
        args: Its arguments.
        images: Its images, with the stack's own pull Secret.
        namespace: Its namespace.
        keys: Its keys.
        access: How its database is reached.
        in_aws: What it has in AWS.
        dags: How its pods get DAGs.
    """
    child = pulumi.ResourceOptions(parent=parent)
    return replace(
        inputs_without_secrets(args, images),
        keys=KeySecrets(
            fernet_key=keys.fernet_key_secret,
            worker_key=keys.worker_key_secret,
            api_secret_key=keys.api_secret_key_secret,
            jwt_secret=keys.jwt_secret,
            jwt_key_id=keys.jwt_key_id_secret,
            jwks=keys.jwks_secret,
            redis_password=keys.redis_password_secret,
        ),
        connections=ConnectionSecrets(
            metadata=access.metadata_secret,
            broker=access.broker_secret,
            result_backend=access.result_backend_secret,
            pgbouncer_config=access.pgbouncer_config_secret,
            pgbouncer_stats=access.pgbouncer_stats_secret,
        ),
        dag_access=dags,
        task_log_claim=_task_log_claim(name, args, namespace, child),
        release_name=RELEASE_NAME,
        remote_logs=in_aws.remote_logs,
        pod_roles=in_aws.roles,
        login=_login(name, args, namespace.name, child),
        connection_variables=_connection_variables(name, args, namespace.name, child),
        database_ca=access.ca_config_map,
    )


def scaler_args(
    args: AirflowPlatformArgs, namespace: pulumi.Input[str], database: Database, release: pulumi.Resource
) -> WorkerScalerArgs:
    """Return what KEDA scales the workers of a platform by, once the release exists."""
    default = ScaledWorkers(
        account=DEFAULT_WORKERS,
        queues=default_queues(args.helm_values),
        autoscaling=args.autoscaling,
        min_workers=args.scale.worker,
        concurrency=args.scale.worker_concurrency,
    )
    return WorkerScalerArgs(
        namespace=namespace,
        release_name=RELEASE_NAME,
        database=database,
        executor=args.executor,
        workers=tuple(found for found in (default, *map(scaled_group, args.worker_groups)) if found.autoscaling),
        worker_grace_seconds=args.worker_grace_seconds,
        stateful=args.task_logs.store is TaskLogStore.WORKER,
        paused=args.running is not Running.ALL,
        after=(release,),
    )


def _login(
    name: str, args: AirflowPlatformArgs, namespace: pulumi.Input[str], child: pulumi.ResourceOptions
) -> Login | None:
    oidc = args.oidc
    if oidc is None:
        return None
    client_args = OidcClientArgs(namespace=namespace, client_secret=oidc.client_secret)
    client = OidcClient(f"{name}-oidc-client", client_args, child)
    return Login(server_config=server_config(oidc, args.admin_username), client_secret=client.secret)


def _connection_variables(
    name: str, args: AirflowPlatformArgs, namespace: pulumi.Input[str], child: pulumi.ResourceOptions
) -> tuple[dict[str, Any], ...]:
    given = args.connections
    if not given.environment():
        return ()
    connections_args = AirflowConnectionsArgs(namespace=namespace, given=given)
    return tuple(AirflowConnections(f"{name}-connections", connections_args, child).variables)


def _task_log_claim(
    name: str, args: AirflowPlatformArgs, namespace: KubeObject, child: pulumi.ResourceOptions
) -> pulumi.Input[str] | None:
    if args.task_logs.store is not TaskLogStore.VOLUME:
        return None
    if args.task_logs.claim is not None:
        return args.task_logs.claim
    # Where pods of many nodes mount it, the first of them says nothing about the others.
    single = args.task_logs.access_mode is AccessMode.READ_WRITE_ONCE and args.running is Running.ALL
    volume_args = TaskLogVolumeArgs(
        namespace=namespace.name,
        logs=args.task_logs,
        protect=args.protect,
        deleted_with=namespace,
        opened=first_pod(args, f"{name}-task-logs") if single else None,
    )
    return TaskLogVolume(f"{name}-task-logs", volume_args, child).claim
