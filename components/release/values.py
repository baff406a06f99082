"""Helm values of chart 1.22.0, from typed input. Pure: Outputs pass through, and no Pulumi resource is created.

No value is a secret; where the chart needs one, the value is the name of a Kubernetes Secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.aws.pod_identity import PodRole
from components.dags.delivery import Dags, DagsDelivery
from components.database.access import CONNECTION_KEY, ca_mounts, ca_variables, ca_volumes, database_variables
from components.database.pgbouncer import PgBouncer
from components.keys.jwt_keys import JWKS_FOLDER, JWKS_KEY, JWKS_VOLUME, JWT_KEY_ID_KEY
from components.kube.env import fernet_key, from_secret, variable
from components.kube.images import Images
from components.kube.pod_security import (
    AIRFLOW_UID,
    CONTAINER,
    GIT_SYNC_UID,
    NOBODY_UID,
    READ_ONLY,
    REDIS_UID,
    pod_security_context,
)
from components.login.oidc import CLIENT_SECRET_VARIABLE
from components.login.oidc_client import CLIENT_SECRET
from components.release.availability import (
    API_SERVER_HOOKS,
    PGBOUNCER_HOOKS,
    ROLL,
    WORKERS_AT_ONCE,
    component_labels,
    disruption_budget,
    spread,
)
from components.release.chart_defaults import merged
from components.release.database_cleanup import cleanup_values
from components.release.executor import Executor
from components.release.ingress import Ingress, ingress_values, ingress_variables
from components.release.metrics import Monitoring, git_sync_variables, metrics_values
from components.release.scale import Scale, WorkerAutoscaling
from components.release.service_accounts import account_values, region_variables
from components.release.size_preset import SizePreset, size_values, sync_parallelism
from components.release.worker_group import WorkerGroup
from components.release.worker_groups import group_sets
from components.task_logs.remote import RemoteLogs, remote_log_values, remote_log_variables
from components.task_logs.store import TaskLogs, TaskLogStore

_START_UP_FAILURES: Final = 30
"""Failed probes, ten seconds apart, until a start counts as failed. With the chart's 6, a component on a busy laptop
restarts for ever."""
_STALE_WORKTREE_SECONDS: Final = 600
"""git-sync keeps a replaced tree this long, so that a task that imports from it does not lose its files."""
_API_RETRIES: Final = 12
"""Attempts of each request of a task to the API server, so that the task survives a database failover (60 to 120 s).

The waits between attempts are random, up to 2, 4, 8 … 64, then 90 s (task-sdk 1.2.2, sdk/api/client.py): 250 s on
average. The default of 5 gives up after 10 to 30 s: on a cluster, a task that began during a failover failed.
"""
_MAX_FAILED_HEARTBEATS: Final = 2
"""A failed heartbeat has taken all these attempts. The scheduler gives up a task after 300 s without a heartbeat
(`task_instance_heartbeat_timeout`), and a worker that is cut off must not continue for much longer."""
_OLD_REVISIONS: Final = 3
"""Old ReplicaSets that are kept for inspection; Helm does not need them for a rollback."""


@dataclass(frozen=True, kw_only=True)
class KeySecrets:
    """Names of the Secrets with the keys."""

    fernet_key: pulumi.Input[str]
    """Secret with the Fernet key of the database."""
    worker_key: pulumi.Input[str]
    """Secret with the Fernet key of workers and task pods."""
    api_secret_key: pulumi.Input[str]
    """Secret with the API secret key."""
    jwt_secret: pulumi.Input[str]
    """Secret with the JWT secret that signs."""
    jwt_key_id: pulumi.Input[str]
    """Secret with the id of that secret."""
    jwks: pulumi.Input[str]
    """Secret with the JWT secrets that the API server accepts."""
    redis_password: pulumi.Input[str]
    """Secret with the Redis password."""


@dataclass(frozen=True, kw_only=True)
class ConnectionSecrets:
    """Names of the Secrets with connections. broker and result_backend: with Celery; the others: with PgBouncer."""

    metadata: pulumi.Input[str]
    broker: pulumi.Input[str] | None = None
    result_backend: pulumi.Input[str] | None = None
    pgbouncer_config: pulumi.Input[str] | None = None
    pgbouncer_stats: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class DagAccess:
    """How pods fetch DAGs; empty for git-sync from a public repository."""

    ssh_key_secret: pulumi.Input[str] | None = None
    """Secret with the SSH key, for git-sync over SSH."""
    known_hosts: str | None = None
    """Trusted host keys, for git-sync over SSH."""
    credentials_secret: pulumi.Input[str] | None = None
    """Secret with user name and token, for git-sync over HTTPS."""
    git_sync_env: tuple[dict[str, Any], ...] = ()
    """Further variables of git-sync."""
    git_sync_mounts: tuple[dict[str, Any], ...] = ()
    """Further mounts of git-sync, of `volumes`."""
    bundle_config: tuple[dict[str, Any], ...] = ()
    """The chart's `dagBundleConfigList`, for GitDagBundle."""
    env: tuple[dict[str, Any], ...] = ()
    """Variables of the containers that load DAGs, for GitDagBundle."""
    volumes: tuple[dict[str, Any], ...] = ()
    """Volumes of the pods that load DAGs."""
    volume_mounts: tuple[dict[str, Any], ...] = ()
    """Mounts of these volumes in the containers that load DAGs, for GitDagBundle."""
    in_triggerer: bool = True
    """Whether the triggerer has them too. It clones no bundle; a single one is there as it always was."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """How people log in to the UI, where it is not by password."""

    server_config: str
    """The API server's `webserver_config.py`, as a template of the chart."""
    client_secret: pulumi.Input[str]
    """Secret with the secret of the OpenID Connect client."""


