"""CloudWatch alarms on an RDS for PostgreSQL instance, which warn before Airflow loses its database.

Only the alarms are created here; the SNS topic must exist. Its policy, and the policy of its key if it is encrypted,
must let cloudwatch.amazonaws.com publish. Two metrics are not watched: ReplicaLag exists only for read replicas (the
standby of a Multi-AZ instance is synchronous and reports nothing), and BurstBalance only for gp2 storage.

Metrics and many thresholds: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring, "Recommended alarms", RDS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

import pulumi
import pulumi_aws as aws

TYPE: Final = "airflow:index:DatabaseAlarms"

_GIB: Final = 2**30
_MINUTE: Final = 60

_CPU_PERCENT = 90
_FREE_STORAGE_FRACTION = 0.1  # RDS itself grows storage when no more than this has been free for five minutes
_FREE_MEMORY_FRACTION = 0.1
_CONNECTIONS_FRACTION = 0.8
_LATENCY_SECONDS = 0.02
_QUEUE_DEPTH = 64
_TRANSACTION_IDS = 1_000_000_000  # PostgreSQL stops taking writes at about 2.1 thousand million
_BALANCE_PERCENT = 10
_CPU_CREDITS = 20


@unique
class Missing(StrEnum):
    """How an alarm treats missing data."""

    BREACHING = "breaching"
    """Missing data is itself the problem."""
    NOT_BREACHING = "notBreaching"
    """Missing data is normal, because some instances never report this metric."""
    KEEP = "ignore"
    """The alarm keeps its state; another alarm reports that data is missing."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Capacity of the instance; thresholds are fractions of it."""

    storage_gib: int
    """Storage allocated at creation, in GiB."""
    memory_gib: float
    """Memory of the instance class, in GiB."""
    max_connections: int
    """Connections that the instance allows."""
    burstable: bool
    """Whether the class belongs to the t families, which use CPU credits."""


@dataclass(frozen=True, kw_only=True)
class AlarmSpec:
    """One alarm."""

    role: str
    """Last part of the alarm's name."""
    metric: str
    """Metric of the namespace AWS/RDS."""
    above: bool
    """Whether the alarm rings above the threshold, or else below it."""
    threshold: float
    """Threshold in the unit of the metric."""
    minutes: int
    """How long the threshold must be crossed before the alarm rings."""
    missing: Missing
    """How missing data is treated."""
    advice: str
    """Advice for the person whom the alarm calls."""
    statistic: str = "Average"
    """Statistic over one period."""
    period_seconds: int = 60
    """Time that one data point covers."""


@dataclass(frozen=True, kw_only=True)
class DatabaseAlarmsArgs:
    """Arguments of `DatabaseAlarms`."""

    identifier: str
    """Identifier of the instance; the names of the alarms contain it."""
    instance: pulumi.Input[str]
    """The same identifier as an output of the instance, because an alarm without its instance would ring."""
    topic_arn: str
    """SNS topic that is told when an alarm rings and when it stops."""
    capacity: Capacity
    """Capacity of the instance."""
    tags: Mapping[str, str]
    """Tags of the alarms."""


