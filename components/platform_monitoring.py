"""The monitoring of a platform, made from its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pulumi

from components.chart_values.given_options import given_options
from components.kube.images import Images
from components.monitoring.alert_rules import PAGE
from components.monitoring.backup_age import oldest_seconds
from components.monitoring.exporter import ExporterPod
from components.monitoring.expressions import Watched
from components.monitoring.monitoring import MonitoringArgs
from components.platform_args import AirflowPlatformArgs
from components.release.airflow_release import RELEASE_NAME
from components.release.job_pods import job_pod

_PARSE_INTERVAL: Final = "config.dag_processor.min_file_process_interval"


def exporter_pod(
    args: AirflowPlatformArgs,
    images: Images,
    metadata_secret: pulumi.Input[str],
    database_ca: pulumi.Input[str] | None,
) -> ExporterPod:
    """Return what the exporter of a platform runs with.

    Args:
        args: Arguments of the platform.
        images: Its images, with the stack's own pull Secret.
        metadata_secret: Name of the Secret with the URIs that Airflow's pods use.
        database_ca: Name of the ConfigMap with the CA certificates of the database, or None if nothing is verified.
    """
    return ExporterPod(
        release_name=RELEASE_NAME,
        images=images,
        metadata_secret=metadata_secret,
        direct_ca=None if args.pgbouncer else database_ca,
        database_ca=database_ca,
        tls_secret=args.ingress.tls_secret if args.ingress and not args.ingress.gateway else None,
        monitoring=args.monitoring,
        pod=job_pod(args.helm_values),
        client_certificate=None if args.pgbouncer else args.client_certificate,
    )


def monitoring_args(
    args: AirflowPlatformArgs,
    namespace: pulumi.Input[str],
    exporter: ExporterPod,
    after: tuple[pulumi.Resource, ...],
) -> MonitoringArgs:
    """Return the arguments of `StackMonitoring`. after: what must exist before the exporter."""
    parts = {args.dags.delivery.value}
    if args.pgbouncer:
        parts.add("pgbouncer")
    if exporter.database_ca is not None or exporter.tls_secret is not None:
        parts.add("certificates")
    if args.verified is not None:
        parts.add("verification")
    if args.backup_schedule:
        parts.add("backups")
    if args.keda_namespace is not None:
        parts.add("keda")
    return MonitoringArgs(
        namespace=namespace,
        exporter=exporter,
        watched=Watched(
            namespace=args.namespace,
            parts=frozenset(parts),
            sync_period_seconds=args.dags.sync_period_seconds,
            parse_interval_seconds=parse_interval_seconds(args.helm_values),
            verified_seconds=args.verified.seconds if args.verified else 0,
            backup_seconds=oldest_seconds(args.backup_schedule) if args.backup_schedule else 0,
        ),
        labels=args.monitoring_labels,
        page=args.runbook_url or PAGE,
        keda_namespace=args.keda_namespace,
        after=after,
    )


def parse_interval_seconds(helm_values: Mapping[str, Any]) -> int:
    """Return after how many seconds Airflow parses a file again: the longest that a team says, or Airflow's default."""
    given = [str(value) for _, value in given_options(helm_values, _PARSE_INTERVAL)]
    return max((int(text) for text in given if text.isdecimal()), default=Watched.parse_interval_seconds)
