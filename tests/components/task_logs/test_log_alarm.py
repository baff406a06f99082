"""The alarm that rings when no log arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from components.task_logs.lifecycle import FOLDER
from components.task_logs.log_alarm import TaskLogAlarm, TaskLogAlarmArgs
from components.verification.verified import Verified
from tests.aws.samples import TAGS, TOPIC

if TYPE_CHECKING:
    from tests.conftest import Recorder, Registration

    Record = Callable[..., Recorder]

METRIC: Final = "aws:s3/bucketMetric:BucketMetric"
ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
_DAY: Final = 86_400
"""The longest that an alarm looks back (docs.aws.amazon.com/AmazonCloudWatch, PutMetricAlarm, "Period")."""


def made(record: Record, minutes: int = 30) -> Recorder:
    args = TaskLogAlarmArgs(
        bucket="logs-1",
        dag_id="probe",
        seconds=Verified(dag_id="probe", every_minutes=minutes).seconds,
        topic_arn=TOPIC,
        tags=TAGS,
    )
    return record(lambda: TaskLogAlarm("airflow-verification-alarm", args))


def alarm(recorder: Recorder) -> Registration:
    return recorder.one(ALARM)


def test_it_counts_the_logs_of_the_dag_alone(record: Record) -> None:
    recorder = made(record)
    metric = recorder.one(METRIC).inputs
    assert metric["filter"] == {"prefix": f"{FOLDER}/dag_id=probe/"}
    assert alarm(recorder).inputs["dimensions"] == {"BucketName": "logs-1", "FilterId": metric["name"]}


def test_silence_rings(record: Record) -> None:
    inputs = alarm(made(record)).inputs
    assert (inputs["treatMissingData"], inputs["threshold"], inputs["comparisonOperator"]) == (
        "breaching",
        1,
        "LessThanThreshold",
    )
    assert inputs["alarmActions"] == inputs["okActions"] == [TOPIC]
    assert inputs["name"] == "logs-1-verification"


def test_one_failure_alone_does_not_ring_and_a_day_is_never_exceeded(record: Record) -> None:
    for minutes in (10, 30, 60):
        inputs = alarm(made(record, minutes)).inputs
        seconds = inputs["period"] * inputs["evaluationPeriods"]
        assert 2 * minutes * 60 < seconds <= _DAY
        assert inputs["datapointsToAlarm"] == inputs["evaluationPeriods"]
        assert f"for {seconds // 60} minutes" in inputs["alarmDescription"]
