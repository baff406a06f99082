"""Autoscaling of Celery workers by KEDA: the ScaledObject, and the query by which KEDA counts tasks.

The chart's own autoscaling is not used, because it reads the database's URI from a worker's environment, where it must
not be. KEDA itself (keda.sh, its CRDs and its operator) must be installed in the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s

from components.database.access import CONNECTION_KEY
from components.database.connection import Database, SslMode, connection_uri
from components.database.pgbouncer import METADATA_POOL, PORT
from components.kube.immutable_secret import immutable_secret, secret_name
from components.kube.metadata import object_metadata
from components.kube.secret import secret_output
from components.release.executor import Executor
from components.release.scale import WorkerAutoscaling

TYPE: Final = "airflow:index:WorkerScaler"
API_VERSION: Final = "keda.sh/v1alpha1"

_DEFAULT_QUEUE = "default"  # `[operators] default_queue`, which the chart's workers listen on
_POLLING_SECONDS = 10
_SCALE_DOWN_PERIOD_SECONDS = 60
_SCALE_DOWN_PERCENT = 25


@dataclass(frozen=True, kw_only=True)
class WorkerScalerArgs:
    """Arguments of `WorkerScaler`."""

    namespace: pulumi.Input[str]
    """Namespace of the Helm release."""
    release_name: str
    """Name of the Helm release."""
    database: Database
    """User and password for PgBouncer; the database's address is not used."""
    executor: Executor
    """Executors, which decide which tasks wait for a Celery worker."""
    autoscaling: WorkerAutoscaling
    """Bounds and pace."""
    min_workers: int
    """The release's own number of workers."""
    worker_concurrency: int
    """Tasks that one worker runs at a time."""
    worker_grace_seconds: int
    """Time that a stopping worker has to finish its tasks, in seconds."""
    stateful: bool
    """Whether the workers are a StatefulSet, because each keeps its own logs."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that must exist first, such as the release."""

    def __post_init__(self) -> None:
        """Raise ValueError for what KEDA would refuse, or would never do."""
        if not self.executor.celery:
            raise ValueError(f"executor: expected one with Celery workers, found {self.executor}")
        if self.autoscaling.max_workers < self.min_workers:
            raise ValueError(
                f"max_workers: expected at least min_workers {self.min_workers}, found {self.autoscaling.max_workers}"
            )


class WorkerScaler(pulumi.ComponentResource):
    """As many Celery workers as the queued and running tasks need. It requires PgBouncer, through which KEDA asks.

    Each upgrade of the Helm release sets the number back to the minimum, and KEDA raises it within seconds; the workers
    that stop finish their tasks in their grace period.
    Raises: ValueError from its arguments. Without KEDA's CRDs the engine's error is `no matches for kind`.
    Replaces: another password makes another Secret; the rest changes in place.
    Survives a destroy: nothing. KEDA's operator must still run, to remove its finalizer from the ScaledObject.
    """

    scaled_object: k8s.apiextensions.CustomResource
    """KEDA's ScaledObject, which creates and owns a HorizontalPodAutoscaler."""

    def __init__(self, name: str, args: WorkerScalerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        database, scaling = args.database, args.autoscaling

        # KEDA connects from its own namespace, where the short name would mean another Service.
        host = pulumi.Output.concat(args.release_name, "-pgbouncer.", args.namespace, ".svc")
        uri = pulumi.Output.all(secret_output(database.password), host).apply(
            lambda parts: connection_uri(
                driver="postgresql",
                user=database.user,
                password=parts[0],
                host=parts[1],
                port=PORT,
                name=METADATA_POOL,
                query={"sslmode": SslMode.DISABLE.value},  # PgBouncer has no TLS for its clients
            )
        )
        secret = secret_name(immutable_secret(f"{name}-connection", args.namespace, {CONNECTION_KEY: uri}, child))
        authentication = k8s.apiextensions.CustomResource(
            f"{name}-authentication",
            api_version=API_VERSION,
            kind="TriggerAuthentication",
            metadata=object_metadata(args.namespace),
            spec={"secretTargetRef": [{"parameter": "connection", "name": secret, "key": CONNECTION_KEY}]},
            opts=child,
        )

        self.scaled_object = k8s.apiextensions.CustomResource(
            name,
            api_version=API_VERSION,
            kind="ScaledObject",
            metadata=object_metadata(args.namespace),
            spec={
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "StatefulSet" if args.stateful else "Deployment",
                    "name": f"{args.release_name}-worker",
                },
                "pollingInterval": _POLLING_SECONDS,
                # KEDA's wait before it scales to zero: never while a worker may still be finishing its tasks.
                "cooldownPeriod": max(scaling.stabilization_seconds, args.worker_grace_seconds + _POLLING_SECONDS),
                "minReplicaCount": args.min_workers,
                "maxReplicaCount": scaling.max_workers,
                "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behaviour(scaling)}},
                "triggers": [
                    {
                        "type": "postgresql",
                        "metadata": {
                            "query": needed_workers_query(args.executor, args.worker_concurrency),
                            "targetQueryValue": "1",
                            # The URI contains these too, but KEDA identifies its connection pools only by them:
                            # without them, two stacks of a cluster would count the tasks of one of them (keda:
                            # pkg/scalers/postgresql_scaler.go, getConnection).
                            "host": host,
                            "userName": database.user,
                            "dbName": METADATA_POOL,
                        },
                        "authenticationRef": {"name": _object_name(authentication)},
                    }
                ],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.after),
        )
        self.register_outputs({"scaled_object": _object_name(self.scaled_object)})


def needed_workers_query(executor: Executor, worker_concurrency: int) -> str:
    """Return the query for the number of workers that the present tasks need (after the chart's `workers.keda.query`).

    A task names its executor by a short name or a class path, or has none and uses the first executor.
    """
    conditions = ["state IN ('queued', 'running')", f"queue = '{_DEFAULT_QUEUE}'"]
    if executor is Executor.CELERY_AND_KUBERNETES:
        conditions.append("(executor IS NULL OR executor NOT LIKE '%KubernetesExecutor')")
    elif executor is Executor.KUBERNETES_AND_CELERY:
        conditions.append("executor LIKE '%CeleryExecutor'")
    needed = f"ceil(COUNT(*)::decimal / {worker_concurrency})"
    return f"SELECT {needed} FROM task_instance WHERE {' AND '.join(conditions)}"  # noqa: S608 - all from here


def _object_name(resource: k8s.apiextensions.CustomResource) -> pulumi.Output[str]:
    """Return the generated name. The SDK gives no metadata of a custom resource, but its ID is NAMESPACE/NAME."""
    return resource.id.apply(lambda identity: identity.rpartition("/")[2])


def _behaviour(scaling: WorkerAutoscaling) -> dict[str, Any]:
    """Scale up at once, and down slowly, because a stopping worker takes no new tasks."""
    policy = {"type": "Percent", "value": _SCALE_DOWN_PERCENT, "periodSeconds": _SCALE_DOWN_PERIOD_SECONDS}
    return {
        "scaleUp": {"stabilizationWindowSeconds": 0},
        "scaleDown": {"stabilizationWindowSeconds": scaling.stabilization_seconds, "policies": [policy]},
    }
