"""The EKS cluster as moto's AWS describes it, and a kubeconfig that a client of Kubernetes takes."""

from __future__ import annotations

import base64
import datetime
import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from moto.eks.models import eks_backends

from components.aws.client import AwsError
from components.aws.eks_cluster import (
    EksCluster,
    Subnet,
    find_cluster,
    find_subnets,
    is_public,
    read_subnets,
    require_active,
)
from components.kube.kubeconfig import api_client, is_content
from components.kube.safe_yaml import load_yaml
from tests.cases import each

REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
ARN: Final = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/prod"
GROUP: Final = "sg-0123456789abcdef0"

CLUSTER: Final = EksCluster(
    name="prod",
    region=REGION,
    account_id=ACCOUNT,
    arn=ARN,
    endpoint="https://abc.gr7.eu-central-1.eks.amazonaws.test",
    certificate_authority="",
    vpc_id="vpc-1",
    security_group_id=GROUP,
    subnets=(
        Subnet(id="subnet-a", cidr="10.0.0.0/24", availability_zone="eu-central-1a", private=True),
        Subnet(id="subnet-b", cidr="10.0.1.0/24", availability_zone="eu-central-1b", private=False),
    ),
    oidc_issuer="https://oidc.eks.eu-central-1.amazonaws.test/id/ABC",
    version="1.33",
)


@functools.cache
def client(service: str) -> Any:
    """A client of the tests' own, for whatever account moto has: it takes longer to make than to ask."""
    return boto3.client(service, REGION, aws_access_key_id="made-up", aws_secret_access_key="made-up")


class Network:
    """A VPC in moto's EC2, with what makes subnets public."""

    def __init__(self, cidr: str = "10.0.0.0/16") -> None:
        self.ec2: Any = client("ec2")
        self.vpc: str = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]

    @functools.cached_property
    def gateway(self) -> str:
        found = str(self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
        self.ec2.attach_internet_gateway(InternetGatewayId=found, VpcId=self.vpc)
        return found

    def subnet(self, cidr: str, zone: str = "a") -> str:
        found = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=f"{REGION}{zone}")
        return str(found["Subnet"]["SubnetId"])

    def table(self, *subnets: str, **route: str) -> str:
        """A route table of these subnets, with a default route to what is given."""
        table = str(self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"])
        if route:
            self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **route)
        for subnet in subnets:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    def main_table(self) -> str:
        tables = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"]
        return str(next(t["RouteTableId"] for t in tables if any(a.get("Main") for a in t["Associations"])))

    def make_cluster(self, *subnets: str, name: str = "prod") -> Any:
        """A cluster in these subnets; returns moto's own object of it."""
        client("eks").create_cluster(
            name=name,
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks",
            resourcesVpcConfig={"subnetIds": list(subnets)},
            version="1.33",
        )
        cluster = eks_backends[ACCOUNT][REGION].clusters[name]
        # EKS says these too; moto does not.
        cluster.resources_vpc_config = {
            "subnetIds": list(subnets),
            "vpcId": self.vpc,
            "clusterSecurityGroupId": GROUP,
        }
        return cluster


@pytest.fixture
def aws_cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A command `aws` on PATH that gives a token and keeps its arguments in the file that is returned."""
    asked, program = tmp_path / "asked", tmp_path / "bin" / "aws"
    credential = {
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "spec": {},
        "status": {"expirationTimestamp": "2999-01-01T00:00:00Z", "token": "sentinel-token"},
    }
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {asked}\ncat <<'END'\n{json.dumps(credential)}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return asked


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, aws_cli: Path) -> Iterator[Network]:
    """An empty account of moto's with a VPC."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, f"sentinel-{name.lower()}")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # half of the time, and no test needs them
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield Network()


def problem(name: str = "prod", region: str = REGION, account_id: str = ACCOUNT) -> str:
    with pytest.raises(AwsError) as error:
        find_cluster(name, region, account_id)
    assert "sentinel" not in str(error.value)
    return str(error.value)


# What is found


