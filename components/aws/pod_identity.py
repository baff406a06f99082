"""How pods of the EKS cluster come by an IAM role, and whom such a role trusts."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Any

from components.aws.eks_cluster import EksCluster
from components.aws.kms_policy import partition


@unique
class PodIdentity(StrEnum):
    """`eks-pod-identity`: EKS gives the role to service accounts that it is associated with. Needs the agent's add-on.

    `irsa`: the pods show IAM a token that the cluster signed. Needs the cluster's OIDC provider in IAM.
    """

    EKS_POD_IDENTITY = "eks-pod-identity"
    IRSA = "irsa"


def trust_policy(
    identity: PodIdentity, cluster: EksCluster, namespace: str, service_accounts: Iterable[str]
) -> dict[str, Any]:
    """Of a role that exactly these service accounts of one namespace in one cluster may assume.

    Raises ValueError for irsa with a cluster that has no OIDC issuer.
    """
    accounts = sorted(service_accounts)
    statement = (
        _pod_identity(cluster, namespace, accounts)
        if identity is PodIdentity.EKS_POD_IDENTITY
        else _irsa(cluster, namespace, accounts)
    )
    return {"Version": "2012-10-17", "Statement": [statement]}


def _pod_identity(cluster: EksCluster, namespace: str, accounts: list[str]) -> dict[str, Any]:
    """The principal alone stands for every cluster of the account: hence the conditions.

    The tags are those that EKS sends with each session (docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html).
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
