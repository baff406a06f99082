"""Task logs in S3: what Airflow reads, and that no connection is looked up."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final

import pulumi
import pytest

from components.chart_values.chart_defaults import schema_problems
from components.chart_values.executor import Executor
from components.chart_values.values import airflow_values
from components.task_logs.remote import (
    CONNECTION_ID,
    CONNECTION_VARIABLE,
    REMOTE_CONNECTION_VARIABLE,
    RemoteLogs,
    remote_log_values,
    remote_log_variables,
    remote_logs,
)
from components.task_logs.store import LogPlace, TaskLogStore
from tests import samples
from tests.cases import each

CLIENTS: Final = ("apiServer", "triggerer", "workers.celery", "workers.kubernetes")
OTHERS: Final = ("scheduler", "dagProcessor", "redis", "statsd", "pgbouncer")
every_executor = each("executor", Executor)


def values(executor: Executor = Executor.CELERY, store: TaskLogStore = TaskLogStore.S3) -> dict[str, Any]:
    return airflow_values(samples.release_inputs(executor=executor, store=store))


def at(found: Any, path: str) -> Any:
    for part in path.split("."):
        found = found[part]
    return found


@every_executor
def test_airflow_is_told_by_texts(executor: Executor) -> None:
    """With KubernetesExecutor and no volume, the chart's notes fail on a boolean."""
    assert values(executor)["config"]["logging"] == {
        "remote_logging": "True",
        "remote_base_log_folder": "s3://logs-1/airflow",
        "remote_log_conn_id": CONNECTION_ID,
        "delete_local_logs": "True",
    }
    assert schema_problems(values(executor)) == []


@every_executor
def test_no_volume_is_shared_or_kept(executor: Executor) -> None:
    found = values(executor)
    assert found["logs"]["persistence"] == {"enabled": False}
    assert at(found, "workers.celery.persistence.enabled") is False


@every_executor
def test_connection_is_in_the_pod_and_empty(executor: Executor) -> None:
    """Airflow finds it there before it asks the API server, and an empty one means the pod's own credentials."""
    found = values(executor)
    for component in CLIENTS:
        variables = {entry["name"]: entry.get("value") for entry in at(found, component)["env"]}
        assert variables[CONNECTION_VARIABLE] == "aws://"
        assert variables["AWS_DEFAULT_REGION"] == "eu-central-1"
        assert len(variables) == len(at(found, component)["env"]), "no variable twice"
    assert CONNECTION_VARIABLE.removeprefix("AIRFLOW_CONN_") == CONNECTION_ID.upper()
    for component in OTHERS:
        assert CONNECTION_VARIABLE not in json.dumps(found[component]), component


@pytest.mark.parametrize("store", [TaskLogStore.VOLUME, TaskLogStore.WORKER])
def test_without_it_nothing_is_said_of_a_bucket(store: TaskLogStore) -> None:
    found = values(store=store)
    assert "logging" not in found["config"]
    for trace in ("AWS_", "s3://", "annotations", "aws://"):
        assert trace not in json.dumps(found)


@each("store", TaskLogStore)
def test_bucket_without_the_store_and_the_reverse_are_refused(store: TaskLogStore) -> None:
    inputs = samples.release_inputs(store=store)
    other = None if inputs.remote_logs else RemoteLogs(folder="s3://x/y", region="eu-central-1")
    with pytest.raises(ValueError, match=f"must be set with task logs s3 or remote and only then, found {store}"):
        dataclasses.replace(inputs, remote_logs=other)


def test_names_that_are_not_known_yet_pass_through(runtime: None) -> None:
    folder = pulumi.Output.from_input("s3://x/y")
    found = remote_log_values(RemoteLogs(folder=folder, region="eu-central-1"))
    assert at(found, "config.logging.remote_base_log_folder") is folder


# A place that exists


@each(
    ("url", "folder", "container", "connection"),
    [
        ("s3://logs/airflow", "s3://logs/airflow", None, "aws://"),
        ("gs://logs/airflow/prod", "gs://logs/airflow/prod", None, "google-cloud-platform://"),
        ("wasb://logs/airflow/prod", "wasb://airflow/prod", "logs", "wasb://"),
    ],
)
def test_airflow_is_told_of_a_place_that_exists(url: str, folder: str, container: str | None, connection: str) -> None:
    logs = remote_logs(LogPlace(url=url), None)
    found = remote_log_values(logs)
    assert found["config"]["logging"]["remote_base_log_folder"] == folder
    assert found["config"].get("azure_remote_logging", {}).get("remote_wasb_log_container") == container
    assert remote_log_variables(logs) == [{"name": REMOTE_CONNECTION_VARIABLE, "value": connection}]
    assert schema_problems(found) == []


@every_executor
def test_connection_comes_from_a_secret_to_who_needs_it(executor: Executor) -> None:
    found = values(executor, TaskLogStore.REMOTE)
    reference = {"secretKeyRef": {"name": "log-store-1", "key": "connection"}}
    for component in CLIENTS:
        variables = {entry["name"]: entry.get("valueFrom") for entry in at(found, component)["env"]}
        assert variables[REMOTE_CONNECTION_VARIABLE] == reference
    for component in OTHERS:
        assert "log-store-1" not in json.dumps(found[component]), component
    assert schema_problems(found) == []


def test_a_bucket_in_the_cluster_s_cloud_has_its_region() -> None:
    variables = remote_log_variables(remote_logs(LogPlace(url="s3://a-b/c"), "eu-central-1"))
    assert {"name": "AWS_DEFAULT_REGION", "value": "eu-central-1"} in variables
    assert len(remote_log_variables(remote_logs(LogPlace(url="gs://a-b/c"), "eu-central-1"))) == 1