class DatabaseAlarms(pulumi.ComponentResource):
    """CloudWatch alarms on one SNS topic; the description of each says what to do.

    Raises: nothing of its own.
    Replaces: another identifier makes other alarms; all else changes in place.
    Survives a destroy: nothing.
    """

    alarms: tuple[pulumi.Resource, ...]
    """The alarms. What depends on them is deleted before them."""

    def __init__(self, name: str, args: DatabaseAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        alarms = []
        for spec in alarm_specs(args.capacity):
            alarm = aws.cloudwatch.MetricAlarm(
                f"{name}-{spec.role}",
                # The person on call reads the name first.
                name=f"rds-{args.identifier}-{spec.role}",
                alarm_description=spec.advice,
                namespace="AWS/RDS",
                metric_name=spec.metric,
                dimensions={"DBInstanceIdentifier": args.instance},
                comparison_operator="GreaterThanThreshold" if spec.above else "LessThanThreshold",
                threshold=spec.threshold,
                statistic=spec.statistic,
                period=spec.period_seconds,
                evaluation_periods=spec.minutes * _MINUTE // spec.period_seconds,
                datapoints_to_alarm=spec.minutes * _MINUTE // spec.period_seconds,
                treat_missing_data=spec.missing.value,
                actions_enabled=True,
                alarm_actions=[args.topic_arn],
                ok_actions=[args.topic_arn],
                tags=dict(args.tags),
                opts=child,
            )
            alarms.append(alarm)
        self.alarms = tuple(alarms)
        self.register_outputs({"alarms": [alarm.name for alarm in alarms]})


def alarm_specs(capacity: Capacity) -> tuple[AlarmSpec, ...]:
    """Return the alarms for an instance of this capacity."""
    specs = [
        AlarmSpec(
            role="cpu-utilization",
            metric="CPUUtilization",
            above=True,
            threshold=_CPU_PERCENT,
            minutes=15,
            # The only metric that every instance reports every minute.
            missing=Missing.BREACHING,
            advice=f"CPU above {_CPU_PERCENT} % for 15 minutes, or the instance reports nothing. Look at its status "
            "and its events in RDS, then at the top SQL in Performance Insights. If the load lasts: a larger "
            "airflow:databaseInstanceClass",
        ),
        AlarmSpec(
            role="free-storage",
            metric="FreeStorageSpace",
            above=False,
            threshold=int(capacity.storage_gib * _FREE_STORAGE_FRACTION * _GIB),
            minutes=15,
            missing=Missing.KEEP,
            statistic="Minimum",
            advice="Little storage is free, and RDS has not added any for 15 minutes: airflow:databaseMaxStorageGib is "
            "reached, or the last growth is not done. Raise the maximum, and clean up with `airflow db clean`: a full "
            "instance stops",
        ),
        AlarmSpec(
            role="freeable-memory",
            metric="FreeableMemory",
            above=False,
            threshold=int(capacity.memory_gib * _FREE_MEMORY_FRACTION * _GIB),
            minutes=15,
            missing=Missing.KEEP,
            advice=f"Less than {_FREE_MEMORY_FRACTION:.0%} of the memory is free for 15 minutes; without any, "
            "PostgreSQL restarts. Look at the connections and at the top SQL. If it lasts: a larger "
            "airflow:databaseInstanceClass",
        ),
        AlarmSpec(
            role="connections",
            metric="DatabaseConnections",
            above=True,
            threshold=int(capacity.max_connections * _CONNECTIONS_FRACTION),
            minutes=5,
            missing=Missing.KEEP,
            statistic="Maximum",
            advice=f"More than {_CONNECTIONS_FRACTION:.0%} of the connections are taken for 5 minutes. See in "
            "pg_stat_activity who has them: those of PgBouncer are limited by config, those of people are not",
        ),
        *(
            AlarmSpec(
                role=f"{way.lower()}-latency",
                metric=f"{way}Latency",
                above=True,
                threshold=_LATENCY_SECONDS,
                minutes=15,
                missing=Missing.KEEP,
                advice=f"A {way.lower()} of the disk takes more than {_LATENCY_SECONDS * 1000:.0f} ms for 15 minutes. "
                "Look at Performance Insights (waits on IO) and at EBSIOBalance%; heartbeats of tasks may time out",
            )
            for way in ("Read", "Write")
        ),
        AlarmSpec(
            role="disk-queue-depth",
            metric="DiskQueueDepth",
            above=True,
            threshold=_QUEUE_DEPTH,
            minutes=15,
            missing=Missing.KEEP,
            advice=f"More than {_QUEUE_DEPTH} disk operations wait for 15 minutes. Look at ReadIOPS, WriteIOPS and the "
            "top SQL; from 400 GiB on, gp3 has four times the IOPS",
        ),
        *(
            AlarmSpec(
                role=f"ebs-{what.lower()}-balance",
                metric=f"EBS{what}Balance%",
                above=False,
                threshold=_BALANCE_PERCENT,
                minutes=15,
                # Only classes that can burst above their baseline report it.
                missing=Missing.NOT_BREACHING,
                advice=f"The instance has used up most of its burst of disk {meaning}: it falls back to what its class "
                "has for good. Spread the load, or take a larger airflow:databaseInstanceClass",
            )
            for what, meaning in (("IO", "operations"), ("Byte", "throughput"))
        ),
        AlarmSpec(
            role="transaction-ids",
            metric="MaximumUsedTransactionIDs",
            above=True,
            threshold=_TRANSACTION_IDS,
            minutes=15,
            missing=Missing.KEEP,
            statistic="Maximum",
            advice="Autovacuum does not keep up, and PostgreSQL refuses writes at twice this number. Find what holds "
            "it up: old transactions (pg_stat_activity), prepared ones, replication slots. Then VACUUM (FREEZE)",
        ),
    ]
    if capacity.burstable:
        specs.append(
            AlarmSpec(
                role="cpu-credits",
                metric="CPUCreditBalance",
                above=False,
                threshold=_CPU_CREDITS,
                minutes=15,
                missing=Missing.KEEP,
                # AWS reports it every five minutes.
                period_seconds=300,
                advice=f"Fewer than {_CPU_CREDITS} CPU credits are left: from none on, each further one is paid for. A "
                "production database is better off with a class that does not burst (airflow:databaseInstanceClass)",
            )
        )
    return tuple(specs)
