"""The EKS cluster that a stack deploys to: found by its name in AWS, and reached by a kubeconfig of ours.

The kubeconfig holds no credential: it has the AWS CLI make a token for whoever runs the program. The cluster is looked
up before anything is planned, so that a wrong account, region or name is one line instead of a failed update.
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
    """A subnet of the cluster. id, cidr, availability_zone: as EC2 names them.

    private: no default route leads from it to an internet gateway.
    """

    id: str
    cidr: str
    availability_zone: str
    private: bool


@dataclass(frozen=True, kw_only=True)
class EksCluster:
    """An existing EKS cluster.

    name, region, account_id, arn, endpoint, version: as EKS gives them.
    certificate_authority: PEM of what signs the endpoint's certificate, as base64.
    vpc_id, subnets: where it is; the subnets are those of the control plane, ordered by zone.
    security_group_id: the group that EKS itself puts on the cluster's nodes and pods.
    oidc_issuer: URL of the cluster's OIDC issuer, or None.
    """

    name: str
    region: str
    account_id: str
    arn: str
    endpoint: str
    certificate_authority: str
    vpc_id: str
    security_group_id: str
    subnets: tuple[Subnet, ...]
    oidc_issuer: str | None
    version: str

    @property
    def context(self) -> str:
        """Name of the kubeconfig's context: the ARN, as `aws eks update-kubeconfig` names it too."""
        return self.arn

    @property
    def private_subnets(self) -> tuple[Subnet, ...]:
        """Those that the internet does not reach."""
        return tuple(subnet for subnet in self.subnets if subnet.private)

    @property
    def kubeconfig(self) -> str:
        """A kubeconfig as JSON, the same on every machine. It holds no credential."""
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
    """The cluster `name` in `region`, read from AWS with the credentials in use, which must be of `account_id`.

    Raises AwsError.
    """
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
    """Other subnets of the cluster's VPC, by their ids. Raises AwsError, for one of another VPC too."""
    return _subnets(aws_clients(cluster.region), ids, cluster.vpc_id)


def require_aws_cli() -> None:
    """Raises AwsError where the command that the kubeconfig calls is not on PATH."""
    if shutil.which(_AWS_CLI) is None:
        raise AwsError(
            f"airflow:eksCluster: expected the command {_AWS_CLI} on PATH, which gives the tokens for an EKS cluster, "
            f"found none. Fix: install the AWS CLI ({_INSTALL_AWS_CLI})"
        )


def require_account(found: str, expected: str) -> None:
    """Raises AwsError where the credentials in use are of another account than the config's."""
    if found != expected:
        raise AwsError(
            f"airflow:awsAccountId: expected credentials of account {expected}, found some of account {found}. Mend "
            f"it: sign in to {expected} (AWS_PROFILE, `aws sso login`), or `pulumi config set --stack STACK "
            f"airflow:awsAccountId {found}` if the stack belongs there"
        )


def require_active(cluster: Mapping[str, Any], region: str) -> None:
    """Raises AwsError where EKS is making, changing or deleting the cluster. cluster: as DescribeCluster gives it."""
    if cluster["status"] != _ACTIVE:
        name = cluster["name"]
        raise AwsError(
            f"airflow:eksCluster: expected the EKS cluster {name} to be {_ACTIVE}, found {cluster['status']}. Fix: "
            f"wait for it with `aws eks wait cluster-active --region {region} --name {name}`"
        )


def read_subnets(subnets: Iterable[Mapping[str, Any]], route_tables: Iterable[Mapping[str, Any]]) -> tuple[Subnet, ...]:
    """EC2's descriptions of subnets, with those of their VPC's route tables, as Subnets ordered by zone and id."""
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
    """Whether the subnet's own route table, or else the VPC's main one, has a default route to an internet gateway.

    A NAT gateway does not make a subnet public, nor does an egress-only internet gateway.
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
    """The clusters that are there, for a message; asking may be forbidden, and is not worth an error of its own."""
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
