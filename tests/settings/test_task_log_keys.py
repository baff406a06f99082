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


@each(("executor", "apart"), [("CeleryExecutor", "worker"), ("KubernetesExecutor", "remote")])
def test_default_is_the_shared_volume_on_a_laptop_alone(executor: str, apart: str) -> None:
    nobody_chose = {"taskLogs": "", "executor": executor}
    assert samples.dev().with_(nobody_chose).parse().platform.task_logs.store is TaskLogStore.VOLUME
    [problem] = samples.external().with_(nobody_chose).problems()
    # Both ways out stand in the error: away from the volume, and the command that keeps a deployed stack as it is.
    for store in (apart, "volume"):
        assert f"pulumi config set --stack {samples.external().stack} airflow:taskLogs {store}" in problem


def test_shared_volume_that_somebody_chose_is_left_alone() -> None:
    chosen = samples.external().with_({"taskLogs": "volume", "protect": True})
    assert chosen.parse().platform.task_logs.store is TaskLogStore.VOLUME
