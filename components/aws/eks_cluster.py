"""The EKS cluster that a stack deploys to: its lookup in AWS by name, and a kubeconfig for it.

The kubeconfig contains no credential: the AWS CLI makes a token for the person or CI job that runs the program. The
lookup runs before anything is registered, so that a wrong account, region or name is one line, not a failed update.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from components.aws.client import AwsError, aws_call, aws_clients

_AWS_CLI = "aws"
_INSTALL_AWS_CLI: Final = "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
_ALL_ADDRESSES: Final = frozenset({"0.0.0.0/0", "::/0"})
_INTERNET_GATEWAY = "igw-"
_ACTIVE = "ACTIVE"
_NO_SUCH_CLUSTER = "ResourceNotFoundException"
_SHOWN_CLUSTERS = 10


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A subnet of the cluster's VPC."""

    id: str
    """Its ID in EC2."""
    cidr: str
    """Its IPv4 network."""
    availability_zone: str
    """Its availability zone."""
    private: bool
    """Whether it has no default route to an internet gateway."""


@dataclass(frozen=True, kw_only=True)
class EksCluster:
    """An existing EKS cluster."""

    name: str
    """Its name."""
    region: str
    """Its AWS region."""
    account_id: str
    """Its AWS account, 12 digits."""
    arn: str
    """Its ARN."""
    endpoint: str
    """URL of its Kubernetes API."""
    certificate_authority: str
    """PEM of the CA of its endpoint, as base64."""
    vpc_id: str
    """Its VPC."""
    security_group_id: str
    """Security group that EKS puts on the cluster's nodes and pods."""
    subnets: tuple[Subnet, ...]
    """Subnets of the control plane, ordered by zone."""
    oidc_issuer: str | None
    """URL of its OIDC issuer, or None."""
    version: str
    """Its Kubernetes version, such as 1.35."""

    @property
    def context(self) -> str:
        """Name of the kubeconfig's context: the ARN, as `aws eks update-kubeconfig` names it."""
        return self.arn

    @property
    def private_subnets(self) -> tuple[Subnet, ...]:
        """Subnets that the internet cannot reach."""
        return tuple(subnet for subnet in self.subnets if subnet.private)

    @property
    def kubeconfig(self) -> str:
        """A kubeconfig as JSON, the same on every machine, without any credential."""
        get_token = {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": _AWS_CLI,
            "args": ["eks", "get-token", "--region", self.region, "--cluster-name", self.name, "--output", "json"],
            "env": None,
            "interactiveMode": "Never",
            "provideClusterInfo": False,
            "installHint": f"The AWS CLI gives the tokens for an EKS cluster: {_INSTALL_AWS_CLI}",
        }
        server = {"server": self.endpoint, "certificate-authority-data": self.certificate_authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.arn, "cluster": server}],
            "users": [{"name": self.arn, "user": {"exec": get_token}}],
            "contexts": [{"name": self.context, "context": {"cluster": self.arn, "user": self.arn}}],
            "current-context": self.context,
            "preferences": {},
        }
        return json.dumps(config, indent=2)


def find_cluster(name: str, region: str, account_id: str) -> EksCluster:
    """Return the cluster `name` in `region`. The current credentials must belong to `account_id`. Raises AwsError."""
    require_aws_cli()
    client = aws_clients(region)
    identity = aws_call("sts:GetCallerIdentity", lambda: client("sts").get_caller_identity())
    require_account(str(identity["Account"]), account_id)
    cluster = _described(client, name, region)
    require_active(cluster, region)
    network = cluster["resourcesVpcConfig"]
    return EksCluster(
        name=name,
        region=region,
        account_id=account_id,
        arn=cluster["arn"],
        endpoint=cluster["endpoint"],
        certificate_authority=cluster["certificateAuthority"]["data"],
        vpc_id=network["vpcId"],
        security_group_id=network["clusterSecurityGroupId"],
        subnets=_subnets(client, network["subnetIds"], network["vpcId"]),
        oidc_issuer=cluster.get("identity", {}).get("oidc", {}).get("issuer"),
        version=cluster["version"],
    )


def find_subnets(ids: Sequence[str], cluster: EksCluster) -> tuple[Subnet, ...]:
    """Return other subnets of the cluster's VPC by their IDs. Raises AwsError, also for a subnet of another VPC."""
    return _subnets(aws_clients(cluster.region), ids, cluster.vpc_id)


def require_aws_cli() -> None:
    """Raise AwsError if the command that the kubeconfig calls is not on PATH."""
    if shutil.which(_AWS_CLI) is None:
        raise AwsError(
            f"airflow:eksCluster: expected the command {_AWS_CLI} on PATH, which gives the tokens for an EKS cluster, "
            f"found none. Fix: install the AWS CLI ({_INSTALL_AWS_CLI})"
        )


