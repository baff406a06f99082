"""What the program learns of AWS before it plans, asked of a whole AWS that moto plays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws

import settings
from components.aws.client import AwsError
from components.database.rds_certificates import rds_certificates
from components.database.rds_lookup import InstanceError
from components.kube.secret import Secret
from components.platform_args import AirflowPlatformArgs
from settings.aws_lookup import look_up
from tests import samples
from tests.cases import each
from tests.samples import prod

REGION: Final = "eu-central-1"


@dataclass(frozen=True)
class World:
    """Subnets by name: one private and one public in each of two zones, and one private in the first zone more."""

    subnets: Mapping[str, str]
    vpc: str

    def look_up(self, changes: Mapping[str, Any] | None = None) -> AirflowPlatformArgs:
        config = prod().with_(changes)
        return look_up(settings.parse(config.values, config.secret_keys, "prod"), "prod")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    for name, value in (
        ("ACCESS_KEY_ID", "testing"),
        ("SECRET_ACCESS_KEY", "testing"),
        ("DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    (tmp_path / "aws").write_text("#!/bin/sh\n")
    (tmp_path / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with mock_aws():
        yield _built()


def _built() -> World:
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    public = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    subnets = {}
    for index, name in enumerate(("private-a", "private-b", "public-a", "public-b", "second-a")):
        zone = f"{REGION}{name[-1]}"
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=zone)
        subnets[name] = made["Subnet"]["SubnetId"]
        if name.startswith("public"):
            ec2.associate_route_table(RouteTableId=public, SubnetId=subnets[name])
    of_cluster = [id_ for name, id_ in subnets.items() if not name.startswith("second")]
    boto3.client("eks", region_name=REGION).create_cluster(
        name="example",
        version="1.35",
        roleArn="arn:aws:iam::123456789012:role/cluster",
        resourcesVpcConfig={"subnetIds": of_cluster},
    )
    return World(subnets, vpc)


@pytest.fixture
def in_vpc(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """moto's clusters are in no VPC: says which, as EKS does."""
    import botocore.client

    asked = botocore.client.BaseClient._make_api_call

    def answer(self: Any, operation: str, parameters: Any) -> Any:
        found = asked(self, operation, parameters)
        if operation == "DescribeCluster":
            found["cluster"]["resourcesVpcConfig"] |= {"vpcId": world.vpc, "clusterSecurityGroupId": "sg-0a000000"}
        return found

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", answer)
    return world


def test_cluster_is_reached_by_a_kubeconfig_of_its_own(in_vpc: World) -> None:
    platform = in_vpc.look_up()
    kubeconfig = json.loads(platform.kubeconfig or "")
    assert platform.kube_context == f"arn:aws:eks:{REGION}:123456789012:cluster/example"
    assert kubeconfig["current-context"] == platform.kube_context
    assert kubeconfig["users"][0]["user"]["exec"]["command"] == "aws"


def test_database_is_in_the_cluster_s_private_subnets(in_vpc: World) -> None:
    placement = in_vpc.look_up().aws
    assert placement is not None
    assert {subnet.id for subnet in placement.database_subnets} == {
        in_vpc.subnets["private-a"],
        in_vpc.subnets["private-b"],
    }
    assert placement.subnets_shared, "the nodes' own networks: not to be closed whole"
    assert placement.database_ca_certificates == rds_certificates(REGION)


def test_database_is_in_the_subnets_of_the_config(in_vpc: World) -> None:
    ids = [in_vpc.subnets["second-a"], in_vpc.subnets["private-b"]]
    placement = in_vpc.look_up({"databaseSubnetIds": ids}).aws
    assert placement is not None
    assert {subnet.id for subnet in placement.database_subnets} == set(ids)
    assert placement.subnets_shared


@each(
    ("names", "says"),
    [
        (("private-a", "second-a"), "at least two availability zones, found eu-central-1a"),
        (("private-a", "public-b"), "expected private subnets, found subnet-"),
    ],
)
def test_bad_subnets_are_one_error_that_names_the_key(in_vpc: World, names: tuple[str, ...], says: str) -> None:
    with pytest.raises(settings.SettingsError) as error:
        in_vpc.look_up({"databaseSubnetIds": [in_vpc.subnets[name] for name in names]})
    [problem] = error.value.problems
    assert problem.startswith("airflow:databaseSubnetIds: expected ")
    assert says in problem
    assert "Fix: pulumi config set --stack prod --path 'airflow:databaseSubnetIds[0]'" in problem


def test_subnet_of_another_network_is_refused(in_vpc: World) -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    elsewhere = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    foreign = ec2.create_subnet(VpcId=elsewhere, CidrBlock="10.1.0.0/24", AvailabilityZone=f"{REGION}b")["Subnet"]
    with pytest.raises(AwsError, match=f"airflow:databaseSubnetIds: .* found {foreign['SubnetId']} of another"):
        in_vpc.look_up({"databaseSubnetIds": [in_vpc.subnets["private-a"], foreign["SubnetId"]]})


