"""The pods of Airflow that run, and whether any could still write to the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from automation.cluster.client import cluster_errors
from automation.stacks.session import Session
from components.chart_values.running import Running
from components.kube.workload_states import owner

AIRFLOW: Final = ("api-server", "dag-processor", "scheduler", "triggerer", "worker")
"""The components of Airflow."""
_LABELS: Final = {"tier": "airflow", "release": "airflow"}
_ENDED: Final = ("Succeeded", "Failed")


def airflow_pods(session: Session) -> tuple[str, ...]:
    """Return the names of Airflow's pods, those that are ending included. Raises ClusterUnreachable."""
    with cluster_errors():
        api, namespace = session.cluster()
        pods = api.items("v1", "Pod", namespace, labels=_LABELS)
    # Pods of single tasks end by themselves, and write only through the API server.
    return tuple(
        pod["metadata"]["name"]
        for pod in pods
        if (pod.get("status") or {}).get("phase") not in _ENDED and owner(pod)[1]
    )


def writers(running: Running, pods: Sequence[str]) -> str:
    """Return what may still write, "" if nothing does. running: what the last update deployed."""
    if running is not Running.STOPPED:
        return "Airflow runs"
    return f"pods that have not ended: {', '.join(pods)}" if pods else ""
