"""Autoscaling of Celery workers by KEDA: the ScaledObject, and the query by which KEDA counts tasks.

The chart's own autoscaling is not used, because it reads the database's URI from a worker's environment, where it must
not be. KEDA itself (keda.sh, its CRDs and its operator) must be installed in the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.chart_values.executor import Executor
from components.chart_values.running import PAUSED
from components.chart_values.scale import WorkerAutoscaling
from components.chart_values.worker_group import DEFAULT_QUEUE, WorkerGroup
from components.database.access import CONNECTION_KEY
from components.database.connection import Database, SslMode, connection_uri
from components.database.pgbouncer import METADATA_POOL, PORT
from components.kube.immutable_secret import immutable_secret
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.kube.secret import secret_output

TYPE: Final = "airflow:index:WorkerScaler"
API_VERSION: Final = "keda.sh/v1alpha1"

DEFAULT_WORKERS: Final = "worker"
"""The part of the name of the default workers' workload after the release's."""
_POLLING_SECONDS = 10
_SCALE_DOWN_PERIOD_SECONDS = 60
_SCALE_DOWN_PERCENT = 25


@dataclass(frozen=True, kw_only=True)
class ScaledWorkers:
    """Workers that KEDA scales together: the default workers, or a group."""

    account: str
    """The part of the name of their workload after the release's."""
    queues: tuple[str, ...]
    """Queues that they serve, at least one."""
    autoscaling: WorkerAutoscaling | None
    """Bounds and pace, or None if their number is fixed."""
    min_workers: int
    """The release's own number of them."""
    concurrency: int
    """Tasks that one of them runs at a time."""

    def __post_init__(self) -> None:
        """Raise ValueError for what KEDA would refuse."""
        most = self.autoscaling.max_workers if self.autoscaling else self.min_workers
        if most < self.min_workers:
            raise ValueError(f"max_workers: expected at least min_workers {self.min_workers}, found {most}")


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
    workers: tuple[ScaledWorkers, ...]
    """The workloads that are scaled, at least one."""
    worker_grace_seconds: int
    """Time that a stopping worker has to finish its tasks, in seconds."""
    stateful: bool
    """Whether the workers are a StatefulSet, because each keeps its own logs."""
    paused: bool = False
    """Whether KEDA keeps no worker, whatever tasks wait."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that must exist first, such as the release."""

    def __post_init__(self) -> None:
        """Raise ValueError for what KEDA would never do."""
        if not self.executor.celery:
            raise ValueError(f"executor: expected one with Celery workers, found {self.executor}")
        if not self.workers or not all(found.autoscaling for found in self.workers):
            raise ValueError("workers: expected one or more, each with autoscaling, found others")


