"""More Celery workers while tasks wait, by KEDA: the ScaledObject, and how KEDA reads the number of tasks.

Not the chart's own: that one takes the database's URI from the environment of a worker, which then must hold it. KEDA
itself (keda.sh, its CRDs and its operator) is the cluster's affair.
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
    """Arguments of `WorkerScaler`.

    namespace, release_name: of the Helm release.
    database: who logs in at PgBouncer. Where the database itself is does not matter.
    executor: decides which tasks wait for a Celery worker.
    autoscaling: bounds and pace.
    min_workers: the release's own number of workers.
    worker_concurrency: tasks that one worker runs at a time.
    worker_grace_seconds: that a worker has to end its tasks.
    stateful: the workers are a StatefulSet, because each keeps its own logs.
    after: what must be there first: the release.
    """

    namespace: pulumi.Input[str]
    release_name: str
    database: Database
    executor: Executor
    autoscaling: WorkerAutoscaling
    min_workers: int
    worker_concurrency: int
    worker_grace_seconds: int
    stateful: bool
    after: tuple[pulumi.Resource, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for what KEDA would refuse, or never do."""
        if not self.executor.celery:
            raise ValueError(f"executor: expected one with Celery workers, found {self.executor}")
        if self.autoscaling.max_workers < self.min_workers:
            raise ValueError(
                f"max_workers: expected at least min_workers {self.min_workers}, found {self.autoscaling.max_workers}"
            )


class WorkerScaler(pulumi.ComponentResource):
    """As many Celery workers as the queued and running tasks need, through PgBouncer, which must be there.

    Each upgrade of the Helm release sets the number back to the minimum, and KEDA raises it within seconds; the workers
    that go end their tasks in their grace period.
    Raises: ValueError from its arguments. Without KEDA's CRDs the engine's error is `no matches for kind`.
    Replaces: another password makes another Secret; the rest changes in place.
    Survives a destroy: nothing, but KEDA's operator has to be there still: it takes its finalizer off the ScaledObject.
    """

    scaled_object: k8s.apiextensions.CustomResource
    """KEDA's ScaledObject; it makes and owns a HorizontalPodAutoscaler."""

    def __init__(self, name: str, args: WorkerScalerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        database, scaling = args.database, args.autoscaling

        # KEDA asks from its own namespace, where the short name means another Service.
        host = pulumi.Output.concat(args.release_name, "-pgbouncer.", args.namespace, ".svc")
        uri = pulumi.Output.all(secret_output(database.password), host).apply(
            lambda parts: connection_uri(
                driver="postgresql",
                user=database.user,
                password=parts[0],
                host=parts[1],
                port=PORT,
                name=METADATA_POOL,
                query={"sslmode": SslMode.DISABLE.value},  # PgBouncer speaks no TLS to its clients
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
                # KEDA waits so long before it goes to zero: never while a worker may still be ending its tasks.
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
                            # The URI says these too, but KEDA tells its pools of connections apart by them alone:
                            # without them, two stacks of a cluster would count the tasks of one (keda:
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
    """How many workers the tasks of now need (after `workers.keda.query` of the chart's values.yaml).

    A task names its executor by a short name or by a class path, or leaves it to the first one.
    """
    conditions = ["state IN ('queued', 'running')", f"queue = '{_DEFAULT_QUEUE}'"]
    if executor is Executor.CELERY_AND_KUBERNETES:
        conditions.append("(executor IS NULL OR executor NOT LIKE '%KubernetesExecutor')")
    elif executor is Executor.KUBERNETES_AND_CELERY:
        conditions.append("executor LIKE '%CeleryExecutor'")
    needed = f"ceil(COUNT(*)::decimal / {worker_concurrency})"
    return f"SELECT {needed} FROM task_instance WHERE {' AND '.join(conditions)}"  # noqa: S608 - all from here


def _object_name(resource: k8s.apiextensions.CustomResource) -> pulumi.Output[str]:
    """The generated name. The SDK gives no metadata of a custom resource; its id is NAMESPACE/NAME."""
    return resource.id.apply(lambda identity: identity.rpartition("/")[2])


def _behaviour(scaling: WorkerAutoscaling) -> dict[str, Any]:
    """Up at once; down slowly, because a worker that goes takes no tasks while it ends its own."""
    policy = {"type": "Percent", "value": _SCALE_DOWN_PERCENT, "periodSeconds": _SCALE_DOWN_PERIOD_SECONDS}
    return {
        "scaleUp": {"stabilizationWindowSeconds": 0},
        "scaleDown": {"stabilizationWindowSeconds": scaling.stabilization_seconds, "policies": [policy]},
    }
