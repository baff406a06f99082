"""Keys of task logs that are kept in a place that exists."""

from __future__ import annotations

from typing import Any

from components.task_logs.store import LogPlace, TaskLogStore
from tests import samples
from tests.cases import each


@each(
    ("url", "secret"),
    [
        ("gs://logs/airflow", "log-store"),
        ("gs://logs/airflow", None),
        ("s3://logs.example.com/airflow/prod", "minio"),
        ("s3://logs/airflow", None),
        ("wasb://logs/airflow", "azure-logs"),
    ],
)
@each("executor", ["CeleryExecutor", "KubernetesExecutor"])
def test_logs_may_be_elsewhere(url: str, secret: str | None, executor: str) -> None:
    changes: dict[str, Any] = {"taskLogs": "remote", "taskLogsUrl": url, "executor": executor}
    if secret is not None:
        changes["taskLogsConnectionSecret"] = secret
    logs = samples.external().with_(changes).parse().platform.task_logs
    assert (logs.store, logs.place) == (TaskLogStore.REMOTE, LogPlace(url=url, connection_secret=secret))


def test_options_of_airflow_are_refused_with_the_keys() -> None:
    logging = {"remote_logging": "True", "remote_base_log_folder": "gs://logs/airflow", "remote_log_conn_id": "gcp"}
    text = "\n".join(samples.external().with_({"helmValues": {"config": {"logging": logging}}}).problems())
    for key in ("airflow:taskLogs", "airflow:taskLogsUrl", "airflow:taskLogsConnectionSecret"):
        assert key in text
