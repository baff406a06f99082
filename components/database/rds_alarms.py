"""CloudWatch alarms on an RDS for PostgreSQL instance: what shows that Airflow is about to lose its database.

Owns the alarms alone: the SNS topic is somebody else's. Its policy must let cloudwatch.amazonaws.com publish, and if it
is encrypted, so must that of its key. Not watched: ReplicaLag, which only read replicas have (the standby of a
Multi-AZ instance is synchronous and reports nothing), and BurstBalance, which only gp2 storage has.

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
    """What an alarm makes of a time without data.

    BREACHING: silence is the trouble itself. NOT_BREACHING: no data is no trouble, some instances never have any.
    KEEP: the alarm stays as it is; another one tells of the silence.
    """

    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"
    KEEP = "ignore"


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What thresholds are parts of.

    storage_gib: allocated at first. memory_gib: of the instance class. max_connections: that the instance allows.
    burstable: whether the class is of the t families, which live on CPU credits.
    """

    storage_gib: int
    memory_gib: float
    max_connections: int
    burstable: bool


@dataclass(frozen=True, kw_only=True)
class AlarmSpec:
    """One alarm.

    role: in its name. metric: of AWS/RDS. above: whether it rings above the threshold, or below.
    threshold: in the metric's unit. minutes: how long it must last. statistic: of one period.
    period_seconds: what one data point sums up. missing: what no data means. advice: what to do when it rings.
    """

    role: str
    metric: str
    above: bool
    threshold: float
    minutes: int
    missing: Missing
    advice: str
    statistic: str = "Average"
    period_seconds: int = 60


@dataclass(frozen=True, kw_only=True)
class DatabaseAlarmsArgs:
    """Arguments of `DatabaseAlarms`.

    identifier: of the instance; alarms are named after it.
    instance: the same, as an output of the instance: an alarm without one would ring.
    topic_arn: where they ring, and where they say that all is well again.
    capacity: of the instance. tags: of the alarms.
    """

    identifier: str
    instance: pulumi.Input[str]
    topic_arn: str
    capacity: Capacity
    tags: Mapping[str, str]


class DatabaseAlarms(pulumi.ComponentResource):
    """Alarms that say what to do, on one topic.

    Raises: nothing of its own.
    Replaces: another identifier makes other alarms; all else changes in place.
    Survives a destroy: nothing.
    """

    def __init__(self, name: str, args: DatabaseAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        names = []
        for spec in alarm_specs(args.capacity):
            alarm = aws.cloudwatch.MetricAlarm(
                f"{name}-{spec.role}",
                # Whoever it wakes reads the name first.
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
            names.append(alarm.name)
        self.register_outputs({"alarms": names})


def alarm_specs(capacity: Capacity) -> tuple[AlarmSpec, ...]:
    """The alarms for an instance of this capacity."""
    specs = [
        AlarmSpec(
            role="cpu-utilization",
            metric="CPUUtilization",
            above=True,
            threshold=_CPU_PERCENT,
            minutes=15,
            # The one metric that every instance has at every minute.
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
                # Only classes that exceed their baseline for a while have it.
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
                # AWS has it every five minutes.
                period_seconds=300,
                advice=f"Fewer than {_CPU_CREDITS} CPU credits are left: from none on, each further one is paid for. A "
                "production database is better off with a class that does not burst (airflow:databaseInstanceClass)",
            )
        )
    return tuple(specs)