@dataclass(frozen=True, kw_only=True)
class ReleaseInputs:
    """Everything that decides the values."""

    executor: Executor
    """Executors that run the tasks."""
    airflow_version: str
    """Version of Airflow in the image."""
    images: Images
    """Where images come from."""
    keys: KeySecrets
    """Secrets with the keys."""
    connections: ConnectionSecrets
    """Secrets with the connections."""
    pgbouncer: PgBouncer | None
    """The connection pooler, or None."""
    dags: Dags
    """Repository of the DAGs."""
    dag_access: DagAccess
    """How pods fetch the DAGs."""
    task_logs: TaskLogs
    """Where task logs are stored."""
    task_log_claim: pulumi.Input[str] | None
    """Claim of the shared log volume, or None if each worker keeps its own logs, or S3 does."""
    scale: Scale
    """Number of pods of each component."""
    load_examples: bool
    """Whether to load Airflow's example DAGs."""
    release_name: str = "airflow"
    """Value of the chart's label `release` on every pod."""
    size: SizePreset = SizePreset.NONE
    """Resources of the containers; any size except `none` also adds what a deployment of several nodes needs."""
    worker_grace_seconds: int = 600
    """Time that a stopping worker or task pod has to finish its tasks, in seconds."""
    autoscaling: WorkerAutoscaling | None = None
    """Bounds of the number of default workers if KEDA scales them, or None."""
    worker_groups: tuple[WorkerGroup, ...] = ()
    """Groups of Celery workers beside the default workers."""
    pod_roles: Mapping[str, PodRole] = field(default_factory=dict)
    """IAM roles of pods, by the part of their service account's name after the release's; empty outside of AWS."""
    metadata_retention_days: int = 0
    """Age in days at which rows of finished runs are deleted, 0 for never."""
    remote_logs: RemoteLogs | None = None
    """Where task logs are outside the cluster; required with task logs s3 or remote, and only then."""
    ingress: Ingress | None = None
    """Access to the UI from outside the cluster, or None."""
    login: Login | None = None
    """How people log in to the UI, or None for a password."""
    connection_variables: tuple[dict[str, Any], ...] = ()
    """Variables with connections and variables of Airflow, for the server components."""
    monitoring: Monitoring = Monitoring.OFF
    """Whether metrics have labels, and how they are found."""
    database_ca: pulumi.Input[str] | None = None
    """ConfigMap with the database's CA certificates (`ca.crt`, at most 128 KiB), or None if nothing is verified."""

    def __post_init__(self) -> None:
        """Raise ValueError for task logs outside the cluster without a place, and for a place with other task logs."""
        outside = self.task_logs.store in (TaskLogStore.S3, TaskLogStore.REMOTE)
        if outside != (self.remote_logs is not None):
            raise ValueError(
                f"remote_logs: must be set with task logs s3 or remote and only then, found {self.task_logs.store}"
            )

    @property
    def most_workers(self) -> int:
        """The largest number of default workers."""
        return max(self.scale.worker, self.autoscaling.max_workers if self.autoscaling else 0)

    @property
    def direct_ca(self) -> pulumi.Input[str] | None:
        """The ConfigMap for Airflow's own pods; None with PgBouncer, which then connects to the database for them."""
        return None if self.pgbouncer else self.database_ca


