"""The IAM roles of pods that run tasks or read secrets, as far as the log bucket does not make them.

With task logs in S3, the default workers have the role of the log bucket, and each group of workers has one of these.
With task logs elsewhere, all of them have one of these, if they have policies. Where secrets are in AWS, each pod that
reads them has a role of its own, so that workers do not get the right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.aws.eks_cluster import EksCluster
from components.aws.pod_identity import PodIdentity, PodRole
from components.aws.pod_role import PodRoleArgs, pod_role

TYPE: Final = "airflow:index:TaskRoles"


@dataclass(frozen=True, kw_only=True)
class TaskRole:
    """The purpose of one of the roles."""

    associations: Mapping[str, str]
    """Service accounts that get it, each with the logical name of its association."""
    policy_arns: tuple[str, ...]
    """ARNs of managed policies to attach."""
    earlier_parent: pulumi.Input[str] | None = None
    """URN of the component that may have given these accounts their role before."""
    writes_logs: bool = True
    """Whether its pods write and read logs."""
    secrets: tuple[str, Mapping[str, Any]] | None = None
    """Name in IAM and document of the policy by which its pods read secrets, or None."""


@dataclass(frozen=True, kw_only=True)
class TaskRolesArgs:
    """Arguments of `TaskRoles`."""

    cluster: EksCluster
    """Cluster that the pods run on."""
    namespace: pulumi.Input[str]
    """Namespace of the pods."""
    identity: PodIdentity
    """How the pods get their role."""
    roles: Mapping[str, TaskRole]
    """The roles, by logical name."""
    log_policy: tuple[str, pulumi.Input[Any]] | None = None
    """Name in IAM and document of the policy by which these pods write and read logs, or None if it takes no role."""
    permissions_boundary: str | None = None
    """ARN of the policy that bounds the roles, None for none."""


class TaskRoles(pulumi.ComponentResource):
    """A role for the default workers, task pods and the triggerer, or for a group of workers, or several of these.

    Raises: ValueError for irsa with a cluster that has no OIDC issuer.
    Replaces: no role. Other policies are attached and detached in place; pods keep their role.
    Survives a destroy: nothing. The attached policies are not the stack's.
    """

    roles: Mapping[str, PodRole]
    """The roles, by logical name."""
    ready: tuple[pulumi.Resource, ...]
    """Resources that must exist before a pod starts."""

    def __init__(self, name: str, args: TaskRolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        made = {
            role_name: pod_role(
                role_name,
                PodRoleArgs(
                    cluster=args.cluster,
                    namespace=args.namespace,
                    accounts=role.associations,
                    identity=args.identity,
                    description=f"Lets tasks of Airflow on the EKS cluster {args.cluster.name} use AWS",
                    inline=args.log_policy if role.writes_logs else None,
                    secrets=role.secrets,
                    policy_arns=role.policy_arns,
                    permissions_boundary=args.permissions_boundary,
                    earlier_parent=role.earlier_parent,
                ),
                pulumi.ResourceOptions(parent=self),
            )
            for role_name, role in args.roles.items()
        }
        self.roles = {role_name: found.role for role_name, found in made.items()}
        self.ready = tuple(resource for found in made.values() for resource in found.ready)
        self.register_outputs({role_name: role.arn for role_name, role in self.roles.items()})
