"""The arguments of `AirflowPlatform`, apart from it: reading them out of a config needs no Pulumi provider SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import versions
from components.aws.placement import AwsPlacement
from components.aws.pod_identity import PodIdentity
from components.chart_values.executor import Executor
from components.chart_values.ingress import Ingress
from components.chart_values.metrics import Monitoring
from components.chart_values.running import Running
from components.chart_values.scale import Scale, WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.chart_values.worker_group import WorkerGroup
from components.connections.given import GivenConnections
from components.connections.pools import Pool
from components.dags.delivery import Dags, GitCredentials
from components.database.backup_bucket import BackupStore
from components.database.broker import Broker
from components.database.connection import ContainerDatabase, DatabaseLogins, ExternalDatabase
from components.database.pgbouncer import PgBouncer
from components.database.rds_settings import ManagedDatabase
from components.keys.existing_keys import ExistingKeys
from components.keys.given_keys import GivenKeys
from components.kube.images import Images
from components.kube.secret import SecretInput
from components.login.oidc import Oidc
from components.network.isolation_args import IsolationArgs
from components.preflight.finding import Preflight
from components.task_logs.store import TaskLogs
from components.verification.verified import Verified


@dataclass(frozen=True, kw_only=True)
class AirflowPlatformArgs:
    """Arguments of `AirflowPlatform`. `settings` makes them from a stack's config.

    A default here is also the default of the config key.
    """

    kubeconfig: str | None
    """Kubeconfig of the provider that the component is given: its path or its text. None takes kubectl's own."""
    kube_context: str
    """Context of the provider that the component is given."""
    namespace: str
    """Namespace to create. The component owns everything in it."""
    protect: bool
    """Refuse to delete or replace what holds data or keys."""
    chart: str
    """Path of the chart's archive, relative to the program."""
    executor: Executor
    """Which executors run."""
    dags: Dags
    """The Git repository of the DAGs, and how it reaches the pods."""
    database: ContainerDatabase | ExternalDatabase | ManagedDatabase
    """The metadata database."""
    task_logs: TaskLogs
    """Where task logs are kept."""
    isolation: IsolationArgs
    """Network isolation of the namespace."""
    images: Images = field(default_factory=lambda: Images(tag=versions.AIRFLOW))
    """Which images run, and where they are pulled from."""
    registry_credentials: SecretInput | None = None
    """A Docker config.json for the registries that images are pulled from."""
    airflow_version: str = versions.AIRFLOW
    """Version of Airflow in the image. The chart decides by it what to deploy."""
    git: GitCredentials = field(default_factory=GitCredentials)
    """Credentials of a private repository."""
    keys: GivenKeys = field(default_factory=GivenKeys)
    """Keys that are already in use elsewhere. The others are generated."""
    existing_keys: ExistingKeys | None = None
    """Secrets with the keys of Airflow that something else puts into the namespace. None makes them."""
    aws: AwsPlacement | None = None
    """Where in AWS the stack is. Needed for a managed database, task logs in S3, or an escrow."""
    key_escrow: str | None = None
    """Name of the secret in AWS Secrets Manager that gets a copy of all keys. None keeps no copy."""
    broker: Broker | None = None
    """A Redis outside the stack that Celery uses in place of the chart's. None runs the chart's."""
    admin_username: str = "admin"
    """User name of the admin."""
    admin_email: str = "admin@example.com"
    """E-mail address of the admin."""
    pgbouncer: PgBouncer | None = None
    """The connection pooler. None connects the pods to the database directly."""
    logins: DatabaseLogins = field(default_factory=DatabaseLogins)
    """Who logs in to the database in place of its own role."""
    preflight: Preflight = Preflight.REQUIRED
    """Whether what the release needs is tried before an update changes anything, and what a failure does."""
    backup_store: BackupStore = BackupStore.VOLUME
    """Where dumps of the database are kept."""
    backup_storage_gib: int = 0
    """Size of the volume for backups of the database in GiB. 0 makes none."""
    backup_schedule: str = ""
    """When a backup is made by itself, as a CronJob takes it, UTC. "" makes none."""
    backup_retention_days: int = 30
    """Age in days at which scheduled backups delete earlier ones. 0 keeps all."""
    restoring: bool = False
    """Whether a backup is being restored. A container database then runs even where nothing else does."""
    migration_timeout_seconds: int = 600
    """Seconds after which a database migration fails."""
    release_timeout_seconds: int = 900
    """Seconds after which an update fails if a pod is not ready."""
    task_logs_retention_days: int = 90
    """Days that task logs are kept in S3."""
    pod_identity: PodIdentity = PodIdentity.EKS_POD_IDENTITY
    """How pods get their AWS role."""
    task_policy_arns: tuple[str, ...] = ()
    """ARNs of IAM policies that tasks need. Workers, task pods and the triggerer get them."""
    running: Running = Running.ALL
    """How much of Airflow runs."""
    size: SizePreset = SizePreset.NONE
    """CPU and memory of each component."""
    scale: Scale = field(default_factory=Scale)
    """Pods of each component."""
    autoscaling: WorkerAutoscaling | None = None
    """Autoscaling of the default Celery workers. None keeps their number fixed."""
    worker_groups: tuple[WorkerGroup, ...] = ()
    """Groups of Celery workers beside the default workers, each with queues of its own."""
    worker_grace_seconds: int = 600
    """Seconds that a stopping worker gives its tasks to end."""
    task_service_accounts: tuple[str, ...] = ()
    """Service accounts that a DAG may choose for the pod of a task, beside that of the workers."""
    metadata_retention_days: int = 0
    """Days after which metadata is deleted, once a week. 0 keeps everything."""
    ingress: Ingress | None = None
    """How the API server is reached from outside the cluster. None keeps it inside."""
    oidc: Oidc | None = None
    """How people log in to the UI. None asks for user name and password."""
    connections: GivenConnections = field(default_factory=GivenConnections)
    """Connections and variables for the server components."""
    secrets_prefix: str | None = None
    """How the names of those secrets in AWS Secrets Manager begin that are connections and variables, or None."""
    pools: tuple[Pool, ...] = ()
    """Pools that Airflow is given. Others stay as they are."""
    monitoring: Monitoring = Monitoring.OFF
    """Whether the stack is watched, and how Prometheus finds its pods."""
    monitoring_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels by which the Prometheus operator selects its objects."""
    runbook_url: str | None = None
    """Address of the page that explains the alerts. None names its path in the repository."""
    verified: Verified | None = None
    """The DAG that is run by a schedule, to see that DAGs run. None runs none."""
    load_examples: bool = False
    """Load the example DAGs of the Airflow image."""
    helm_values: Mapping[str, Any] = field(default_factory=dict)
    """Other values of the chart, merged last."""

    @property
    def client_certificate(self) -> str | None:
        """Secret with the certificate by which pods log in to an external database, or None."""
        found = self.database
        return found.database.client_certificate if isinstance(found, ExternalDatabase) else None

    @property
    def keda_namespace(self) -> str | None:
        """Namespace of KEDA's operator, or None if KEDA scales no workers."""
        scaled = (self.autoscaling, *(group.autoscaling for group in self.worker_groups))
        return next((found.keda_namespace for found in scaled if found is not None), None)
