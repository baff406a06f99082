"""Rights of KubernetesExecutor in the Kubernetes API: only the scheduler may start task pods.

The chart's own role (`allowPodLaunching`) would also let workers and the triggerer, and so every DAG author, create
pods and read every Secret of the namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata

TYPE: Final = "airflow:index:TaskPodAccess"

_GROUP: Final = "rbac.authorization.k8s.io"
RULES: Final[Any] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
]


@dataclass(frozen=True, kw_only=True)
class TaskPodAccessArgs:
    """Arguments of `TaskPodAccess`."""

    namespace: pulumi.Input[str]
    """Namespace of the task pods."""
    scheduler_service_account: str
    """The chart's name of the scheduler's service account."""


class TaskPodAccess(pulumi.ComponentResource):
    """A Role and its binding to the scheduler.

    Raises: nothing of its own. Replaces: nothing. Survives a destroy: nothing.
    """

    binding: KubeObject
    """The binding, which gives the right."""

    def __init__(self, name: str, args: TaskPodAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = object_metadata(args.namespace)
        role = KubeObject(f"{_GROUP}/v1", "Role", name, {"metadata": metadata, "rules": RULES}, child)
        scheduler = {"kind": "ServiceAccount", "name": args.scheduler_service_account, "namespace": args.namespace}
        self.binding = KubeObject(
            f"{_GROUP}/v1",
            "RoleBinding",
            name,
            {
                "metadata": metadata,
                "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": role.name},
                "subjects": [scheduler],
            },
            child,
        )
        self.register_outputs({"role": role.name})
