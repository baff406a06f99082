"""The executor, how many pods each component has and how large they are, and how workers come and go."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from components.chart_values.executor import Executor
from components.chart_values.running import Running
from components.chart_values.scale import Scale, WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.platform_args import AirflowPlatformArgs
from components.texts import fields
from settings.keys import ConfigKey, Section
from settings.reading import Config
from settings.sections.database import PGBOUNCER_ENABLED

_MOST_PODS = 50
MOST_WORKERS: Final = 1000
"""The largest number of workers of one kind."""
MOST_CONCURRENCY: Final = 1000
"""The largest number of tasks that one worker runs at a time."""

KEDA_NEEDS_PGBOUNCER: Final = (
    "KEDA queries the database every few seconds from its own namespace, and that is possible only through PgBouncer"
)

_RELEASE = "airflow-"

SECTION = Section("Executor and size")


def _task_account(text: str) -> str:
    if text.startswith(_RELEASE):
        fields.refuse(
            f"expected a service account of your own, found {text}: names that begin with {_RELEASE} belong to the "
            "release"
        )
    return fields.dns_subdomain(text)


class WorkerScaling(StrEnum):
    """`fixed`: the number of workers is workerReplicas. `keda`: KEDA adds workers while tasks wait."""

    FIXED = "fixed"
    KEDA = "keda"


SIZE = SECTION.choice(
    "size",
    SizePreset,
    default=AirflowPlatformArgs.size,
    description="CPU and memory of each component: none (nothing is requested, for a laptop), small, medium or large.",
)
RUNNING = SECTION.choice(
    "running",
    Running,
    default=AirflowPlatformArgs.running,
    description="all, frozen (the API server alone runs: nothing is scheduled or executed) or stopped (nothing runs, "
    "and all data stays).",
)
EXECUTOR = SECTION.choice(
    "executor",
    Executor,
    default=Executor.CELERY,
    description="CeleryExecutor, KubernetesExecutor, or both with a comma (the first is the default of a task).",
)


def _replicas(name: str, component: str, default: int) -> ConfigKey[int]:
    return SECTION.integer(
        name, 1, _MOST_PODS, default=default, description=f"Pods of the {component}, {{least}} to {{most}}."
    )


API_SERVER_REPLICAS = _replicas("apiServerReplicas", "API server", Scale.api_server)
SCHEDULER_REPLICAS = _replicas("schedulerReplicas", "scheduler", Scale.scheduler)
DAG_PROCESSOR_REPLICAS = _replicas("dagProcessorReplicas", "DAG processor", Scale.dag_processor)
TRIGGERER_REPLICAS = _replicas("triggererReplicas", "triggerer", Scale.triggerer)
WORKER_REPLICAS = SECTION.integer(
    "workerReplicas",
    1,
    MOST_WORKERS,
    default=Scale.worker,
    description="Celery workers beside those of workerGroups, {least} to {most}. With workerScaling keda the smallest "
    "number.",
)
WORKER_CONCURRENCY = SECTION.integer(
    "workerConcurrency",
    1,
    MOST_CONCURRENCY,
    default=Scale.worker_concurrency,
    description="Tasks that one Celery worker runs at a time, {least} to {most}.",
)
WORKER_SCALING = SECTION.choice(
    "workerScaling",
    WorkerScaling,
    default=WorkerScaling.FIXED,
    description="fixed (workerReplicas workers), or keda (more while tasks wait; KEDA must be in the cluster).",
)
WORKER_MAX_REPLICAS = SECTION.integer(
    "workerMaxReplicas",
    1,
    MOST_WORKERS,
    default=10,
    description="The largest number of workers with workerScaling keda, {least} to {most}.",
)
KEDA_NAMESPACE = SECTION.text(
    "kedaNamespace",
    fields.dns_label,
    default=WorkerAutoscaling.keda_namespace,
    description="Namespace of KEDA's operator, with workerScaling keda or an autoscaled worker group.",
)
WORKER_GRACE_SECONDS = SECTION.integer(
    "workerGraceSeconds",
    30,
    86_400,
    default=AirflowPlatformArgs.worker_grace_seconds,
    description="Seconds that a stopping worker waits for its tasks to end, {least} to {most}.",
)
TASK_SERVICE_ACCOUNTS = SECTION.texts(
    "taskServiceAccounts",
    _task_account,
    description="Service accounts that a DAG may choose for the pod of a task, with KubernetesExecutor. You make them "
    "in the stack's namespace. A task pod may always have the workers' own.",
)


def read_task_service_accounts(config: Config) -> tuple[str, ...]:
    """Return the accounts that task pods may have beside that of the workers."""
    accounts = config[TASK_SERVICE_ACCOUNTS]
    if accounts and not config.bad(EXECUTOR) and not config[EXECUTOR].kubernetes:
        config.must_not_be_set(
            TASK_SERVICE_ACCOUNTS,
            f"with {EXECUTOR.full} {config[EXECUTOR]}, which starts no task pods",
            instead=f"pulumi config set {EXECUTOR.full} KubernetesExecutor",
        )
    return accounts


def read_scale(config: Config) -> Scale:
    """Return the number of pods of each component."""
    return Scale(
        api_server=config[API_SERVER_REPLICAS],
        scheduler=config[SCHEDULER_REPLICAS],
        dag_processor=config[DAG_PROCESSOR_REPLICAS],
        triggerer=config[TRIGGERER_REPLICAS],
        worker=config[WORKER_REPLICAS],
        worker_concurrency=config[WORKER_CONCURRENCY],
    )


def read_autoscaling(config: Config) -> WorkerAutoscaling | None:
    """Return the bounds of autoscaling, or None for a fixed number of workers."""
    executor, workers, most = config[EXECUTOR], config[WORKER_REPLICAS], config[WORKER_MAX_REPLICAS]
    namespace = config[KEDA_NAMESPACE]
    if config[WORKER_SCALING] is not WorkerScaling.KEDA:
        if config.given(WORKER_MAX_REPLICAS) and not config.bad(WORKER_SCALING):
            keda = f"pulumi config set {WORKER_SCALING.full} keda"
            config.must_not_be_set(WORKER_MAX_REPLICAS, f"without {WORKER_SCALING.full} keda", instead=keda)
        return None
    fixed = f"pulumi config set {WORKER_SCALING.full} fixed"
    if not executor.celery:
        config.problem(
            WORKER_SCALING,
            f"expected fixed with {EXECUTOR.full} {executor}, which has no standing workers, found keda",
            fixed,
        )
    if not config[PGBOUNCER_ENABLED] and not config.bad(PGBOUNCER_ENABLED):
        config.problem(
            WORKER_SCALING,
            f"expected {PGBOUNCER_ENABLED.full} true with keda, found false: {KEDA_NEEDS_PGBOUNCER}",
            f"pulumi config set {PGBOUNCER_ENABLED.full} true, or {fixed}",
        )
    if most < workers:
        config.problem(WORKER_MAX_REPLICAS, f"expected at least {WORKER_REPLICAS.full}, {workers}, found {most}")
    return WorkerAutoscaling(max_workers=max(most, workers), keda_namespace=namespace)
