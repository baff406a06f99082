"""Which EKS cluster, region and account a stack is in, if any. Nothing of AWS is asked here; see `aws_lookup`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from components import fields
from settings.reader import PROJECT, Reader


@dataclass(frozen=True, kw_only=True)
class AwsChoice:
    """cluster: name of an EKS cluster. region, account_id: where it must be. tags: on all that the stack makes."""

    cluster: str
    region: str
    account_id: str
    tags: Mapping[str, str] = field(default_factory=dict)


def read_aws(read: Reader) -> AwsChoice | None:
    """The keys eksCluster and aws…; None for a cluster that a kubeconfig names."""
    cluster = read.text("eksCluster", fields.eks_cluster, empty=True)
    region = read.text("awsRegion", fields.aws_region, empty=True)
    account_id = read.text("awsAccountId", fields.aws_account_id, empty=True)
    tags = read.text_map("awsTags")
    given = {"awsRegion": region, "awsAccountId": account_id}
    if cluster is None and not read.bad("eksCluster"):
        for key, value in {**given, "awsTags": tags}.items():
            if value:
                read.problem(
                    key,
                    "expected none without airflow:eksCluster, found one",
                    f"pulumi config set {PROJECT}:eksCluster NAME, or pulumi config rm {PROJECT}:{key}",
                )
        return None
    for key, value in given.items():
        if value is None and not read.bad("eksCluster"):
            read.problem(key, "expected a value beside airflow:eksCluster, found none")
    return AwsChoice(cluster=cluster or "", region=region or "", account_id=account_id or "", tags=tags)


def needs_aws(read: Reader, aws: AwsChoice | None, key: str, what: str) -> None:
    """Notes a problem of `key` where what it asks for (`what`) is in AWS, and the stack is not."""
    if aws is None:
        read.problem(
            key,
            f"expected airflow:eksCluster beside it, because {what} in AWS, found none",
            f"pulumi config set {PROJECT}:eksCluster NAME, or pulumi config rm {PROJECT}:{key}",
        )
