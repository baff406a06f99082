"""Helm values of chart 1.22.0, from typed input. Pure: Outputs pass through, and no Pulumi resource is created.

No value is a secret; where the chart needs one, the value is the name of a Kubernetes Secret.
"""

from __future__ import annotations

from typing import Any, Final

from components.chart_values.availability import (
    availability_values,
    roll_values,
)
from components.chart_values.chart_defaults import merged
from components.chart_values.database_cleanup import cleanup_values
from components.chart_values.git_sync_values import git_sync_values
from components.chart_values.ingress import ingress_values
from components.chart_values.metrics import metrics_values
from components.chart_values.pgbouncer_values import pgbouncer_values
from components.chart_values.pod_security_values import pod_security_values, read_only_values
from components.chart_values.release_inputs import ReleaseInputs
from components.chart_values.server_values import server_values
from components.chart_values.service_accounts import account_values
from components.chart_values.size_preset import SizePreset, size_values, sync_parallelism
from components.chart_values.worker_values import group_values, worker_values
from components.dags.delivery import DagsDelivery
from components.task_logs.remote import remote_log_values

_API_RETRIES: Final = 12
"""Attempts of each request of a task to the API server, so that the task survives a database failover (60 to 120 s).

The waits between attempts are random, up to 2, 4, 8 … 64, then 90 s (task-sdk 1.2.2, sdk/api/client.py): 250 s on
average. The default of 5 gives up after 10 to 30 s: on a cluster, a task that began during a failover failed.
"""
_MAX_FAILED_HEARTBEATS: Final = 2
"""A failed heartbeat has taken all these attempts. The scheduler gives up a task after 300 s without a heartbeat
(`task_instance_heartbeat_timeout`), and a worker that is cut off must not continue for much longer."""
_BROKER_SECONDS: Final = 10
"""How long an answer of Redis may take. No request of a worker takes longer than one second.

Without it, a worker may wait for ever after Redis has restarted: its event loop takes an event of the old connection
for one of the new, and reads an answer that never comes (kombu 5.6.2, `Channel._brpop_read`). Such a worker takes no
task until its liveness probe has failed five times, a minute apart. On a cluster, one of four restarts ended so.
"""


def airflow_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return the chart's values: one part after the other, each merged into those before."""
    values: dict[str, Any] = {}
    for part in (
        _general,
        _secrets,
        server_values,
        worker_values,
        _redis,
        pgbouncer_values,
        git_sync_values,
        _logs,
        pod_security_values,
        read_only_values,
        _airflow_cfg,
        availability_values,
        group_values,
        roll_values,
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
        # Off for all pods. Only the components that use the database get these (see `server_values`), never a worker.
        "enableBuiltInSecretEnvVars": {
            "AIRFLOW__CORE__FERNET_KEY": False,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": False,
            "AIRFLOW_CONN_AIRFLOW_DB": False,
        },
    }


_WRITE_EACH_SECOND: Final = """
for attempt in $(seq 300); do
  [ "$(REDISCLI_AUTH=$REDIS_PASSWORD redis-cli config set save '1 1')" = OK ] && exit
  sleep 0.2
done
exit 1
"""
"""Lets Redis write its file a second after a change, so that a killed one loses at most the tasks queued last.

By its own defaults it waits for up to an hour. The chart gives no way to its options, but a hook can set them. The
append-only file cannot be switched on so: the next Redis would start without it, and read the older file.
"""


def _redis(inputs: ReleaseInputs) -> dict[str, Any]:
    if not inputs.executor.celery or not inputs.own_redis:
        return {"redis": {"enabled": False}}
    return {
        "redis": {
            "enabled": True,
            "passwordSecretName": inputs.keys.redis_password,
            "safeToEvict": False,
            "terminationGracePeriodSeconds": 30,  # it saves its data in seconds; the chart's 600 hide a hanging one
            "serviceAccount": {"automountServiceAccountToken": False},
            "containerLifecycleHooks": {"postStart": {"exec": {"command": ["/bin/sh", "-c", _WRITE_EACH_SECOND]}}},
        }
    }


def _logs(inputs: ReleaseInputs) -> dict[str, Any]:
    if inputs.task_log_claim is None:
        return {"logs": {"persistence": {"enabled": False}}}
    return {"logs": {"persistence": {"enabled": True, "existingClaim": inputs.task_log_claim}}}


def _airflow_cfg(inputs: ReleaseInputs) -> dict[str, Any]:
    config: dict[str, Any] = {
        "core": {"load_examples": str(inputs.load_examples)},
    }
    if inputs.dags.delivery is not DagsDelivery.IMAGE:
        # How often Airflow looks for new DAG files; the default of five minutes would delay what git-sync brings.
        config["dag_processor"] = {"refresh_interval": str(inputs.dags.sync_period_seconds)}
    if inputs.executor.celery:
        config["celery"] = {"worker_concurrency": str(inputs.scale.worker_concurrency)}
        config["celery_broker_transport_options"] = {"socket_timeout": str(_BROKER_SECONDS)}
        parallelism = sync_parallelism(inputs.size)
        if parallelism is not None:
            config["celery"]["sync_parallelism"] = str(parallelism)
    if inputs.size is not SizePreset.NONE:
        config["workers"] = {
            "execution_api_retries": str(_API_RETRIES),
            "max_failed_heartbeats": str(_MAX_FAILED_HEARTBEATS),
        }
    return {"config": config}


def _cleanup(inputs: ReleaseInputs) -> dict[str, Any]:
    return cleanup_values(
        inputs.metadata_retention_days,
        inputs.connections.metadata,
        inputs.keys.fernet_key,
        inputs.direct_ca,
        inputs.direct_client,
    )