def test_cluster_is_what_aws_says_of_it(network: Network) -> None:
    inner, outer = network.subnet("10.0.0.0/24", "a"), network.subnet("10.0.1.0/24", "b")
    network.table(outer, GatewayId=network.gateway)
    made = network.make_cluster(outer, inner)
    assert find_cluster("prod", REGION, ACCOUNT) == EksCluster(
        name="prod",
        region=REGION,
        account_id=ACCOUNT,
        arn=ARN,
        endpoint=made.endpoint,
        certificate_authority=made.certificate_authority["data"],
        vpc_id=network.vpc,
        security_group_id=GROUP,
        subnets=(
            Subnet(id=inner, cidr="10.0.0.0/24", availability_zone="eu-central-1a", private=True),
            Subnet(id=outer, cidr="10.0.1.0/24", availability_zone="eu-central-1b", private=False),
        ),
        oidc_issuer=made.identity["oidc"]["issuer"],
        version="1.33",
    )


def test_cluster_without_an_oidc_issuer_is_one_too(network: Network) -> None:
    network.make_cluster(network.subnet("10.0.0.0/24")).identity = {}
    assert find_cluster("prod", REGION, ACCOUNT).oidc_issuer is None


def test_subnets_are_ordered_whatever_order_aws_gives(network: Network) -> None:
    """Another order must not be a change."""
    ids = [network.subnet(f"10.0.{number}.0/24", zone) for number, zone in enumerate("bcab")]
    network.make_cluster(*ids)
    found = find_cluster("prod", REGION, ACCOUNT).subnets
    assert [subnet.availability_zone[-1] for subnet in found] == ["a", "b", "b", "c"]
    assert list(found) == sorted(found, key=lambda subnet: (subnet.availability_zone, subnet.id))


def test_private_subnets_are_those_without_a_way_from_the_internet() -> None:
    assert [subnet.id for subnet in CLUSTER.private_subnets] == ["subnet-a"]


# Public and private


def private(network: Network, subnet: str) -> bool:
    network.make_cluster(subnet)
    return find_cluster("prod", REGION, ACCOUNT).subnets[0].private


def test_main_route_table_is_that_of_a_subnet_without_its_own(network: Network) -> None:
    subnet = network.subnet("10.0.0.0/24")
    network.ec2.create_route(
        RouteTableId=network.main_table(), DestinationCidrBlock="0.0.0.0/0", GatewayId=network.gateway
    )
    assert not private(network, subnet)


def test_own_route_table_comes_before_the_main_one(network: Network) -> None:
    subnet = network.subnet("10.0.0.0/24")
    network.ec2.create_route(
        RouteTableId=network.main_table(), DestinationCidrBlock="0.0.0.0/0", GatewayId=network.gateway
    )
    network.table(subnet)
    assert private(network, subnet)


