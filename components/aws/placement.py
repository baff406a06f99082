"""Where in AWS a deployment is, which all of its AWS resources need to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.aws.eks_cluster import EksCluster, Subnet


@dataclass(frozen=True, kw_only=True)
class AwsPlacement:
    """The place of a deployment in AWS."""

    cluster: EksCluster
    """Cluster that everything runs on."""
    database_subnets: tuple[Subnet, ...] = ()
    """Subnets of a managed database."""
    subnets_shared: bool = False
    """Whether the cluster's nodes are in the database's subnets too."""
    database_ca_certificates: str = ""
    """PEM of the CAs that the certificate of a managed database is verified against."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that the provider sets on everything it creates in AWS."""
    permissions_boundary: str | None = None
    """ARN of the policy that bounds the roles that are made, None for none."""


def placed(aws: AwsPlacement | None, argument: str) -> AwsPlacement:
    """Return `aws`. Raises ValueError if it is None, because `argument` needs it."""
    if aws is None:
        raise ValueError(f"aws: must be set, because {argument} is in AWS, found none")
    return aws