def airflow_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return the chart's values. Each of the functions below makes one part."""
    values: dict[str, Any] = {}
    for part in (
        _general,
        _secrets,
        _components,
        _workers,
        _redis,
        _pgbouncer,
        _dags,
        _logs,
        _security,
        _read_only,
        _airflow_cfg,
        _availability,
        _groups,
        _rolls,
        _cleanup,
    ):
        values = merged(values, part(inputs))
    for more in (
        size_values(inputs.size, inputs.scale.worker_concurrency),
        remote_log_values(inputs.remote_logs),
        account_values(inputs.pod_roles),
        ingress_values(inputs.ingress),
        metrics_values(inputs.monitoring, git_sync=inputs.dags.delivery is DagsDelivery.GIT_SYNC),
        inputs.images.chart_values(),
    ):
        values = merged(values, more)
    return values


def _general(inputs: ReleaseInputs) -> dict[str, Any]:
    return {
        "useStandardNaming": False,  # with it off, names are RELEASE-COMPONENT: airflow-api-server
        "enableServiceLinks": False,
        "airflowVersion": inputs.airflow_version,
        "executor": inputs.executor.value,
        # The program's own components do all of these.
        "postgresql": {"enabled": False},
        "migrateDatabaseJob": {"enabled": False},
        "createUserJob": {"enabled": False},
        "networkPolicies": {"enabled": False},
        "allowPodLaunching": False,
        "env": [{"name": "AIRFLOW__CORE__LOAD_EXAMPLES", "value": str(inputs.load_examples)}],
    }


def _secrets(inputs: ReleaseInputs) -> dict[str, Any]:
    connections = inputs.connections
    data = {
        "metadataSecretName": connections.metadata,
        "brokerUrlSecretName": connections.broker,
        "resultBackendSecretName": connections.result_backend,
    }
    return {
        "fernetKeySecretName": inputs.keys.fernet_key,
        "apiSecretKeySecretName": inputs.keys.api_secret_key,
        "jwtSecretName": inputs.keys.jwt_secret,
        "data": {key: name for key, name in data.items() if name is not None},
        # Off for all pods; below, only the components that use the database get these, never a worker.
        "enableBuiltInSecretEnvVars": {
            "AIRFLOW__CORE__FERNET_KEY": False,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": False,
            "AIRFLOW_CONN_AIRFLOW_DB": False,
        },
    }


