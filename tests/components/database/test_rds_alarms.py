"""Alarms on the database: what they watch, when they ring, and that they say what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.database.rds_alarms import AlarmSpec, Capacity, DatabaseAlarms, DatabaseAlarmsArgs, Missing, alarm_specs
from tests.aws.samples import CAPACITY, TAGS, TOPIC, alarms
from tests.cases import each

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPONENT: Final = "airflow:index:DatabaseAlarms"
GIB: Final = 2**30

capacities = st.builds(
    Capacity,
    storage_gib=st.integers(20, 65_536),
    memory_gib=st.floats(0.5, 4096),
    max_connections=st.integers(10, 5000),
    burstable=st.booleans(),
)


def by_metric(capacity: Capacity) -> dict[str, AlarmSpec]:
    found = {spec.metric: spec for spec in alarm_specs(capacity)}
    assert len(found) == len(alarm_specs(capacity))
    return found


@each(
    "metric",
    [
        "CPUUtilization",
        "FreeStorageSpace",
        "FreeableMemory",
        "DatabaseConnections",
        "ReadLatency",
        "WriteLatency",
        "MaximumUsedTransactionIDs",
    ],
)
def test_what_takes_a_database_down_is_watched(metric: str) -> None:
    assert metric in by_metric(CAPACITY)


@pytest.mark.parametrize("metric", ["ReplicaLag", "BurstBalance"])
def test_metrics_that_this_instance_never_has_are_not_watched(metric: str) -> None:
    """Such an alarm would stay without data for ever."""
    assert metric not in by_metric(CAPACITY)
    assert metric not in by_metric(replace(CAPACITY, burstable=True))


def test_cpu_credits_are_watched_where_there_are_some() -> None:
    assert set(by_metric(replace(CAPACITY, burstable=True))) - set(by_metric(CAPACITY)) == {"CPUCreditBalance"}


def test_thresholds_are_parts_of_the_capacity() -> None:
    found = by_metric(Capacity(storage_gib=100, memory_gib=8, max_connections=800, burstable=False))
    assert found["FreeStorageSpace"].threshold == 10 * GIB
    assert found["FreeableMemory"].threshold == int(0.8 * GIB)
    assert found["DatabaseConnections"].threshold == 640


@given(capacities)
def test_threshold_can_be_crossed_from_both_sides(capacity: Capacity) -> None:
    limits = {
        "FreeStorageSpace": capacity.storage_gib * GIB,
        "FreeableMemory": capacity.memory_gib * GIB,
        "DatabaseConnections": capacity.max_connections,
        "CPUUtilization": 100,
        "MaximumUsedTransactionIDs": 2**31,
    }
    for metric, spec in by_metric(capacity).items():
        assert 0 < spec.threshold < limits.get(metric, float("inf")), spec


@given(capacities)
def test_alarm_covers_whole_periods(capacity: Capacity) -> None:
    for spec in alarm_specs(capacity):
        assert spec.minutes * 60 % spec.period_seconds == 0, spec
        assert spec.period_seconds % 60 == 0, "CloudWatch takes 10, 30 and multiples of 60"


def test_silence_rings_once() -> None:
    """An instance that reports nothing is down; ten alarms about it would tell no more than one."""
    silent = [spec.metric for spec in alarm_specs(CAPACITY) if spec.missing is Missing.BREACHING]
    assert silent == ["CPUUtilization"]


@each("spec", alarm_specs(replace(CAPACITY, burstable=True)), ids=lambda spec: spec.role)
def test_alarm_says_what_to_do(spec: AlarmSpec) -> None:
    assert len(spec.advice.split(". ")) >= 2, "what is, and what to do"
    assert len(spec.advice) <= 1024, "CloudWatch takes no more"
    assert spec.above == (spec.metric in EXHAUSTED_ABOVE)


EXHAUSTED_ABOVE: Final = {
    "CPUUtilization",
    "DatabaseConnections",
    "ReadLatency",
    "WriteLatency",
    "DiskQueueDepth",
    "MaximumUsedTransactionIDs",
}


def test_each_alarm_is_on_the_instance_and_on_the_topic(record: Record) -> None:
    recorder = record(alarms())
    made = recorder.every(ALARM)
    assert {alarm.name for alarm in made} == {f"alarms-{spec.role}" for spec in alarm_specs(CAPACITY)}
    for alarm in made:
        assert alarm.inputs["dimensions"] == {"DBInstanceIdentifier": "airflow"}
        assert alarm.inputs["namespace"] == "AWS/RDS"
        assert alarm.inputs["alarmActions"] == alarm.inputs["okActions"] == [TOPIC]
        assert alarm.inputs["actionsEnabled"] is True
        assert alarm.inputs["tags"] == TAGS
        assert alarm.inputs["name"] == f"rds-airflow-{alarm.name.removeprefix('alarms-')}"
        assert alarm.request.parent == recorder.one(COMPONENT).urn


@each("spec", alarm_specs(replace(CAPACITY, burstable=True)), ids=lambda spec: spec.role)
def test_alarm_is_what_is_specified(record: Record, spec: AlarmSpec) -> None:
    inputs = record(alarms(replace(CAPACITY, burstable=True))).one(ALARM, f"alarms-{spec.role}").inputs
    assert inputs["metricName"] == spec.metric
    assert inputs["threshold"] == spec.threshold
    assert inputs["comparisonOperator"].startswith("Greater" if spec.above else "Less")
    assert inputs["period"] * inputs["evaluationPeriods"] == spec.minutes * 60
    assert inputs["datapointsToAlarm"] == inputs["evaluationPeriods"]
    assert inputs["treatMissingData"] == spec.missing
    assert inputs["alarmDescription"] == spec.advice


def test_names_of_the_alarms_are_registered(record: Record) -> None:
    recorder = record(alarms())
    names = recorder.outputs[recorder.one(COMPONENT).urn]["alarms"]
    assert names == [f"rds-airflow-{spec.role}" for spec in alarm_specs(CAPACITY)]


def test_preview_works(record: Record) -> None:
    args = DatabaseAlarmsArgs(identifier="a", instance="a", topic_arn=TOPIC, capacity=CAPACITY, tags={})
    assert record(lambda: DatabaseAlarms("alarms", args), preview=True).every(ALARM)
