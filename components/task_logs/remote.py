"""Task logs in S3: what Airflow and the chart have to be told. The bucket and the role are somebody else's.

Checked against Airflow 3.2.2 and the amazon provider 9.29: S3RemoteLogIO uploads and reads, and its hook takes the
credentials of the pod, when the connection that it is told to use holds none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.kube.env import variable

LOG_ROLES: Final = ("api-server", "triggerer", "worker")
"""Endings of the names of the service accounts that reach the logs, after the release's. Task pods run as `worker`."""

CONNECTION_ID: Final = "aws_task_logs"
CONNECTION_VARIABLE: Final = f"AIRFLOW_CONN_{CONNECTION_ID.upper()}"


@dataclass(frozen=True, kw_only=True)
class RemoteLogs:
    """folder: `s3://BUCKET/PREFIX`. region: of the bucket.

    service_account_annotations: by which the pods become a role; none where EKS Pod Identity does it.
    """

    folder: pulumi.Input[str]
    region: str
    service_account_annotations: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


def remote_log_variables(logs: RemoteLogs | None) -> list[dict[str, Any]]:
    """What a pod that writes or reads logs needs in its environment.

    The connection is empty on purpose: without one, Airflow would ask the API server for `aws_default` before every
    task, and a task would not start while that fails (task-sdk 1.2.2, supervisor.py, _remote_logging_conn).
    """
    if logs is None:
        return []
    return [variable("AWS_DEFAULT_REGION", logs.region), variable(CONNECTION_VARIABLE, "aws://")]


def remote_log_values(logs: RemoteLogs | None) -> dict[str, Any]:
    """Values of the chart but for the environment."""
    if logs is None:
        return {}
    account = {"serviceAccount": {"annotations": dict(logs.service_account_annotations)}}
    return {
        "apiServer": account,
        "triggerer": account,
        # Task pods run as the Celery workers' account, also without Celery, unless a user gives them their own.
        "workers": {"celery": account, "kubernetes": account},
        "config": {
            "logging": {
                # A text: the chart's notes fail on a boolean with KubernetesExecutor and no volume.
                "remote_logging": "True",
                "remote_base_log_folder": logs.folder,
                "remote_log_conn_id": CONNECTION_ID,
                # Otherwise the disks of nodes fill up; a log that was not uploaded stays.
                "delete_local_logs": "True",
            }
        },
    }
