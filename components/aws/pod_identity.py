"""How pods of an EKS cluster get an IAM role, and the trust policy of such a role."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

import pulumi

from components.aws.eks_cluster import EksCluster
from components.aws.region import partition


@unique
class PodIdentity(StrEnum):
    """How pods get an IAM role."""

    EKS_POD_IDENTITY = "eks-pod-identity"
    """EKS associates the role with service accounts; this needs the add-on of the Pod Identity agent."""
    IRSA = "irsa"
    """Pods present a token that the cluster signed; this needs the cluster's OIDC provider in IAM."""


ROLE_ANNOTATION: Final = "eks.amazonaws.com/role-arn"
"""Annotation of a service account whose pods get a role by IRSA."""


@dataclass(frozen=True, kw_only=True)
class PodRole:
    """The IAM role of some pods."""

    arn: pulumi.Input[str]
    """ARN of the role."""
    region: str
    """AWS region of the cluster."""
    identity: PodIdentity
    """How the pods get the role."""

    @property
    def annotations(self) -> dict[str, pulumi.Input[str]]:
        """Annotations of the pods' service account; none with EKS Pod Identity."""
        return {ROLE_ANNOTATION: self.arn} if self.identity is PodIdentity.IRSA else {}


def trust_policy(
    identity: PodIdentity, cluster: EksCluster, namespace: str, service_accounts: Iterable[str]
) -> dict[str, Any]:
    """Return the trust policy of a role that only these service accounts in one namespace of one cluster may assume.

    Raises ValueError for irsa if the cluster has no OIDC issuer.
    """
    accounts = sorted(service_accounts)
    statement = (
        _pod_identity(cluster, namespace, accounts)
        if identity is PodIdentity.EKS_POD_IDENTITY
        else _irsa(cluster, namespace, accounts)
    )
    return {"Version": "2012-10-17", "Statement": [statement]}


def _pod_identity(cluster: EksCluster, namespace: str, accounts: list[str]) -> dict[str, Any]:
    """Return the statement for EKS Pod Identity.

    Its principal alone would stand for every cluster of the account, so conditions restrict it. EKS sends these tags
    with each session (docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html).
    """
    return {
        "Sid": "LetTheServiceAccountsInByPodIdentity",
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {
            "StringEquals": {
                "aws:SourceAccount": cluster.account_id,
                "aws:RequestTag/kubernetes-namespace": namespace,
                "aws:RequestTag/kubernetes-service-account": accounts,
            },
            "ArnEquals": {"aws:SourceArn": cluster.arn},
        },
    }


def _irsa(cluster: EksCluster, namespace: str, accounts: list[str]) -> dict[str, Any]:
    if cluster.oidc_issuer is None:
        raise ValueError(f"expected an OIDC issuer of the EKS cluster {cluster.name}, which irsa needs, found none")
    issuer = cluster.oidc_issuer.removeprefix("https://")
    provider = f"arn:{partition(cluster.region)}:iam::{cluster.account_id}:oidc-provider/{issuer}"
    return {
        "Sid": "LetTheServiceAccountsInByTheirToken",
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{issuer}:aud": "sts.amazonaws.com",
                f"{issuer}:sub": [f"system:serviceaccount:{namespace}:{account}" for account in accounts],
            }
        },
    }
