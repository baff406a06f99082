"""Chart values of Celery workers, of their groups and of task pods. Pure."""

from __future__ import annotations

from typing import Any

from components.chart_values.availability import (
    component_labels,
)
from components.chart_values.release_inputs import ReleaseInputs
from components.chart_values.service_accounts import region_variables
from components.chart_values.worker_groups import group_sets
from components.kube.env import fernet_key
from components.task_logs.remote import remote_log_variables
from components.task_logs.store import TaskLogStore


def worker_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return what default workers and task pods get: DAGs, a key of their own, and nothing of the database."""
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


def group_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return the chart's worker sets, one for each group."""
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
