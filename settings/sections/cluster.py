"""The cluster that a stack deploys to: a kubeconfig's context, or an EKS cluster. AWS is not asked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.aws.tags import tag_problems
from components.kube.foreign_namespaces import is_foreign
from components.texts import fields
from settings.errors import remove_command
from settings.keys import ConfigKey, Section
from settings.reading import Config

SECTION = Section("Cluster")


def _namespace(text: str) -> str:
    if is_foreign(fields.namespace(text)):
        fields.refuse(
            "expected a namespace of its own such as airflow, because the stack owns all that is in it, found "
            f"{fields.shown(text)}, which is an add-on's"
        )
    return text


KUBE_CONTEXT = SECTION.optional(
    "kubeContext",
    fields.one_line,
    description="Context of the kubeconfig that the stack deploys to, unless eksCluster names the cluster. The "
    "current context is never used instead.",
)
KUBECONFIG = SECTION.optional(
    "kubeconfig",
    fields.path,
    description="Path of the kubeconfig file. Empty means KUBECONFIG, else ~/.kube/config, as with kubectl.",
)
EKS_CLUSTER = SECTION.optional(
    "eksCluster",
    fields.eks_cluster,
    description="Name of an existing EKS cluster to deploy to. Needs the aws command and its credentials.",
)
AWS_REGION = SECTION.optional(
    "awsRegion",
    fields.aws_region,
    description="AWS region of the EKS cluster, and of all that the stack makes in AWS.",
)
AWS_ACCOUNT_ID = SECTION.optional(
    "awsAccountId",
    fields.aws_account_id,
    description="AWS account of the EKS cluster, 12 digits. Credentials of another one are refused.",
)
AWS_TAGS = SECTION.text_map("awsTags", description="Tags on all that the stack makes in AWS.", problems_of=tag_problems)
AWS_PERMISSIONS_BOUNDARY = SECTION.optional(
    "awsPermissionsBoundary",
    fields.boundary_arn,
    description="ARN of an IAM policy that becomes the permissions boundary of every role of the stack. A role can do "
    "no more than this policy allows.",
)
NAMESPACE = SECTION.text(
    "namespace",
    _namespace,
    default="airflow",
    description="Namespace that the stack makes and owns, with all that is in it.",
)
PROTECT = SECTION.boolean(
    "protect",
    default=True,
    description="Refuse to delete or replace anything that holds data or keys. Set false for a stack that may be "
    "thrown away.",
)


@dataclass(frozen=True, kw_only=True)
class AwsChoice:
    """Where in AWS a stack is, as its config says."""

    cluster: str
    """Name of the EKS cluster."""
    region: str
    """AWS region of the cluster."""
    account_id: str
    """AWS account of the cluster, 12 digits."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags on everything that the stack makes in AWS."""
    permissions_boundary: str | None = None
    """ARN of the policy that bounds the roles that the stack makes."""


def read_cluster(config: Config) -> tuple[str | None, str]:
    """Return the kubeconfig and the context. Both are empty for an EKS cluster, because AWS tells them."""
    kubeconfig, context = config[KUBECONFIG], config[KUBE_CONTEXT]
    if config[EKS_CLUSTER] is None and not config.bad(EKS_CLUSTER):
        if context is None:
            config.problem(KUBE_CONTEXT, "expected a value, or airflow:eksCluster in its place, found none")
    elif not config.bad(EKS_CLUSTER):
        config.refuse_set((KUBECONFIG, KUBE_CONTEXT), f"together with {EKS_CLUSTER.full}")
    return kubeconfig, context or ""


def read_aws(config: Config) -> AwsChoice | None:
    """Return where in AWS the stack is, or None for a cluster that a kubeconfig names."""
    cluster, region, account_id, tags = (
        config[EKS_CLUSTER],
        config[AWS_REGION],
        config[AWS_ACCOUNT_ID],
        config[AWS_TAGS],
    )
    if not config.bad(EKS_CLUSTER):
        if cluster is None:
            config.refuse_set(
                (AWS_REGION, AWS_ACCOUNT_ID, AWS_TAGS, AWS_PERMISSIONS_BOUNDARY),
                f"without {EKS_CLUSTER.full}",
                instead=f"pulumi config set {EKS_CLUSTER.full} NAME",
            )
            return None
        for required in (AWS_REGION, AWS_ACCOUNT_ID):
            if config[required] is None:
                config.problem(required, f"expected a value beside {EKS_CLUSTER.full}, found none")
    return AwsChoice(
        cluster=cluster or "",
        region=region or "",
        account_id=account_id or "",
        tags=tags,
        permissions_boundary=config[AWS_PERMISSIONS_BOUNDARY],
    )


def needs_aws(config: Config, aws: AwsChoice | None, key: ConfigKey[Any], what: str) -> None:
    """Note a problem of `key` where it asks for something in AWS (`what`) and the stack has no EKS cluster."""
    if aws is None:
        config.problem(
            key,
            f"expected {EKS_CLUSTER.full} beside it, because {what} in AWS, found none",
            f"pulumi config set {EKS_CLUSTER.full} NAME, or {remove_command(key)}",
        )
