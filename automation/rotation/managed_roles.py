"""Reads and drops the roles of a managed database, by a copy of the stack's pod that makes them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

from automation.cluster.client import cluster_errors
from automation.errors import ClusterRequestFailed
from automation.rotation.trials import LABEL
from components.database.roles_script import MASTER, roles_command
from components.kube.client import KubeApi
from components.preflight.pod_run import WaitLimits, run_pod
from components.secrets.masker import Masker

LIMITS: Final = WaitLimits(node_seconds=60, image_seconds=300, run_seconds=600)
"""The script waits for the server, and for tables that are in use."""


def master_secret(pod: Mapping[str, Any]) -> str:
    """Return the name of the Secret with the master user's URI. pod: the stack's output."""
    [container] = pod["spec"]["containers"]
    return next(
        str(entry["valueFrom"]["secretKeyRef"]["name"]) for entry in container["env"] if entry["name"] == MASTER
    )


@cluster_errors()
def run(api: KubeApi, namespace: str, pod: Mapping[str, Any], mode: str, sleep: Callable[[float], object]) -> str:
    """Run the pod in a mode of its script, and return what it answers. Raises ClusterRequestFailed."""
    ran = copy.deepcopy(dict(pod))
    [container] = ran["spec"]["containers"]
    container["args"] = roles_command(mode)
    end = run_pod(api, namespace, ran, LIMITS, label=LABEL, sleep=sleep)
    if end.problem:
        raise ClusterRequestFailed(
            f"the roles of the database could not be changed or read: {Masker().text(end.problem)}",
            "python -m automation status STACK",
        )
    [found] = end.containers.values()
    return str(found.message)