def test_nat_gateway_leaves_a_subnet_private(network: Network) -> None:
    inner, outer = network.subnet("10.0.0.0/24"), network.subnet("10.0.1.0/24")
    nat = network.ec2.create_nat_gateway(SubnetId=outer, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    network.table(inner, NatGatewayId=nat)
    assert private(network, inner)


def test_internet_gateway_for_a_part_of_the_internet_is_no_default_route() -> None:
    table = {
        "Associations": [{"Main": True}],
        "Routes": [{"DestinationCidrBlock": "192.0.2.0/24", "GatewayId": "igw-1"}],
    }
    assert not is_public("subnet-1", [table])


@each(
    ("route", "public"),
    [
        ({"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"}, True),
        ({"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"}, False),
        ({"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"}, False),
        ({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "vgw-1"}, False),
    ],
)
def test_way_out_alone_makes_nothing_public(route: dict[str, str], public: bool) -> None:
    assert is_public("subnet-1", [{"Associations": [{"SubnetId": "subnet-1"}], "Routes": [route]}]) is public


def test_subnet_without_any_route_table_is_private() -> None:
    assert not is_public("subnet-1", [])


@given(st.permutations(range(4)))
def test_order_of_route_tables_decides_nothing(order: list[int]) -> None:
    out = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}
    tables: list[dict[str, Any]] = [
        {"Associations": [{"Main": True}], "Routes": [out]},
        {"Associations": [{"SubnetId": "subnet-a"}, {"SubnetId": "subnet-b"}], "Routes": []},
        {"Associations": [{"SubnetId": "subnet-c"}], "Routes": [out]},
        {"Associations": [], "Routes": [out]},
    ]
    subnets = [
        {"SubnetId": f"subnet-{letter}", "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "z"} for letter in "abcd"
    ]
    found = read_subnets(subnets, [tables[index] for index in order])
    assert [subnet.private for subnet in found] == [True, True, False, False]


def test_other_subnets_of_the_vpc_are_found_by_their_ids(network: Network) -> None:
    inner, outer = network.subnet("10.0.0.0/24", "b"), network.subnet("10.0.1.0/24", "a")
    network.table(outer, GatewayId=network.gateway)
    found = find_subnets((inner, outer), replace(CLUSTER, vpc_id=network.vpc))
    assert [(subnet.id, subnet.private) for subnet in found] == [(outer, False), (inner, True)]


def test_subnet_of_another_vpc_is_refused(network: Network) -> None:
    elsewhere = Network("10.1.0.0/16").subnet("10.1.0.0/24")
    with pytest.raises(
        AwsError, match=f"expected subnets of the EKS cluster's VPC {network.vpc}, found {elsewhere} of"
    ):
        find_subnets((network.subnet("10.0.0.0/24"), elsewhere), replace(CLUSTER, vpc_id=network.vpc))


def test_subnet_that_is_not_there_is_named(network: Network) -> None:
    with pytest.raises(AwsError, match="subnet-0123456789abcdef0"):
        find_subnets(("subnet-0123456789abcdef0",), replace(CLUSTER, vpc_id=network.vpc))


# What is refused


def test_other_account_is_refused_with_both_numbers(network: Network) -> None:
    network.make_cluster(network.subnet("10.0.0.0/24"))
    text = problem(account_id="210987654321")
    assert (
        "airflow:awsAccountId: expected credentials of account 210987654321, found some of account 123456789012" in text
    )
    assert "`pulumi config set --stack STACK airflow:awsAccountId 123456789012`" in text


def test_other_account_is_refused_before_its_clusters_are_read(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, {})
    problem(account_id="210987654321")
    assert asked == ["GetCallerIdentity"]


def test_cluster_that_is_not_there_is_refused_with_those_that_are(network: Network) -> None:
    subnet = network.subnet("10.0.0.0/24")
    for name in ("staging", "blue"):
        network.make_cluster(subnet, name=name)
    text = problem()
    assert "airflow:eksCluster: expected an EKS cluster prod in eu-central-1, found blue, staging. Fix:" in text
    assert "`pulumi config set --stack STACK airflow:eksCluster NAME`" in text


def test_many_clusters_are_not_all_named(network: Network) -> None:
    subnet = network.subnet("10.0.0.0/24")
    for number in range(13):
        network.make_cluster(subnet, name=f"c{number:02}")
    assert "found c00, c01, c02, c03, c04, c05, c06, c07, c08, c09 and 3 more." in problem()


def test_region_without_clusters_is_told(network: Network) -> None:
    network.make_cluster(network.subnet("10.0.0.0/24"))
    assert "expected an EKS cluster prod in eu-west-1, found no cluster there" in problem(region="eu-west-1")


def test_who_may_not_list_clusters_still_hears_that_this_one_is_not_there(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, {"ListClusters": "AccessDeniedException"})
    assert "expected an EKS cluster prod in eu-central-1, found no such cluster there" in problem()


@each("status", ["CREATING", "UPDATING", "DELETING", "FAILED"])
def test_cluster_that_is_not_active_is_refused(status: str) -> None:
    with pytest.raises(AwsError, match=f"expected the EKS cluster prod to be ACTIVE, found {status}") as error:
        require_active({"name": "prod", "status": status}, REGION)
    assert "`aws eks wait cluster-active --region eu-central-1 --name prod`" in str(error.value)


def test_cluster_that_is_being_made_is_refused_before_its_network_is_read(network: Network) -> None:
    """It has no certificate yet."""
    cluster = network.make_cluster(network.subnet("10.0.0.0/24"))
    cluster.status, cluster.certificate_authority = "CREATING", {}
    assert "found CREATING" in problem()


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("DescribeCluster", "eks:DescribeCluster"),
        ("DescribeSubnets", "ec2:DescribeSubnets"),
        ("DescribeRouteTables", "ec2:DescribeRouteTables"),
    ],
)
def test_missing_right_is_named(network: Network, monkeypatch: pytest.MonkeyPatch, operation: str, action: str) -> None:
    network.make_cluster(network.subnet("10.0.0.0/24"))
    answers(monkeypatch, {operation: "AccessDeniedException"})
    assert f"Fix: allow {action} in an IAM policy" in problem()


