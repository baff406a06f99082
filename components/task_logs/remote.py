"""Task logs in S3: the values and variables that Airflow and the chart need. Pure; `bucket` creates bucket and role.

Checked against Airflow 3.2.2 and the amazon provider 9.29: S3RemoteLogIO uploads and reads, and its hook uses the pod's
credentials if the connection contains none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.kube.env import variable

LOG_ROLES: Final = ("api-server", "triggerer", "worker")
"""Service accounts that use the logs, by the part of their names after the release's. Task pods run as `worker`."""

CONNECTION_ID: Final = "aws_task_logs"
CONNECTION_VARIABLE: Final = f"AIRFLOW_CONN_{CONNECTION_ID.upper()}"


@dataclass(frozen=True, kw_only=True)
class RemoteLogs:
    """Where in S3 task logs are, and how pods get access."""

    folder: pulumi.Input[str]
    """`s3://BUCKET/PREFIX`."""
    region: str
    """AWS region of the bucket."""
    service_account_annotations: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Annotations that give pods an IAM role; empty with EKS Pod Identity."""


def remote_log_variables(logs: RemoteLogs | None) -> list[dict[str, Any]]:
    """Return the variables of a pod that writes or reads logs.

    The connection is empty on purpose: without one, Airflow would ask the API server for `aws_default` before every
    task, and no task would start while that fails (task-sdk 1.2.2, supervisor.py, _remote_logging_conn).
    """
    if logs is None:
        return []
    return [variable("AWS_DEFAULT_REGION", logs.region), variable(CONNECTION_VARIABLE, "aws://")]


def remote_log_values(logs: RemoteLogs | None) -> dict[str, Any]:
    """Return the chart's values, except for the environment."""
    if logs is None:
        return {}
    account = {"serviceAccount": {"annotations": dict(logs.service_account_annotations)}}
    return {
        "apiServer": account,
        "triggerer": account,
        # Task pods run as the Celery workers' account, even without Celery, unless a user gives them their own.
        "workers": {"celery": account, "kubernetes": account},
        "config": {
            "logging": {
                # A string, because the chart's notes fail on a boolean with KubernetesExecutor and no volume.
                "remote_logging": "True",
                "remote_base_log_folder": logs.folder,
                "remote_log_conn_id": CONNECTION_ID,
                # Otherwise the nodes' disks fill up. A log that was not uploaded stays.
                "delete_local_logs": "True",
            }
        },
    }