def require_account(found: str, expected: str) -> None:
    """Raise AwsError if the current credentials belong to another account than the config's."""
    if found != expected:
        raise AwsError(
            f"airflow:awsAccountId: expected credentials of account {expected}, found some of account {found}. Fix: "
            f"sign in to {expected} (AWS_PROFILE, `aws sso login`), or `pulumi config set --stack STACK "
            f"airflow:awsAccountId {found}` if the stack belongs there"
        )


def require_active(cluster: Mapping[str, Any], region: str) -> None:
    """Raise AwsError while EKS creates, changes or deletes the cluster, given as DescribeCluster returns it."""
    if cluster["status"] != _ACTIVE:
        name = cluster["name"]
        raise AwsError(
            f"airflow:eksCluster: expected the EKS cluster {name} to be {_ACTIVE}, found {cluster['status']}. Fix: "
            f"wait for it with `aws eks wait cluster-active --region {region} --name {name}`"
        )


def read_subnets(subnets: Iterable[Mapping[str, Any]], route_tables: Iterable[Mapping[str, Any]]) -> tuple[Subnet, ...]:
    """Return Subnets ordered by zone and ID, from EC2's descriptions of subnets and of their VPC's route tables."""
    tables = list(route_tables)
    found = (
        Subnet(
            id=subnet["SubnetId"],
            cidr=subnet["CidrBlock"],
            availability_zone=subnet["AvailabilityZone"],
            private=not is_public(subnet["SubnetId"], tables),
        )
        for subnet in subnets
    )
    return tuple(sorted(found, key=lambda subnet: (subnet.availability_zone, subnet.id)))


def is_public(subnet_id: str, route_tables: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the subnet's route table, or else the VPC's main one, has a default route to an internet gateway.

    Neither a NAT gateway nor an egress-only internet gateway makes a subnet public.
    """
    own = main = None
    for table in route_tables:
        for association in table["Associations"]:
            if association.get("SubnetId") == subnet_id:
                own = table
            elif association.get("Main"):
                main = table
    table = own or main or {"Routes": []}
    return any(
        {route.get("DestinationCidrBlock"), route.get("DestinationIpv6CidrBlock")} & _ALL_ADDRESSES
        and str(route.get("GatewayId")).startswith(_INTERNET_GATEWAY)
        for route in table["Routes"]
    )


def _subnets(client: Callable[[str], Any], ids: Sequence[str], vpc_id: str) -> tuple[Subnet, ...]:
    found = aws_call("ec2:DescribeSubnets", lambda: client("ec2").describe_subnets(SubnetIds=list(ids))["Subnets"])
    elsewhere = sorted(subnet["SubnetId"] for subnet in found if subnet["VpcId"] != vpc_id)
    if elsewhere:
        raise AwsError(
            f"airflow:databaseSubnetIds: expected subnets of the EKS cluster's VPC {vpc_id}, found "
            f"{', '.join(elsewhere)} of another: PgBouncer would have no way to the database. Fix: `pulumi config "
            "set --stack STACK --path 'airflow:databaseSubnetIds[0]' SUBNET`"
        )
    in_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    route_tables = aws_call(
        "ec2:DescribeRouteTables",
        lambda: list(
            client("ec2").get_paginator("describe_route_tables").paginate(Filters=in_vpc).search("RouteTables[]")
        ),
    )
    return read_subnets(found, route_tables)


def _described(client: Callable[[str], Any], name: str, region: str) -> dict[str, Any]:
    try:
        cluster: dict[str, Any] = aws_call(
            "eks:DescribeCluster", lambda: client("eks").describe_cluster(name=name)["cluster"]
        )
    except AwsError as error:
        if error.code != _NO_SUCH_CLUSTER:
            raise
    else:
        return cluster
    raise AwsError(
        f"airflow:eksCluster: expected an EKS cluster {name} in {region}, found {_others(client)}. Fix: `pulumi "
        "config set --stack STACK airflow:eksCluster NAME`, or `pulumi config set --stack STACK airflow:awsRegion "
        "REGION`",
        _NO_SUCH_CLUSTER,
    )


def _others(client: Callable[[str], Any]) -> str:
    """Return the existing clusters for a message. That listing them is forbidden is no error of its own."""
    try:
        names: list[str] = sorted(
            aws_call(
                "eks:ListClusters",
                lambda: list(client("eks").get_paginator("list_clusters").paginate().search("clusters[]")),
            )
        )
    except AwsError:
        return "no such cluster there"
    if not names:
        return "no cluster there"
    more = len(names) - _SHOWN_CLUSTERS
    return ", ".join(names[:_SHOWN_CLUSTERS]) + (f" and {more} more" if more > 0 else "")