def test_without_the_aws_command_nothing_is_asked(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    asked = answers(monkeypatch, {})
    text = problem()
    assert "expected the command aws on PATH" in text
    assert "install the AWS CLI (https://" in text
    assert asked == []


def answers(monkeypatch: pytest.MonkeyPatch, refused: dict[str, str]) -> list[str]:
    """Refuses some operations with a code; returns what is asked, as it grows."""
    asked: list[str] = []
    call = botocore.client.BaseClient._make_api_call

    def refusing(self: Any, operation: str, parameters: Any) -> Any:
        asked.append(operation)
        if operation in refused:
            raise ClientError({"Error": {"Code": refused[operation], "Message": "sentinel"}}, operation)
        return call(self, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refusing)
    return asked


# Kubeconfig


def certificate() -> str:
    """A certificate authority's certificate as EKS gives it: base64 of a PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2999, 1, 1))
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(Encoding.PEM)).decode()


def test_kubeconfig_leads_to_the_cluster_with_a_token_of_the_aws_command(aws_cli: Path) -> None:
    cluster = replace(CLUSTER, certificate_authority=certificate())
    client = api_client(cluster.kubeconfig, cluster.context)
    assert client.configuration.host == cluster.endpoint
    assert "sentinel-token" in str(client.configuration.api_key)
    pem = base64.b64decode(cluster.certificate_authority)
    assert Path(client.configuration.ssl_ca_cert).read_bytes() == pem
    assert aws_cli.read_text().splitlines() == [
        *("eks", "get-token", "--region", REGION, "--cluster-name", "prod", "--output", "json")
    ]


def test_kubeconfig_is_one_cluster_one_user_and_one_context_named_by_the_arn() -> None:
    found = load_yaml(CLUSTER.kubeconfig)
    assert [found["kind"], found["apiVersion"], found["current-context"]] == ["Config", "v1", ARN]
    assert [entry["name"] for key in ("clusters", "users", "contexts") for entry in found[key]] == [ARN] * 3
    assert found["contexts"][0]["context"] == {"cluster": ARN, "user": ARN}
    assert CLUSTER.context == ARN


def test_kubeconfig_never_asks_anybody_anything() -> None:
    """A program in CI would wait for ever."""
    user = load_yaml(CLUSTER.kubeconfig)["users"][0]["user"]
    assert set(user) == {"exec"}, "the AWS CLI is the only source of credentials"
    assert user["exec"]["interactiveMode"] == "Never"
    assert user["exec"]["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert user["exec"]["installHint"]


def test_kubeconfig_is_taken_for_content_and_not_for_a_path() -> None:
    assert is_content(CLUSTER.kubeconfig)


def test_kubeconfig_is_the_same_for_whoever_looks(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the state: another engineer's must be no change, and nobody's credentials may be in it."""
    network.make_cluster(network.subnet("10.0.0.0/24"))
    first = find_cluster("prod", REGION, ACCOUNT)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sentinel-another")
    assert find_cluster("prod", REGION, ACCOUNT).kubeconfig == first.kubeconfig
    assert "sentinel" not in first.kubeconfig