def test_credentials_of_another_account_are_refused(in_vpc: World) -> None:
    changes = {"awsAccountId": "999999999999", "databaseAlarmTopicArn": ""}
    with pytest.raises(AwsError, match="expected credentials of account 999999999999, found some of account 1234567"):
        in_vpc.look_up(changes)


def test_cluster_that_is_not_there_is_named_with_those_that_are(in_vpc: World) -> None:
    with pytest.raises(AwsError, match="expected an EKS cluster other in eu-central-1, found example"):
        in_vpc.look_up({"eksCluster": "other"})


def test_without_the_command_that_gives_tokens_nothing_is_planned(
    in_vpc: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AwsError, match="expected the command aws on PATH"):
        in_vpc.look_up()


def test_region_without_known_authorities_needs_them_in_the_config(
    in_vpc: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(region: str) -> str:
        raise ValueError(f"expected a region, found {region}")

    monkeypatch.setattr("settings.aws_lookup.rds_certificates", unknown)
    with pytest.raises(settings.SettingsError, match="airflow:databaseCaCertificate: expected a region, found eu"):
        in_vpc.look_up()
    pem = rds_certificates("eu-west-1")
    placement = in_vpc.look_up({"databaseCaCertificate": pem}).aws
    assert placement is not None
    assert placement.database_ca_certificates == pem


# A database that is there


@pytest.fixture
def instance(in_vpc: World) -> World:
    boto3.client("rds", region_name=REGION).create_db_instance(
        DBInstanceIdentifier="airflow-prod",
        DBInstanceClass="db.m7g.large",
        Engine="postgres",
        EngineVersion="17.6",
        MasterUsername="airflow",
        MasterUserPassword="a-password",
        DBName="airflow",
        AllocatedStorage=100,
        StorageEncrypted=True,
    )
    return in_vpc


def test_extra_egress_to_a_managed_database_s_port_alone_is_refused(in_vpc: World) -> None:
    entry = {"components": ["worker"], "cidrs": ["10.0.0.0/24"], "ports": [5432]}
    with pytest.raises(settings.SettingsError, match=r"airflow:extraEgress: entry 0: .* port, which stays closed"):
        in_vpc.look_up({"extraEgress": [entry]})
    in_vpc.look_up({"extraEgress": [{**entry, "ports": [5432, 22]}]})


def test_database_that_fits_is_updated(instance: World) -> None:
    assert instance.look_up().aws is not None


@each(
    ("changes", "fix"),
    [
        ({"databaseUser": "another"}, "config set --stack STACK airflow:databaseUser airflow, or dump the data"),
        ({"databaseName": "another"}, "config set --stack STACK airflow:databaseName airflow, or dump the data"),
        ({"databaseEngineVersion": "17.4"}, "config set --stack STACK airflow:databaseEngineVersion 17, or restore"),
        ({"databaseSnapshotIdentifier": "a-snapshot"}, "config rm --stack STACK airflow:databaseSnapshotIdentifier"),
    ],
)
def test_change_that_would_replace_the_database_is_refused_with_its_key_and_a_way_around(
    instance: World, changes: Mapping[str, Any], fix: str
) -> None:
    with pytest.raises(settings.SettingsError) as error:
        instance.look_up(changes)
    [problem] = error.value.problems
    [key] = changes
    assert problem.startswith(f"airflow:{key}: expected ")
    assert f"Fix: pulumi {fix.replace('STACK', error.value.stack)}" in problem


def test_database_that_is_stopped_is_not_updated(instance: World) -> None:
    boto3.client("rds", region_name=REGION).stop_db_instance(DBInstanceIdentifier="airflow-prod")
    with pytest.raises(InstanceError, match="start-db-instance"):
        instance.look_up()


# Keys in the escrow


def escrow(values: Mapping[str, str]) -> None:
    client = boto3.client("secretsmanager", region_name=REGION)
    client.create_secret(Name="airflow/prod/keys", SecretString=json.dumps(values))


def test_keys_of_the_escrow_are_given_and_not_written_again(in_vpc: World) -> None:
    escrow(samples.ESCROWED)
    platform = in_vpc.look_up({"keySource": "escrow"})
    assert platform.keys.fernet_key == Secret(samples.ESCROWED["fernet_key"])
    assert platform.keys.database_password == Secret(samples.ESCROWED["database_password"])
    assert platform.key_escrow is None


def test_generated_keys_go_to_the_escrow(in_vpc: World) -> None:
    platform = in_vpc.look_up()
    assert platform.key_escrow == "airflow/prod/keys"
    assert platform.keys.fernet_key is None


def test_escrow_that_is_missing_or_broken_is_told_without_a_value(in_vpc: World) -> None:
    with pytest.raises(AwsError, match="airflow:keyEscrow: expected a secret airflow/prod/keys"):
        in_vpc.look_up({"keySource": "escrow"})
    escrow({**samples.ESCROWED, "fernet_key": "sentinel-that-is-none"})
    with pytest.raises(AwsError, match="fernet_key: expected a Fernet key") as error:
        in_vpc.look_up({"keySource": "escrow"})
    assert "sentinel" not in str(error.value)
    assert not any(value in str(error.value) for value in samples.ESCROWED.values())
