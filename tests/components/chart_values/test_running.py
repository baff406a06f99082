"""What runs of a release that is frozen or stopped."""

from __future__ import annotations

from typing import Any

from components.chart_values.executor import Executor
from components.chart_values.running import Running, with_running
from components.chart_values.scale import WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.chart_values.values import airflow_values
from components.chart_values.worker_group import WorkerGroup
from components.database.pgbouncer import PgBouncer
from components.user_values.user_values import with_helm_values
from tests import samples
from tests.chart import rendering

HELM_VALUES: dict[str, Any] = {"flower": {"enabled": True}, "apiServer": {"hpa": {"enabled": True}}}


def values(executor: Executor = Executor.CELERY_AND_KUBERNETES) -> dict[str, Any]:
    """Of a release with everything that could run."""
    inputs = samples.release_inputs(
        executor=executor,
        pgbouncer=PgBouncer(replicas=2),
        size=SizePreset.SMALL,
        autoscaling=WorkerAutoscaling(max_workers=20),
        metadata_retention_days=30,
        worker_groups=(WorkerGroup(name="gpu", queues=("gpu",)),),
    )
    return with_helm_values(airflow_values(inputs), HELM_VALUES)


def pods(running: Running, executor: Executor = Executor.CELERY_AND_KUBERNETES) -> set[str]:
    """Components of which the rendered release has pods, at once or by a schedule."""
    objects = rendering.objects(with_running(values(executor), running))
    found = set()
    for item in objects:
        if item["kind"] == "HorizontalPodAutoscaler":
            found.add(item["spec"]["scaleTargetRef"]["name"])
        workload = item["kind"] in ("Deployment", "StatefulSet") and item["spec"].get("replicas", 1)
        if workload or item["kind"] in ("CronJob", "Job", "DaemonSet"):
            found.add(item["metadata"]["name"])
    return found


@rendering.needs_chart
def test_frozen_release_runs_the_api_server_and_what_it_leans_on() -> None:
    left = {"airflow-api-server", "airflow-pgbouncer", "airflow-statsd"}
    assert {name for name in pods(Running.ALL) if "worker-gpu" in name}, "the whole release has all of them"
    assert pods(Running.FROZEN) == left | {"airflow-redis"}
    assert pods(Running.FROZEN, Executor.KUBERNETES) == left


@rendering.needs_chart
def test_stopped_release_runs_nothing() -> None:
    for executor in Executor:
        assert pods(Running.STOPPED, executor) == set()


def test_whole_release_has_the_values_that_it_had() -> None:
    assert with_running(values(), Running.ALL) == values()


def test_sentence_says_what_brings_it_back() -> None:
    assert Running.ALL.told("prod") == ""
    assert "pulumi config set --stack prod airflow:running all" in Running.FROZEN.told("prod")
