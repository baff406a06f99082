"""KEDA's objects: what they scale, what they ask, and that the password is nowhere but in its Secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import pulumi
import pulumi_random as random
import pytest

from components.chart_values.executor import Executor
from components.chart_values.scale import WorkerAutoscaling
from components.chart_values.worker_group import WorkerGroup, default_queues
from components.database.connection import Database, SslMode
from components.database.pgbouncer import METADATA_POOL
from components.kube.secret import Secret
from components.release.autoscaling import (
    DEFAULT_WORKERS,
    ScaledWorkers,
    WorkerScaler,
    WorkerScalerArgs,
    needed_workers_query,
    scaled_group,
)
from tests.cases import each

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

PASSWORD: Final = "sentinel p@ss:w/rd%41?#'\"\\$~é"
SCALED: Final = "kubernetes:keda.sh/v1alpha1:ScaledObject"
AUTHENTICATION: Final = "kubernetes:keda.sh/v1alpha1:TriggerAuthentication"
DEFAULT: Final = ScaledWorkers(
    account=DEFAULT_WORKERS,
    queues=("default",),
    autoscaling=WorkerAutoscaling(max_workers=9, stabilization_seconds=120),
    min_workers=3,
    concurrency=16,
)
with_celery = each("executor", [executor for executor in Executor if executor.celery])


def arguments(**changes: Any) -> WorkerScalerArgs:
    given: dict[str, Any] = {
        "namespace": "airflow-prod",
        "release_name": "airflow",
        "database": Database(
            host="db.test",
            port=5433,
            name="metadata_db",
            user="robot",
            password=Secret(PASSWORD),
            ssl_mode=SslMode.REQUIRE,
        ),
        "executor": Executor.CELERY,
        "workers": (DEFAULT,),
        "worker_grace_seconds": 600,
        "stateful": False,
    }
    return WorkerScalerArgs(**given | changes)


def made(record: Record, **changes: Any) -> Recorder:
    return record(lambda: WorkerScaler("workers", arguments(**changes)))


def spec(record: Record, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = made(record, **changes).one(SCALED).inputs["spec"]
    return found


def test_secret_holds_the_way_to_the_pooler(record: Record) -> None:
    """From another namespace, in the words of a driver without SQLAlchemy, and without TLS, which it does not speak."""

    def program() -> None:
        WorkerScaler("workers", arguments(namespace=pulumi.Output.from_input("airflow-prod")))

    split = urlsplit(record(program).secret_data("workers-connection")["connection"])
    assert split.scheme == "postgresql"
    assert (split.hostname, split.port) == ("airflow-pgbouncer.airflow-prod.svc", 6543)
    assert split.path == f"/{METADATA_POOL}"
    assert unquote(str(split.username)) == "robot"
    assert unquote(str(split.password)) == PASSWORD
    assert parse_qs(split.query) == {"sslmode": ["disable"]}


def test_secret_is_immutable_and_the_password_is_nowhere_else(record: Record) -> None:
    recorder = made(record)
    assert recorder.one("kubernetes:core/v1:Secret").inputs["immutable"] is True
    for resource in recorder.every():
        assert "sentinel" not in resource.plain_text


def test_keda_reads_the_secret_by_its_name(record: Record) -> None:
    recorder = made(record)
    (target,) = recorder.one(AUTHENTICATION).inputs["spec"]["secretTargetRef"]
    assert target["name"].startswith("workers-connection-")
    assert (target["parameter"], target["key"]) == ("connection", "connection")
    (trigger,) = recorder.one(SCALED).inputs["spec"]["triggers"]
    assert trigger["type"] == "postgresql"
    assert trigger["authenticationRef"]["name"].startswith("workers-authentication-")
    for resource in recorder.every(SCALED) + recorder.every(AUTHENTICATION):
        assert resource.inputs["metadata"]["namespace"] == "airflow-prod"


def test_pools_of_two_stacks_are_told_apart(record: Record) -> None:
    """KEDA shares a pool of connections between triggers that name the same host, user and database, or none."""
    (trigger,) = spec(record)["triggers"]
    (other,) = spec(record, namespace="airflow-test")["triggers"]
    asked = [tuple(found["metadata"][key] for key in ("host", "userName", "dbName")) for found in (trigger, other)]
    assert asked == [
        ("airflow-pgbouncer.airflow-prod.svc", "robot", METADATA_POOL),
        ("airflow-pgbouncer.airflow-test.svc", "robot", METADATA_POOL),
    ]
    assert "passwordFromEnv" not in trigger["metadata"]


@pytest.mark.parametrize(("stateful", "kind"), [(False, "Deployment"), (True, "StatefulSet")])
def test_what_is_scaled_is_the_release_s_workers(record: Record, stateful: bool, kind: str) -> None:
    target = spec(record, stateful=stateful)["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": kind, "name": "airflow-worker"}


def test_number_stays_between_its_bounds_and_falls_slowly(record: Record) -> None:
    found = spec(record)
    assert (found["minReplicaCount"], found["maxReplicaCount"]) == (3, 9)
    assert found["cooldownPeriod"] > 600, "longer than a worker may take to end its tasks"
    behaviour = found["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 120
    (policy,) = behaviour["scaleDown"]["policies"]
    assert policy["type"] == "Percent"
    assert 0 < policy["value"] < 100


def test_scaler_comes_after_what_it_scales(record: Record) -> None:
    def program() -> None:
        WorkerScaler("workers", arguments(after=(random.RandomId("release", byte_length=1),)))

    recorder = record(program)
    release = recorder.one("random:index/randomId:RandomId").urn
    assert release in recorder.one(SCALED).request.dependencies
    (output,) = (found for urn, found in recorder.outputs.items() if "WorkerScaler" in urn)
    assert output["scaled_object"].startswith("workers-")


def test_preview_registers_the_same(record: Record) -> None:
    def program() -> None:
        WorkerScaler("workers", arguments())

    kinds = [resource.type for resource in record(program, preview=True).every()]
    assert kinds == [resource.type for resource in record(program).every()]


# The question


def needed(
    executor: Executor,
    tasks: list[tuple[str, str, str | None]],
    concurrency: int,
    queues: tuple[str, ...] = ("default",),
) -> float:
    """Asks SQLite, which knows all of the query but the cast."""
    import sqlite3

    with sqlite3.connect(":memory:") as connection:
        connection.create_function("ceil", 1, lambda value: -int(-value // 1))
        connection.execute("CREATE TABLE task_instance (state TEXT, queue TEXT, executor TEXT)")
        connection.executemany("INSERT INTO task_instance VALUES (?, ?, ?)", tasks)
        query = needed_workers_query(executor, concurrency, queues).replace("::decimal", " * 1.0")
        return float(connection.execute(query).fetchone()[0])


@each(("waiting", "workers"), [(0, 0), (1, 1), (16, 1), (17, 2), (160, 10)])
@with_celery
def test_as_many_workers_as_the_tasks_need(executor: Executor, waiting: int, workers: int) -> None:
    celery = None if executor is not Executor.KUBERNETES_AND_CELERY else "CeleryExecutor"
    assert needed(executor, [("queued", "default", celery)] * waiting, 16) == workers


@with_celery
def test_tasks_that_no_worker_would_take_are_not_counted(executor: Executor) -> None:
    celery = None if executor is not Executor.KUBERNETES_AND_CELERY else "CeleryExecutor"
    states = [(state, "default", celery) for state in ("success", "failed", "deferred", "scheduled", "up_for_retry")]
    assert needed(executor, [*states, ("queued", "gpu", celery), ("running", "default", celery)], 1) == 1


@pytest.mark.parametrize("name", ["KubernetesExecutor", "a.b.c.KubernetesExecutor"])
def test_task_pods_need_no_worker(name: str) -> None:
    for executor in (Executor.CELERY_AND_KUBERNETES, Executor.KUBERNETES_AND_CELERY):
        assert needed(executor, [("running", "default", name)], 1) == 0


@each("name", ["CeleryExecutor", "a.b.c.CeleryExecutor"])
@with_celery
def test_task_that_names_celery_needs_one(executor: Executor, name: str) -> None:
    assert needed(executor, [("running", "default", name)], 1) == 1


def test_task_without_a_name_is_the_first_executor_s() -> None:
    unnamed: list[tuple[str, str, str | None]] = [("queued", "default", None)]
    assert needed(Executor.CELERY_AND_KUBERNETES, unnamed, 1) == 1
    assert needed(Executor.KUBERNETES_AND_CELERY, unnamed, 1) == 0


# Groups

GPU: Final = WorkerGroup(
    name="gpu", queues=("gpu", "o'neill"), replicas=0, concurrency=2, autoscaling=WorkerAutoscaling(max_workers=4)
)


def test_each_group_has_a_scaler_of_its_own_for_its_own_tasks(record: Record) -> None:
    recorder = made(record, workers=(DEFAULT, scaled_group(GPU)))
    default, gpu = recorder.one(SCALED, "workers"), recorder.one(SCALED, "workers-gpu")
    assert gpu.inputs["spec"]["scaleTargetRef"]["name"] == "airflow-worker-gpu"
    assert (gpu.inputs["spec"]["minReplicaCount"], gpu.inputs["spec"]["maxReplicaCount"]) == (0, 4)
    (query,) = (found["metadata"]["query"] for found in gpu.inputs["spec"]["triggers"])
    assert "queue IN ('gpu', 'o''neill')" in query
    assert "/ 2)" in query, "with the group's concurrency"
    assert default.inputs["spec"] == spec(record), "as without groups"
    assert len(recorder.every(AUTHENTICATION)) == len(recorder.every("kubernetes:core/v1:Secret")) == 1


def test_group_alone_may_be_scaled(record: Record) -> None:
    recorder = made(record, workers=(scaled_group(GPU),))
    assert [found.name for found in recorder.every(SCALED)] == ["workers-gpu"]


@each("queues", [("gpu",), ("gpu", "o'neill"), ("default", "high")])
@with_celery
def test_tasks_of_other_queues_need_no_worker_of_these(executor: Executor, queues: tuple[str, ...]) -> None:
    celery = None if executor is not Executor.KUBERNETES_AND_CELERY else "CeleryExecutor"
    waiting = [("queued", queue, celery) for queue in ("default", "gpu", "o'neill", "high", "GPU")]
    assert needed(executor, waiting, 1, queues) == len(queues)


@each(
    ("helm_values", "queues"),
    [
        ({}, ("default",)),
        ({"workers": {"celery": {"queue": "default"}}}, ("default",)),
        ({"workers": {"celery": {"queue": "a, b"}}}, ("a", "b")),
        ({"config": {"operators": {"default_queue": "main"}}}, ("main",)),
        ({"workers": {"celery": {"queue": "a"}}, "config": {"operators": {"default_queue": "main"}}}, ("a",)),
    ],
)
def test_default_workers_serve_what_the_chart_tells_them(helm_values: dict[str, Any], queues: tuple[str, ...]) -> None:
    assert default_queues(helm_values) == queues


# What is refused


def test_executor_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="executor: expected one with Celery workers, found KubernetesExecutor"):
        arguments(executor=Executor.KUBERNETES)


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="max_workers: expected at least min_workers 3, found 2"):
        replace(DEFAULT, autoscaling=WorkerAutoscaling(max_workers=2))


@each("workers", [(), (replace(DEFAULT, autoscaling=None),)])
def test_nothing_to_scale_is_refused(workers: tuple[ScaledWorkers, ...]) -> None:
    with pytest.raises(ValueError, match="workers: expected one or more, each with autoscaling"):
        arguments(workers=workers)


def test_keda_keeps_no_worker_while_it_is_paused(record: Record) -> None:
    def annotations(**changes: Any) -> Any:
        recorder = record(lambda: WorkerScaler("scaler", arguments(**changes)))
        return recorder.one(SCALED).inputs["metadata"].get("annotations")

    assert annotations() is None
    assert annotations(paused=True) == {"autoscaling.keda.sh/paused-replicas": "0"}
