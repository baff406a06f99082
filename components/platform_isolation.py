"""The isolation of a platform, made from its arguments: the connections that it needs, the Secrets kept from tasks."""

from __future__ import annotations

from components.aws.pod_identity import PodIdentity
from components.aws_access import has_roles
from components.chart_values.ingress import CLOSED_PORT
from components.chart_values.metrics import GIT_SYNC_PORT, Monitoring
from components.dags.delivery import DagsDelivery
from components.database.backup_bucket import BackupStore
from components.network.extra_egress import broker_egress
from components.network.isolation_rules import IsolationRules
from components.platform_args import AirflowPlatformArgs
from components.platform_database import database_place
from components.release.airflow_release import RELEASE_NAME
from components.task_logs.store import TaskLogs


def isolation_rules(args: AirflowPlatformArgs) -> IsolationRules:
    """Return what the NetworkPolicies of a platform are made from."""
    monitored = args.monitoring is not Monitoring.OFF
    return IsolationRules(
        release_name=RELEASE_NAME,
        executor=args.executor,
        database=database_place(args),
        pgbouncer=args.pgbouncer is not None,
        egress_except=args.isolation.egress_except,
        ui_namespaces=args.isolation.ui_namespaces,
        ui_cidrs=args.isolation.ui_cidrs,
        ui_closed_port=CLOSED_PORT if args.ingress and not args.ingress.gateway else None,
        metrics_namespaces=args.isolation.metrics_namespaces,
        dns=args.isolation.dns,
        broker=broker_egress(args.broker.cidrs, args.broker.port) if args.broker else None,
        extra_egress=args.isolation.extra_egress,
        keda_namespace=args.keda_namespace,
        database_cleanup=args.metadata_retention_days > 0,
        backup_bucket=args.backup_store is BackupStore.BUCKET,
        exporter=monitored,
        verification=args.verified is not None,
        git_sync_metrics=(GIT_SYNC_PORT if monitored and args.dags.delivery is DagsDelivery.GIT_SYNC else None),
        pod_identity=(
            args.aws is not None
            and (has_roles(args) or _in_s3(args.task_logs))
            and args.pod_identity is PodIdentity.EKS_POD_IDENTITY
        ),
        secrets_in_aws=args.secrets_prefix is not None,
    )


def secrets_not_for_tasks(args: AirflowPlatformArgs) -> tuple[str, ...]:
    """Return the Secrets of the team to which no task pod may refer."""
    keys = args.existing_keys.not_for_workers if args.existing_keys else ()
    return keys if args.client_certificate is None else (*keys, args.client_certificate)


def _in_s3(logs: TaskLogs) -> bool:
    """Return whether logs are in a bucket that exists, and pods have an identity for it in place of a connection."""
    return logs.place is not None and logs.place.connection_secret is None and logs.place.url.startswith("s3:")
