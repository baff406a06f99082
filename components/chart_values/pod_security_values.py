"""Chart values with which every pod passes the Pod Security Standard `restricted`. Pure."""

from __future__ import annotations

from typing import Any

from components.chart_values.release_inputs import ReleaseInputs
from components.chart_values.size_preset import SizePreset
from components.kube.pod_security import (
    AIRFLOW_UID,
    CONTAINER,
    GIT_SYNC_UID,
    NOBODY_UID,
    READ_ONLY,
    REDIS_UID,
    pod_security_context,
)


def pod_security_values(inputs: ReleaseInputs) -> dict[str, Any]:
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


def read_only_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return read-only root file systems for what is not Airflow; with the size `none` there are none."""
    if inputs.size is SizePreset.NONE:
        return {}
    return {
        "redis": READ_ONLY,
        "statsd": READ_ONLY,
        "pgbouncer": {**READ_ONLY, "metricsExporterSidecar": READ_ONLY},
    }
