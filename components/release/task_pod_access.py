"""What KubernetesExecutor may do with the Kubernetes API: the scheduler starts task pods; nobody else does.

The chart's own role (`allowPodLaunching`) would also let workers and the triggerer, that is, every DAG author, create
pods and so read every Secret of the namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s

from components.kube.metadata import object_metadata

TYPE: Final = "airflow:index:TaskPodAccess"

RULES: Final[Any] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
]


@dataclass(frozen=True, kw_only=True)
class TaskPodAccessArgs:
    """namespace: where task pods run. scheduler_service_account: the chart's name for it."""

    namespace: pulumi.Input[str]
    scheduler_service_account: str


class TaskPodAccess(pulumi.ComponentResource):
    """A Role and its binding to the scheduler.

    Raises: nothing of its own. Replaces: nothing. Survives a destroy: nothing.
    """

    binding: k8s.rbac.v1.RoleBinding
    """What gives the right."""

    def __init__(self, name: str, args: TaskPodAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = object_metadata(args.namespace)
        role = k8s.rbac.v1.Role(name, metadata=metadata, rules=RULES, opts=child)
        self.binding = k8s.rbac.v1.RoleBinding(
            name,
            metadata=metadata,
            role_ref=k8s.rbac.v1.RoleRefArgs(
                api_group="rbac.authorization.k8s.io", kind="Role", name=role.metadata.name
            ),
            subjects=[
                k8s.rbac.v1.SubjectArgs(
                    kind="ServiceAccount", name=args.scheduler_service_account, namespace=args.namespace
                )
            ],
            opts=child,
        )
        self.register_outputs({"role": role.metadata.name})
