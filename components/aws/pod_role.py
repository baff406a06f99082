"""An IAM role of pods with all that belongs to it: whom it trusts, what it may do, and which pods get it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.aws.eks_cluster import EksCluster
from components.aws.pod_identity import PodIdentity, PodRole, trust_policy

_DIGITS: Final = 8


@dataclass(frozen=True, kw_only=True)
class PodRoleArgs:
    """Arguments of the role of some pods."""

    cluster: EksCluster
    """Cluster that the pods run on."""
    namespace: pulumi.Input[str]
    """Namespace of the pods."""
    accounts: Mapping[str, str]
    """Service accounts of the pods, each with the logical name of its association with the role; no others get it."""
    identity: PodIdentity
    """How the pods get the role."""
    description: str
    """Description of the role in IAM."""
    inline: tuple[str, pulumi.Input[Any]] | None = None
    """Name in IAM and document of a policy of the role's own, or None."""
    secrets: tuple[str, Mapping[str, Any]] | None = None
    """Name in IAM and document of a second policy of the role's own, or None."""
    policy_arns: tuple[str, ...] = ()
    """ARNs of managed policies to attach."""
    permissions_boundary: str | None = None
    """ARN of the policy that bounds the role, None for none."""
    earlier_parent: pulumi.Input[str] | None = None
    """URN of the component that may have had these associations before, because EKS takes one for each account."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that come before the role."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of role and associations."""


@dataclass(frozen=True, kw_only=True)
class MadeRole:
    """A role that was made."""

    role: PodRole
    """The role, as pods know it."""
    ready: tuple[pulumi.Resource, ...]
    """Resources that must exist before a pod starts: EKS gives a pod its credentials only at its start."""


def pod_role(name: str, args: PodRoleArgs, opts: pulumi.ResourceOptions) -> MadeRole:
    """Make a role, its policies, and with EKS Pod Identity its associations. They are children of `opts`' parent."""
    role = aws.iam.Role(
        name,
        description=args.description,
        assume_role_policy=pulumi.Output.from_input(args.namespace).apply(
            lambda namespace: json.dumps(trust_policy(args.identity, args.cluster, namespace, args.accounts))
        ),
        permissions_boundary=args.permissions_boundary,
        tags=dict(args.tags),
        opts=_after(opts, *args.after),
    )
    rights: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(f"{name}-{_digest(arn)}", role=role.name, policy_arn=arn, opts=opts)
        for arn in args.policy_arns
    ]
    if args.inline is not None:
        policy_name, document = args.inline
        own = aws.iam.RolePolicy(
            name,
            # Fixed, so that a stack which lost its state overwrites the policy instead of adding one beside it. A
            # policy that an earlier version created keeps its generated name: another one would replace it.
            name=policy_name,
            role=role.name,
            policy=pulumi.Output.from_input(document).apply(json.dumps),
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=["name"])),
        )
        rights.append(own)
    if args.secrets is not None:
        policy_name, second = args.secrets
        rights.append(
            aws.iam.RolePolicy(
                f"{name}-{policy_name}", name=policy_name, role=role.name, policy=json.dumps(second), opts=opts
            )
        )
    associations: list[pulumi.Resource] = []
    if args.identity is PodIdentity.EKS_POD_IDENTITY:
        aliases = [] if args.earlier_parent is None else [pulumi.Alias(parent=args.earlier_parent)]
        # After the policies, so that IAM has had time to propagate the role.
        association = pulumi.ResourceOptions.merge(_after(opts, *rights), pulumi.ResourceOptions(aliases=aliases))
        associations = [
            aws.eks.PodIdentityAssociation(
                logical_name,
                cluster_name=args.cluster.name,
                namespace=args.namespace,
                service_account=account,
                role_arn=role.arn,
                tags=dict(args.tags),
                opts=association,
            )
            for account, logical_name in args.accounts.items()
        ]
    made = PodRole(arn=role.arn, region=args.cluster.region, identity=args.identity)
    return MadeRole(role=made, ready=(*rights, *associations))


def _after(opts: pulumi.ResourceOptions, *resources: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(resources)))


def _digest(arn: str) -> str:
    return hashlib.sha256(arn.encode()).hexdigest()[:_DIGITS]
