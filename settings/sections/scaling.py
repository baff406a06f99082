"""How many pods of each component there are, how large they are, and how workers come and go."""

from __future__ import annotations

from enum import StrEnum

from components import fields
from components.release.executor import Executor
from components.release.scale import Scale, WorkerAutoscaling
from settings.reader import PROJECT, Reader


class _WorkerScaling(StrEnum):
    FIXED = "fixed"
    KEDA = "keda"


def read_scale(read: Reader) -> Scale:
    """The keys …Replicas and workerConcurrency."""
    return Scale(
        api_server=read.integer("apiServerReplicas", 1, 50),
        scheduler=read.integer("schedulerReplicas", 1, 50),
        dag_processor=read.integer("dagProcessorReplicas", 1, 50),
        triggerer=read.integer("triggererReplicas", 1, 50),
        worker=read.integer("workerReplicas", 1, 1000),
        worker_concurrency=read.integer("workerConcurrency", 1, 1000),
    )


def read_autoscaling(read: Reader, executor: Executor, scale: Scale) -> WorkerAutoscaling | None:
    """The keys workerScaling, workerMaxReplicas and kedaNamespace; None for a fixed number of workers."""
    scaling = read.choice("workerScaling", _WorkerScaling)
    most = read.integer("workerMaxReplicas", 1, 1000)
    namespace = read.text("kedaNamespace", fields.dns_label) or ""
    if scaling is not _WorkerScaling.KEDA:
        return None
    if not executor.celery:
        read.problem(
            "workerScaling",
            f"expected fixed with airflow:executor {executor}, which has no standing workers, found keda",
            f"pulumi config set {PROJECT}:workerScaling fixed",
        )
    if not read.boolean("pgbouncerEnabled") and not read.bad("pgbouncerEnabled"):
        read.problem(
            "workerScaling",
            "expected airflow:pgbouncerEnabled true with keda, found false: KEDA asks the database every few seconds, "
            "and it does so through PgBouncer, the one way in that is open to another namespace",
            f"pulumi config set {PROJECT}:pgbouncerEnabled true, or pulumi config set {PROJECT}:workerScaling fixed",
        )
    if most < scale.worker:
        read.problem("workerMaxReplicas", f"expected at least airflow:workerReplicas, {scale.worker}, found {most}")
        most = scale.worker
    return WorkerAutoscaling(max_workers=most, keda_namespace=namespace)


def read_release_timeout(read: Reader, executor: Executor) -> tuple[int, int]:
    """The keys releaseTimeoutSeconds and workerGraceSeconds.

    A worker with a volume of its own is replaced only when it has gone, and it goes when its tasks have ended.
    """
    seconds = read.integer("releaseTimeoutSeconds", 60, 7200)
    grace = read.integer("workerGraceSeconds", 30, 86_400)
    celery = executor.celery and not read.bad("executor")
    if celery and read.raw("taskLogs") == "worker" and seconds <= grace:
        read.problem(
            "releaseTimeoutSeconds",
            f"expected more than airflow:workerGraceSeconds, {grace}, with airflow:taskLogs worker, found {seconds}: a "
            "worker may take so long to end its tasks",
        )
    return seconds, grace