def _components(inputs: ReleaseInputs) -> dict[str, Any]:
    scale, kubernetes = inputs.scale, inputs.executor.kubernetes
    start_up = {"startupProbe": {"failureThreshold": _START_UP_FAILURES}}
    access, log_variables = inputs.dag_access, remote_log_variables(inputs.remote_logs)
    database_env = [
        fernet_key(inputs.keys.fernet_key),
        *database_variables(inputs.connections.metadata),
        *ca_variables(inputs.direct_ca),
        *inputs.connection_variables,
    ]
    database = {"env": database_env, "waitForMigrations": {"enabled": False}, **_ca_mount(inputs.direct_ca)}
    no_token = {"serviceAccount": {"automountServiceAccountToken": False}}
    # Only these two use the Kubernetes API: to start task pods, and to read the log of a running one.
    token = {"serviceAccount": {"automountServiceAccountToken": kubernetes}}
    loads_dags = {
        "env": [*database_env, *access.env],
        "extraVolumes": [*access.volumes, *ca_volumes(inputs.direct_ca)],
        "extraVolumeMounts": [*access.volume_mounts, *ca_mounts(inputs.direct_ca)],
    }
    jwt_key_id = from_secret("AIRFLOW__API_AUTH__JWT_KID", inputs.keys.jwt_key_id, JWT_KEY_ID_KEY)
    jwks = {"name": JWKS_VOLUME, "secret": {"secretName": inputs.keys.jwks}}
    triggerer = loads_dags if access.in_triggerer else database
    bundles = {"dagBundleConfigList": list(access.bundle_config)} if access.bundle_config else {}
    return {
        "apiServer": {
            "replicas": scale.api_server,
            "allowPodLogReading": kubernetes,
            **database,
            "env": [
                *database_env,
                *log_variables,
                *ingress_variables(inputs.ingress),
                *_login_variables(inputs.login),
                jwt_key_id,
                variable("AIRFLOW__API_AUTH__TRUSTED_JWKS_URL", f"{JWKS_FOLDER}/{JWKS_KEY}"),
            ],
            "extraVolumes": [jwks, *ca_volumes(inputs.direct_ca)],
            "extraVolumeMounts": [
                {"name": JWKS_VOLUME, "mountPath": JWKS_FOLDER, "readOnly": True},
                *ca_mounts(inputs.direct_ca),
            ],
            **({"apiServerConfig": inputs.login.server_config} if inputs.login else {}),
            **token,
            **start_up,
        },
        "scheduler": {
            "replicas": scale.scheduler,
            "safeToEvict": False,
            **database,
            "env": [*database_env, jwt_key_id],
            **token,
            **start_up,
        },
        "dagProcessor": {
            "replicas": scale.dag_processor,
            "safeToEvict": False,
            **database,
            **loads_dags,
            **no_token,
            **bundles,
        },
        "triggerer": {
            "replicas": scale.triggerer,
            "safeToEvict": False,
            # A StatefulSet would wait for ever for a pod with a broken image, and the chart has no key to change that.
            "persistence": {"enabled": False},
            **database,
            **triggerer,
            "env": [
                *triggerer["env"],
                *log_variables,
                *region_variables(inputs.pod_roles, "triggerer", log_variables),
            ],
            **no_token,
        },
        "statsd": no_token,
    }


def _login_variables(login: Login | None) -> list[dict[str, Any]]:
    return [] if login is None else [from_secret(CLIENT_SECRET_VARIABLE, login.client_secret, CLIENT_SECRET)]


def _ca_mount(config_map: pulumi.Input[str] | None) -> dict[str, list[Any]]:
    volumes = ca_volumes(config_map)
    return {"extraVolumes": volumes, "extraVolumeMounts": ca_mounts(config_map)} if volumes else {}


def _workers(inputs: ReleaseInputs) -> dict[str, Any]:
    log_variables = remote_log_variables(inputs.remote_logs)
    own_volume = inputs.task_logs.store is TaskLogStore.WORKER
    loads_dags = {
        # A key of their own: with it, tasks encrypt options of tables that they pass on, and nothing of the database.
        "env": [
            fernet_key(inputs.keys.worker_key),
            *inputs.dag_access.env,
            *log_variables,
            *region_variables(inputs.pod_roles, "worker", log_variables),
        ],
        "extraVolumes": list(inputs.dag_access.volumes),
        "extraVolumeMounts": list(inputs.dag_access.volume_mounts),
        "safeToEvict": False,
        "terminationGracePeriodSeconds": inputs.worker_grace_seconds,
    }
    no_token = {"automountServiceAccountToken": False}
    return {
        "workers": {
            "celery": {
                "replicas": inputs.scale.worker,
                "podManagementPolicy": "Parallel",  # a pod with a broken image is replaced without waiting for it
                "persistence": {"enabled": own_volume, "size": f"{inputs.task_logs.storage_gib}Gi"},
                "waitForMigrations": {"enabled": False},
                "serviceAccount": no_token,
                **loads_dags,
            },
            "kubernetes": {"serviceAccount": no_token, **loads_dags},
        }
    }


def _redis(inputs: ReleaseInputs) -> dict[str, Any]:
    if not inputs.executor.celery:
        return {"redis": {"enabled": False}}
    return {
        "redis": {
            "enabled": True,
            "passwordSecretName": inputs.keys.redis_password,
            "safeToEvict": False,
            "terminationGracePeriodSeconds": 30,  # it saves its data in seconds; the chart's 600 hide a hanging one
            "serviceAccount": {"automountServiceAccountToken": False},
        }
    }


