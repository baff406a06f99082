"""The settings of a stack that decide its Helm values."""

from __future__ import annotations

from dataclasses import dataclass, field

import versions
from components.chart_values.executor import Executor
from components.chart_values.ingress import Ingress
from components.chart_values.metrics import Monitoring
from components.chart_values.scale import Scale, WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.chart_values.worker_group import WorkerGroup
from components.dags.delivery import Dags
from components.database.pgbouncer import PgBouncer
from components.kube.images import Images
from components.task_logs.store import TaskLogs


@dataclass(frozen=True, kw_only=True)
class ReleaseSettings:
    """The settings that the Helm values need as they are given: a part of `AirflowPlatformArgs` and `ReleaseInputs`.

    A default here is also the default of the config key.
    """

    executor: Executor
    """Which executors run."""
    dags: Dags
    """The Git repository of the DAGs, and how it reaches the pods."""
    task_logs: TaskLogs
    """Where task logs are kept."""
    images: Images = field(default_factory=lambda: Images(tag=versions.AIRFLOW))
    """Which images run, and where they are pulled from."""
    airflow_version: str = versions.AIRFLOW
    """Version of Airflow in the image. The chart decides by it what to deploy."""
    pgbouncer: PgBouncer | None = None
    """The connection pooler. None connects the pods to the database directly."""
    size: SizePreset = SizePreset.NONE
    """CPU and memory of each component. Any size but `none` also adds what a deployment of several nodes needs."""
    scale: Scale = field(default_factory=Scale)
    """Pods of each component."""
    autoscaling: WorkerAutoscaling | None = None
    """Autoscaling of the default Celery workers. None keeps their number fixed."""
    worker_groups: tuple[WorkerGroup, ...] = ()
    """Groups of Celery workers beside the default workers, each with queues of its own."""
    worker_grace_seconds: int = 600
    """Seconds that a stopping worker gives its tasks to end."""
    metadata_retention_days: int = 0
    """Days after which metadata is deleted, once a week. 0 keeps everything."""
    ingress: Ingress | None = None
    """How the API server is reached from outside the cluster. None keeps it inside."""
    secrets_prefix: str | None = None
    """How the names of those secrets in AWS Secrets Manager begin that are connections and variables, or None."""
    monitoring: Monitoring = Monitoring.OFF
    """Whether the stack is watched, and how Prometheus finds its pods."""
    load_examples: bool = False
    """Load the example DAGs of the Airflow image."""
