"""Task logs outside the cluster: the values and variables that Airflow and the chart need. Pure.

`bucket` creates a bucket in S3 and its role. Other places exist, and pods reach them by a connection or an identity.
Checked against Airflow 3.2.2 and the amazon provider 9.29: S3RemoteLogIO uploads and reads, and its hook uses the pod's
credentials if the connection contains none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import pulumi

from components.kube.env import from_secret, variable
from components.task_logs.store import LogPlace

CONNECTION_ID: Final = "aws_task_logs"
"""Connection to the stack's own bucket."""
REMOTE_CONNECTION_ID: Final = "task_logs"
"""Connection to a place that exists."""
CONNECTION_KEY: Final = "connection"
"""Key of the connection in its Secret."""
CONNECTION_VARIABLE: Final = f"AIRFLOW_CONN_{CONNECTION_ID.upper()}"
REMOTE_CONNECTION_VARIABLE: Final = f"AIRFLOW_CONN_{REMOTE_CONNECTION_ID.upper()}"

CONNECTION_TYPES: Final[Mapping[str, str]] = {"s3": "aws", "gs": "google-cloud-platform", "wasb": "wasb"}
"""Type of the connection, by the scheme of the address (config_templates/airflow_local_settings.py)."""


@dataclass(frozen=True, kw_only=True)
class RemoteLogs:
    """Where task logs are outside the cluster, and the connection to it."""

    folder: pulumi.Input[str]
    """`s3://BUCKET/PREFIX`, or the address of another place as Airflow has it."""
    connection_id: str = CONNECTION_ID
    """Airflow connection to it."""
    connection: str | None = "aws://"
    """The connection where it holds no secret, or None where a Secret has it."""
    connection_secret: pulumi.Input[str] | None = None
    """Secret with the connection, or None."""
    region: str | None = None
    """AWS region of the bucket, or None outside AWS."""
    container: str | None = None
    """Container of Azure's blobs, or None elsewhere."""


def remote_logs(place: LogPlace, region: str | None) -> RemoteLogs:
    """Return how pods reach a place that exists. region: AWS region of the cluster, or None."""
    address = urlsplit(place.url)
    azure = address.scheme == "wasb"
    return RemoteLogs(
        # Airflow takes what is behind wasb:// for the folder, and reads the container elsewhere.
        folder=f"wasb://{address.path.strip('/')}" if azure else place.url,
        connection_id=REMOTE_CONNECTION_ID,
        connection=None if place.connection_secret else f"{CONNECTION_TYPES[address.scheme]}://",
        connection_secret=place.connection_secret,
        region=region if address.scheme == "s3" else None,
        container=address.netloc if azure else None,
    )


def remote_log_variables(logs: RemoteLogs | None) -> list[dict[str, Any]]:
    """Return the variables of a pod that writes or reads logs.

    A connection without a Secret is empty on purpose: without one, Airflow would ask the API server for the default
    connection before every task, and no task would start while that fails (task-sdk 1.2.2, supervisor.py,
    _remote_logging_conn).
    """
    if logs is None:
        return []
    name = f"AIRFLOW_CONN_{logs.connection_id.upper()}"
    region = [] if logs.region is None else [variable("AWS_DEFAULT_REGION", logs.region)]
    if logs.connection_secret is not None:
        return [*region, from_secret(name, logs.connection_secret, CONNECTION_KEY)]
    return [*region, variable(name, logs.connection or "")]


def remote_log_values(logs: RemoteLogs | None) -> dict[str, Any]:
    """Return the chart's values, except for the environment."""
    if logs is None:
        return {}
    azure = {"azure_remote_logging": {"remote_wasb_log_container": logs.container}} if logs.container else {}
    return {
        "config": {
            "logging": {
                # A string, because the chart's notes fail on a boolean with KubernetesExecutor and no volume.
                "remote_logging": "True",
                "remote_base_log_folder": logs.folder,
                "remote_log_conn_id": logs.connection_id,
                # Otherwise the nodes' disks fill up. A log that was not uploaded stays.
                "delete_local_logs": "True",
            },
            **azure,
        },
    }
