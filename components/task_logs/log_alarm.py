"""A CloudWatch alarm that rings when no task of a DAG has put its log into the bucket for a while.

It needs no agent, and no right of any pod: S3 itself counts the requests below a prefix. Together with a DAG that runs
by a schedule it watches all of Airflow from outside the cluster. S3 says that its metrics are there within minutes, by
best effort (docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_aws as aws

from components.task_logs.lifecycle import FOLDER

TYPE: Final = "airflow:index:TaskLogAlarm"
FILTER: Final = "verification"
"""Id of the metrics of the prefix."""
_PERIOD_SECONDS: Final = 300


@dataclass(frozen=True, kw_only=True)
class TaskLogAlarmArgs:
    """Arguments of `TaskLogAlarm`."""

    bucket: pulumi.Input[str]
    """Name of the bucket; the alarm's name begins with it."""
    dag_id: str
    """The DAG whose logs are expected."""
    seconds: int
    """Seconds within which one must arrive, at most a day."""
    topic_arn: str
    """SNS topic that is told when the alarm rings and when it stops."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the alarm."""


class TaskLogAlarm(pulumi.ComponentResource):
    """Metrics of one prefix of the bucket, and the alarm on them.

    Raises: nothing of its own.
    Replaces: another bucket makes another alarm; all else changes in place.
    Survives a destroy: nothing.
    """

    resources: tuple[pulumi.Resource, ...]
    """The metrics and the alarm."""

    def __init__(self, name: str, args: TaskLogAlarmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metrics = aws.s3.BucketMetric(
            name,
            bucket=args.bucket,
            name=FILTER,
            # As Airflow names it (`[logging] log_filename_template`).
            filter={"prefix": f"{FOLDER}/dag_id={args.dag_id}/"},
            opts=child,
        )
        periods = -(-args.seconds // _PERIOD_SECONDS)
        alarm = aws.cloudwatch.MetricAlarm(
            name,
            name=pulumi.Output.concat(args.bucket, "-verification"),
            alarm_description=f"No task of the DAG {args.dag_id} has written a log for {periods * 5} minutes, so "
            "Airflow may run nothing. python -m automation status STACK says why the last verification failed",
            namespace="AWS/S3",
            metric_name="PutRequests",
            dimensions={"BucketName": args.bucket, "FilterId": metrics.name},
            comparison_operator="LessThanThreshold",
            threshold=1,
            statistic="Sum",
            period=_PERIOD_SECONDS,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            # S3 reports nothing where there was no request.
            treat_missing_data="breaching",
            actions_enabled=True,
            alarm_actions=[args.topic_arn],
            ok_actions=[args.topic_arn],
            tags=dict(args.tags),
            opts=child,
        )
        self.resources = (metrics, alarm)
        self.register_outputs({"alarm": alarm.name})
