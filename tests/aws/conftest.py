"""Fixtures of the scoreboards: an AWS of moto's, and every program that makes something in AWS, recorded and judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from moto.iam import models

from components.database.rds_policies import monitoring_policy_arn
from tests import samples
from tests.aws.recorded import AwsResource, aws_resources
from tests.aws.samples import REGION, TOPIC, Network, alarms, postgres
from tests.aws.terraform import Finding, checkov
from tests.aws.weakened import weakened

if TYPE_CHECKING:
    from tests.conftest import Recorder

_DATABASES: dict[Network | None, list[AwsResource]] = {}
_RECORDED: dict[str, list[AwsResource]] = {}
_JUDGED: dict[str, list[Finding]] = {}


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """A boto3 session in an account of moto's, with AWS's own policy in it; one for all tests of a module.

    With all of AWS's policies, of which the program uses one, an account would take half a second.
    """
    name = monitoring_policy_arn(REGION).rpartition("/")[2]
    used = {name: json.loads(vars(models)["aws_managed_policies_data"])[name]}
    with pytest.MonkeyPatch.context() as patch, mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        patch.setattr(models, "aws_managed_policies_data", json.dumps(used))
        yield boto3.session.Session("made-up", "made-up", region_name=REGION)


@pytest.fixture(scope="module")
def network(session: Any) -> Network:
    """What a stack finds in AWS, in moto's."""
    ec2 = session.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for index, zone in enumerate("ab")
    )
    group = ec2.create_security_group(GroupName="cluster", Description="cluster", VpcId=vpc)["GroupId"]
    ids = tuple(subnet["Subnet"]["SubnetId"] for subnet in subnets)
    return Network(vpc_id=vpc, subnet_ids=ids, client_security_group_id=group)


@pytest.fixture
def database(record: Callable[..., Recorder]) -> Callable[..., list[AwsResource]]:
    """The resources of a managed database with its alarms, in a network; recorded once for all tests of a process."""

    def resources(network: Network | None = None) -> list[AwsResource]:
        if network not in _DATABASES:
            _DATABASES[network] = aws_resources(record(lambda: (postgres(network=network)(), alarms()())))
        return _DATABASES[network]

    return resources


@pytest.fixture
def production(registered: Callable[..., Recorder]) -> Callable[..., list[AwsResource]]:
    """The resources of the shipped stack `prod`, with changes to its config."""
    return lambda **changes: aws_resources(registered(samples.prod().with_(changes)))


@pytest.fixture
def programs(
    database: Callable[..., list[AwsResource]], production: Callable[..., list[AwsResource]]
) -> Mapping[str, list[AwsResource]]:
    """Every program that has to pass, by name."""
    if not _RECORDED:
        _RECORDED["database"] = database()
        _RECORDED["prod"] = production()
        _RECORDED["prod-by-irsa"] = production(
            podIdentity="irsa", databaseAlarmTopicArn="", verificationDag="probe", verificationAlarmTopicArn=TOPIC
        )
    return _RECORDED


@pytest.fixture
def judged(
    programs: Mapping[str, list[AwsResource]],
    database: Callable[..., list[AwsResource]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, list[Finding]]:
    """Checkov's findings by program; those of weakened ones are named after the rule that must see it."""
    if not _JUDGED:
        worse = weakened(database())
        bad = {rule: changed for rule, _, changed in worse}
        # The rules CKV2 ask how resources are connected; and of one change it is said that nothing else sees it.
        types = {rule: (type_,) for rule, type_, _ in worse if rule.startswith("CKV_") and rule != "CKV_AWS_293"}
        _JUDGED.update(checkov({**programs, **bad}, tmp_path_factory.mktemp("terraform"), types))
    return _JUDGED
