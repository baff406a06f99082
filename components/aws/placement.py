"""Where in AWS a deployment is: what its AWS resources are made of, besides their own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.aws.eks_cluster import EksCluster, Subnet


@dataclass(frozen=True, kw_only=True)
class AwsPlacement:
    """cluster: that everything runs on. tags: on all that is made in AWS; the provider sets them.

    database_subnets: of a managed database. subnets_shared: the cluster's nodes are in them too.
    database_ca_certificates: PEM of the authorities that a managed database's certificate is verified against.
    """

    cluster: EksCluster
    database_subnets: tuple[Subnet, ...] = ()
    subnets_shared: bool = False
    database_ca_certificates: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