def _pgbouncer(inputs: ReleaseInputs) -> dict[str, Any]:
    pooler = inputs.pgbouncer
    if pooler is None:
        return {"pgbouncer": {"enabled": False}}
    return {
        "pgbouncer": {
            "enabled": True,
            "replicas": pooler.replicas,
            "configSecretName": inputs.connections.pgbouncer_config,
            "metricsExporterSidecar": {
                "statsSecretName": inputs.connections.pgbouncer_stats,
                "statsSecretKey": CONNECTION_KEY,
            },
            "serviceAccount": {"automountServiceAccountToken": False},
            **_pgbouncer_volumes(inputs),
        }
    }


def _pgbouncer_volumes(inputs: ReleaseInputs) -> dict[str, list[Any]]:
    mounts = _ca_mount(inputs.database_ca)
    if inputs.size is SizePreset.NONE:
        return mounts
    # PgBouncer's root file system is read-only then, and it creates its Unix socket here.
    scratch = {"name": "scratch", "emptyDir": {"sizeLimit": "16Mi"}}
    return {
        "extraVolumes": [*mounts.get("extraVolumes", []), scratch],
        "extraVolumeMounts": [*mounts.get("extraVolumeMounts", []), {"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108
    }


def _dags(inputs: ReleaseInputs) -> dict[str, Any]:
    dags, access = inputs.dags, inputs.dag_access
    if dags.delivery is not DagsDelivery.GIT_SYNC:
        return {"dags": {"gitSync": {"enabled": False, "recommendedProbeSetting": True}}}
    git_sync: dict[str, Any] = {
        "enabled": True,
        "repo": dags.repository.url,
        "ref": dags.ref,
        "branch": "",  # git-sync 3 read these two
        "rev": "",
        "subPath": dags.sub_path,
        "depth": dags.depth,
        "period": f"{dags.sync_period_seconds}s",
        # Never give up: while the Git host is down, every pod keeps its present tree.
        "maxFailures": -1,
        "recommendedProbeSetting": True,
        "startupProbe": {"enabled": True, "failureThreshold": 60},
        "livenessProbe": {"enabled": True},
        "env": [
            {"name": "GITSYNC_STALE_WORKTREE_TIMEOUT", "value": f"{_STALE_WORKTREE_SECONDS}s"},
            *([variable("GITSYNC_SUBMODULES", dags.submodules.value)] if dags.submodules else []),
            *access.git_sync_env,
            *git_sync_variables(inputs.monitoring),
        ],
    }
    if access.git_sync_mounts:
        git_sync["extraVolumeMounts"] = list(access.git_sync_mounts)
    if access.ssh_key_secret is not None:
        git_sync |= {"sshKeySecret": access.ssh_key_secret, "knownHosts": access.known_hosts}
    elif access.credentials_secret is not None:
        git_sync["credentialsSecret"] = access.credentials_secret
    return {"dags": {"gitSync": git_sync}}


def _logs(inputs: ReleaseInputs) -> dict[str, Any]:
    if inputs.task_log_claim is None:
        return {"logs": {"persistence": {"enabled": False}}}
    return {"logs": {"persistence": {"enabled": True, "existingClaim": inputs.task_log_claim}}}


def _security(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return security contexts with which every pod passes the Pod Security Standard `restricted`."""

    def contexts(uid: int, gid: int | None = None, fs_group: int | None = None) -> dict[str, Any]:
        return {
            "securityContexts": {
                "pod": pod_security_context(uid, gid=gid, fs_group=fs_group),
                "container": CONTAINER,
            }
        }

    return {
        "uid": AIRFLOW_UID,
        "gid": 0,
        # Airflow's files belong to group 0. git-sync's tree belongs to git-sync's group, which the pod shares.
        "securityContexts": {
            "pod": pod_security_context(AIRFLOW_UID, gid=0, fs_group=GIT_SYNC_UID),
            "containers": CONTAINER,
        },
        "dags": {"gitSync": {"securityContexts": {"container": {**CONTAINER, "runAsUser": GIT_SYNC_UID}}}},
        "redis": contexts(REDIS_UID, REDIS_UID, REDIS_UID),
        "statsd": contexts(NOBODY_UID),
        "pgbouncer": {
            **contexts(NOBODY_UID),
            "metricsExporterSidecar": {"securityContexts": {"container": CONTAINER}},
        },
    }


def _read_only(inputs: ReleaseInputs) -> dict[str, Any]:
    if inputs.size is SizePreset.NONE:
        return {}
    return {
        "redis": READ_ONLY,
        "statsd": READ_ONLY,
        "pgbouncer": {**READ_ONLY, "metricsExporterSidecar": READ_ONLY},
    }


def _airflow_cfg(inputs: ReleaseInputs) -> dict[str, Any]:
    config: dict[str, Any] = {
        "core": {"load_examples": str(inputs.load_examples)},
    }
    if inputs.dags.delivery is not DagsDelivery.IMAGE:
        # How often Airflow looks for new DAG files; the default of five minutes would delay what git-sync brings.
        config["dag_processor"] = {"refresh_interval": str(inputs.dags.sync_period_seconds)}
    if inputs.executor.celery:
        config["celery"] = {"worker_concurrency": str(inputs.scale.worker_concurrency)}
        parallelism = sync_parallelism(inputs.size)
        if parallelism is not None:
            config["celery"]["sync_parallelism"] = str(parallelism)
    if inputs.size is not SizePreset.NONE:
        config["workers"] = {
            "execution_api_retries": str(_API_RETRIES),
            "max_failed_heartbeats": str(_MAX_FAILED_HEARTBEATS),
        }
    return {"config": config}


def _availability(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return disruption budgets and spread of every component that has several pods."""
    scale = inputs.scale
    values: dict[str, Any] = {}
    for key, component, pods in (
        ("apiServer", "api-server", scale.api_server),
        ("scheduler", "scheduler", scale.scheduler),
        ("dagProcessor", "dag-processor", scale.dag_processor),
        ("triggerer", "triggerer", scale.triggerer),
        ("pgbouncer", "pgbouncer", inputs.pgbouncer.replicas if inputs.pgbouncer else 0),
    ):
        values[key] = {**disruption_budget(pods), **spread(pods, component_labels(inputs.release_name, component))}
    workers = inputs.most_workers if inputs.executor.celery else 0
    stateful = inputs.task_logs.store is TaskLogStore.WORKER
    labels = component_labels(inputs.release_name, "worker")
    celery = spread(workers, labels, "controller-revision-hash" if stateful else "pod-template-hash")
    if not inputs.executor.kubernetes:
        # A budget would select task pods too, which have the same labels. They have no controller that says how many
        # there should be, so Kubernetes would never evict any of these pods.
        celery |= disruption_budget(workers, WORKERS_AT_ONCE)
    return merged(values, {"workers": {"celery": celery}})


def _groups(inputs: ReleaseInputs) -> dict[str, Any]:
    if not inputs.worker_groups:
        return {}
    sets = group_sets(
        inputs.worker_groups,
        labels=component_labels(inputs.release_name, "worker"),
        size=inputs.size,
        concurrency=inputs.scale.worker_concurrency,
        stateful=inputs.task_logs.store is TaskLogStore.WORKER,
        roles=inputs.pod_roles,
    )
    return {"workers": {"celery": {"sets": sets}}}


def _rolls(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return how pods are replaced, if there is room for a second one beside the first."""
    if inputs.size is SizePreset.NONE:
        return {}
    return {
        "revisionHistoryLimit": _OLD_REVISIONS,
        "apiServer": {"strategy": ROLL, "containerLifecycleHooks": API_SERVER_HOOKS},
        "scheduler": {"strategy": ROLL},
        "dagProcessor": {"strategy": ROLL},
        "triggerer": {"strategy": ROLL},
        "workers": {"celery": {"strategy": ROLL}},
        "pgbouncer": {"containerLifecycleHooks": PGBOUNCER_HOOKS},
    }


def _cleanup(inputs: ReleaseInputs) -> dict[str, Any]:
    return cleanup_values(
        inputs.metadata_retention_days, inputs.connections.metadata, inputs.keys.fernet_key, inputs.direct_ca
    )