class WorkerScaler(pulumi.ComponentResource):
    """Scales Celery workers to what the queued and running tasks need. It requires PgBouncer, through which KEDA asks.

    The default workers and each group have a ScaledObject of their own, which counts the tasks of their queues alone.

    Each upgrade of the Helm release sets the number back to the minimum, and KEDA raises it within seconds; the workers
    that stop finish their tasks in their grace period.
    Raises: ValueError from its arguments. Without KEDA's CRDs the engine's error is `no matches for kind`.
    Replaces: another password makes another Secret; the rest changes in place.
    Survives a destroy: nothing. KEDA's operator must still run, to remove its finalizer from the ScaledObject.
    """

    scaled_objects: tuple[KubeObject, ...]
    """KEDA's ScaledObjects, each of which creates and owns a HorizontalPodAutoscaler."""

    def __init__(self, name: str, args: WorkerScalerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        database = args.database

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
        secret = immutable_secret(f"{name}-connection", args.namespace, {CONNECTION_KEY: uri}, child)
        authentication = KubeObject(
            API_VERSION,
            "TriggerAuthentication",
            f"{name}-authentication",
            {
                "metadata": object_metadata(args.namespace),
                "spec": {"secretTargetRef": [{"parameter": "connection", "name": secret, "key": CONNECTION_KEY}]},
            },
            child,
        )

        # The URI contains these too, and KEDA 2.20 uses it alone. A KEDA whose ScaledObjects share connections would
        # identify its pools only by these (kedacore/keda#7248): without them, two stacks of a cluster would count the
        # tasks of one of them.
        pool = {"host": host, "userName": database.user, "dbName": METADATA_POOL}
        trigger = {"type": "postgresql", "authenticationRef": {"name": _object_name(authentication)}}
        self.scaled_objects = tuple(
            KubeObject(
                API_VERSION,
                "ScaledObject",
                name if workers.account == DEFAULT_WORKERS else f"{name}-{workers.account.removeprefix('worker-')}",
                {
                    "metadata": object_metadata(args.namespace, annotations={PAUSED: "0"} if args.paused else None),
                    "spec": _spec(args, workers, scaling, {**trigger, "metadata": pool}),
                },
                pulumi.ResourceOptions(parent=self, depends_on=args.after),
            )
            for workers in args.workers
            if (scaling := workers.autoscaling) is not None
        )
        self.register_outputs({"scaled_object": _object_name(self.scaled_objects[0])})


def scaled_group(group: WorkerGroup) -> ScaledWorkers:
    """Return a group as KEDA sees it."""
    return ScaledWorkers(
        account=group.account,
        queues=group.queues,
        autoscaling=group.autoscaling,
        min_workers=group.replicas,
        concurrency=group.concurrency,
    )


def _spec(
    args: WorkerScalerArgs, workers: ScaledWorkers, scaling: WorkerAutoscaling, trigger: Mapping[str, Any]
) -> dict[str, Any]:
    query = needed_workers_query(args.executor, workers.concurrency, workers.queues)
    return {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet" if args.stateful else "Deployment",
            "name": f"{args.release_name}-{workers.account}",
        },
        "pollingInterval": _POLLING_SECONDS,
        # KEDA's wait before it scales to zero: never while a worker may still be finishing its tasks.
        "cooldownPeriod": max(scaling.stabilization_seconds, args.worker_grace_seconds + _POLLING_SECONDS),
        "minReplicaCount": workers.min_workers,
        "maxReplicaCount": scaling.max_workers,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behaviour(scaling)}},
        "triggers": [{**trigger, "metadata": {"query": query, "targetQueryValue": "1", **trigger["metadata"]}}],
    }


def needed_workers_query(executor: Executor, worker_concurrency: int, queues: Sequence[str] = (DEFAULT_QUEUE,)) -> str:
    """Return the query for the number of workers that the present tasks of some queues need.

    It is made after the chart's `workers.celery.keda.query`, which counts the tasks of all queues. A task names its
    executor by a short name or a class path, or has none and uses the first executor.
    """
    names = ["'{}'".format(queue.replace("'", "''")) for queue in queues]
    served = f"queue = {names[0]}" if len(names) == 1 else f"queue IN ({', '.join(names)})"
    conditions = ["state IN ('queued', 'running')", served]
    if executor is Executor.CELERY_AND_KUBERNETES:
        conditions.append("(executor IS NULL OR executor NOT LIKE '%KubernetesExecutor')")
    elif executor is Executor.KUBERNETES_AND_CELERY:
        conditions.append("executor LIKE '%CeleryExecutor'")
    needed = f"ceil(COUNT(*)::decimal / {worker_concurrency})"
    return f"SELECT {needed} FROM task_instance WHERE {' AND '.join(conditions)}"  # noqa: S608 - all from here


def _object_name(resource: KubeObject) -> pulumi.Output[str]:
    """Return the generated name. The SDK gives no metadata of a custom resource, but its ID is NAMESPACE/NAME."""
    return resource.id.apply(lambda identity: identity.rpartition("/")[2])


def _behaviour(scaling: WorkerAutoscaling) -> dict[str, Any]:
    """Scale up at once, and down slowly, because a stopping worker takes no new tasks."""
    policy = {"type": "Percent", "value": _SCALE_DOWN_PERCENT, "periodSeconds": _SCALE_DOWN_PERIOD_SECONDS}
    return {
        "scaleUp": {"stabilizationWindowSeconds": 0},
        "scaleDown": {"stabilizationWindowSeconds": scaling.stabilization_seconds, "policies": [policy]},
    }
