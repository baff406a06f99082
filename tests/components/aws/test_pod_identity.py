"""Whom the role of a cluster's pods trusts: these service accounts of this cluster, and nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.aws.pod_identity import PodIdentity, trust_policy
from tests.cases import each
from tests.components.aws.test_eks_cluster import ACCOUNT, ARN, CLUSTER

ISSUER = "oidc.eks.eu-central-1.amazonaws.test/id/ABC"


def statement(identity: PodIdentity, *accounts: str) -> dict[str, Any]:
    policy = trust_policy(identity, CLUSTER, "ns", accounts or ("airflow-worker", "airflow-api-server"))
    assert policy["Version"] == "2012-10-17", "an older one reads conditions otherwise"
    (found,) = policy["Statement"]
    assert found.pop("Sid")
    return dict(found)


def test_pod_identity_trusts_eks_for_these_accounts_of_this_cluster() -> None:
    assert statement(PodIdentity.EKS_POD_IDENTITY) == {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {
            "StringEquals": {
                "aws:SourceAccount": ACCOUNT,
                "aws:RequestTag/kubernetes-namespace": "ns",
                "aws:RequestTag/kubernetes-service-account": ["airflow-api-server", "airflow-worker"],
            },
            "ArnEquals": {"aws:SourceArn": ARN},
        },
    }


def test_irsa_trusts_tokens_of_these_accounts_that_the_cluster_signed() -> None:
    assert statement(PodIdentity.IRSA) == {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{ISSUER}:aud": "sts.amazonaws.com",
                f"{ISSUER}:sub": [
                    "system:serviceaccount:ns:airflow-api-server",
                    "system:serviceaccount:ns:airflow-worker",
                ],
            }
        },
    }


def test_irsa_needs_an_issuer() -> None:
    with pytest.raises(ValueError, match="expected an OIDC issuer of the EKS cluster prod"):
        trust_policy(PodIdentity.IRSA, replace(CLUSTER, oidc_issuer=None), "ns", ["a"])


@pytest.mark.parametrize("identity", PodIdentity)
@given(accounts=st.lists(st.from_regex(r"[a-z]{1,20}", fullmatch=True), min_size=1, max_size=5, unique=True))
def test_order_of_the_accounts_changes_no_role(identity: PodIdentity, accounts: list[str]) -> None:
    texts = {json.dumps(statement(identity, *order)) for order in (accounts, reversed(accounts))}
    assert len(texts) == 1


@each("identity", PodIdentity)
def test_other_part_of_aws_has_other_arns(identity: PodIdentity) -> None:
    arn = ARN.replace("arn:aws:", "arn:aws-us-gov:").replace("eu-central-1", "us-gov-west-1")
    cluster = replace(CLUSTER, region="us-gov-west-1", arn=arn)
    text = json.dumps(trust_policy(identity, cluster, "ns", ["a"]))
    assert "arn:aws-us-gov:" in text
    assert "arn:aws:" not in text


@each("identity", PodIdentity)
def test_policy_is_within_the_limit_of_iam(identity: PodIdentity) -> None:
    """2048 characters (docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
    cluster = replace(CLUSTER, arn=ARN.replace("prod", "c" * 100))
    accounts = [f"airflow-{role}-of-a-long-name" for role in "abcdefgh"]
    assert len(json.dumps(trust_policy(identity, cluster, "n" * 63, accounts))) < 2048
