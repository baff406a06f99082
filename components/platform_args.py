"""The arguments of `AirflowPlatform`, apart from it: reading them out of a config needs no Pulumi provider SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.aws.placement import AwsPlacement
from components.aws.pod_identity import PodIdentity
from components.chart_values.release_settings import ReleaseSettings
from components.chart_values.running import Running
from components.connections.given import GivenConnections
from components.connections.pools import Pool
from components.dags.delivery import GitCredentials
from components.database.backup_bucket import BackupStore
from components.database.broker import Broker
from components.database.connection import ContainerDatabase, DatabaseLogins, ExternalDatabase
from components.database.rds_settings import ManagedDatabase
from components.keys.existing_keys import ExistingKeys
from components.keys.given_keys import GivenKeys
from components.kube.secret import SecretInput
from components.login.oidc import Oidc
from components.network.isolation_args import IsolationArgs
from components.preflight.finding import Preflight
from components.verification.verified import Verified


@dataclass(frozen=True, kw_only=True)
class AirflowPlatformArgs(ReleaseSettings):
    """Arguments of `AirflowPlatform`, beside the settings that its Helm values need.

    `settings` makes them from a stack's config. A default here is also the default of the config key.
    """

    kubeconfig: str | None = field(repr=False)
    """Kubeconfig of the provider that the component is given: its path or its text. None takes kubectl's own."""
    kube_context: str
    """Context of the provider that the component is given."""
    namespace: str
    """Namespace to create. The component owns everything in it."""
    protect: bool
    """Refuse to delete or replace what holds data or keys."""
    chart: str
    """Path of the chart's archive, relative to the program."""
    database: ContainerDatabase | ExternalDatabase | ManagedDatabase
    """The metadata database."""
    isolation: IsolationArgs
    """Network isolation of the namespace."""
    registry_credentials: SecretInput | None = None
    """A Docker config.json for the registries that images are pulled from."""
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
    task_service_accounts: tuple[str, ...] = ()
    """Service accounts that a DAG may choose for the pod of a task, beside that of the workers."""
    oidc: Oidc | None = None
    """How people log in to the UI. None asks for user name and password."""
    connections: GivenConnections = field(default_factory=GivenConnections)
    """Connections and variables for the server components."""
    pools: tuple[Pool, ...] = ()
    """Pools that Airflow is given. Others stay as they are."""
    monitoring_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels by which the Prometheus operator selects its objects."""
    runbook_url: str | None = None
    """Address of the page that explains the alerts. None names its path in the repository."""
    verified: Verified | None = None
    """The DAG that is run by a schedule, to see that DAGs run. None runs none."""
    helm_values: Mapping[str, Any] = field(default_factory=dict, repr=False)
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
