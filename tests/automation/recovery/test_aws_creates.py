"""What becomes of what a killed update was making in AWS."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws

from automation.recovery.aws_creates import what_became
from tests.cases import each

REGION: Final = "eu-central-1"
TAGS: Final = {"application": "airflow", "stack": "prod"}
PROVIDER: Final = {
    "urn": "urn:aws",
    "type": "pulumi:providers:aws",
    "inputs": {"defaultTags": json.dumps({"tags": TAGS})},
}
ALIAS: Final = "aws:kms/alias:Alias"
GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
INSTANCE: Final = "aws:rds/instance:Instance"
KEY: Final = "aws:kms/key:Key"
ROLE: Final = "aws:iam/role:Role"
RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


@pytest.fixture(scope="module")
def account() -> Iterator[None]:
    """One account for all tests, which look for different things in it: clients and what is made take longest."""
    with mock_aws():
        yield


@pytest.fixture(autouse=True)
def aws(account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")


@functools.cache
def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def pending(kind: str, *, urn: str = "", operation: str = "creating", **inputs: Any) -> dict[str, Any]:
    return {"type": operation, "resource": {"urn": urn or f"urn:{kind}", "type": kind, "inputs": inputs}}


def became(*creates: dict[str, Any], resources: tuple[dict[str, Any], ...] = ()) -> dict[str, str]:
    return what_became({"resources": [PROVIDER, *resources], "pending_operations": list(creates)}, REGION)


def policy(*principals: str) -> str:
    shared = {"Effect": "Allow", "Principal": {"AWS": [*principals]}, "Resource": "*"}
    statements = [
        {"Sid": "Used", "Action": ["kms:A", "kms:B"], **shared},
        {"Sid": "Administered", "Action": ["kms:C", "kms:D"], **shared},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


OWN_POLICY: Final = policy("arn:aws:iam::123456789012:root")


def key(description: str, document: str = OWN_POLICY, **tags: str) -> str:
    given = [{"TagKey": name, "TagValue": value} for name, value in {**TAGS, **tags}.items()]
    made_key = client("kms").create_key(Description=description, Tags=given, Policy=document)
    return str(made_key["KeyMetadata"]["KeyId"])


@functools.cache
def made() -> dict[str, tuple[dict[str, Any], str]]:
    """What each kind is asked by, and its id, after all of it was made."""
    vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        client("ec2").create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for number, zone in enumerate("ab")
    ]
    group, nodes = (
        client("ec2").create_security_group(GroupName=name, Description="x", VpcId=vpc)["GroupId"] for name in "gn"
    )
    way = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": nodes}]}
    rule = client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[way])["SecurityGroupRules"][0]
    client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")
    client("s3").create_bucket(Bucket="bucket-1", CreateBucketConfiguration={"LocationConstraint": REGION})
    rds, described = client("rds"), {"Description": "x", "DBParameterGroupFamily": "postgres17"}
    ids = [item["Subnet"]["SubnetId"] for item in subnets]
    rds.create_db_subnet_group(DBSubnetGroupName="subnets", DBSubnetGroupDescription="x", SubnetIds=ids)
    rds.create_db_parameter_group(DBParameterGroupName="parameters", **described)
    rds.create_db_instance(DBInstanceIdentifier="airflow-prod", DBInstanceClass="db.m7g.large", Engine="postgres")
    secret = client("secretsmanager").create_secret(Name="airflow/prod/keys", SecretString="x")["ARN"]
    one = key("of the database")
    client("kms").create_alias(AliasName="alias/airflow-prod", TargetKeyId=key("else"))
    client("logs").create_log_group(logGroupName="/aws/rds/instance/airflow-prod/upgrade")
    into = {"referencedSecurityGroupId": nodes, "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432}
    return {
        ALIAS: ({"name": "alias/airflow-prod"}, "alias/airflow-prod"),
        GROUP: ({"name": "/aws/rds/instance/airflow-prod/upgrade"}, "/aws/rds/instance/airflow-prod/upgrade"),
        INSTANCE: ({"identifier": "airflow-prod"}, "airflow-prod"),
        KEY: ({"description": "of the database", "policy": OWN_POLICY}, one),
        ROLE: ({"name": "role"}, "role"),
        RULE: ({"securityGroupId": group, **into}, rule["SecurityGroupRuleId"]),
        "aws:ec2/securityGroup:SecurityGroup": ({"name": "g", "vpcId": vpc}, group),
        "aws:rds/parameterGroup:ParameterGroup": ({"name": "parameters"}, "parameters"),
        "aws:rds/subnetGroup:SubnetGroup": ({"name": "subnets"}, "subnets"),
        "aws:s3/bucket:Bucket": ({"bucket": "bucket-1"}, "bucket-1"),
        "aws:secretsmanager/secret:Secret": ({"name": "airflow/prod/keys"}, secret),
    }


def test_what_exists_is_found_by_what_the_stack_says_of_it() -> None:
    kinds = made()
    assert became(*(pending(kind, **inputs) for kind, (inputs, _) in kinds.items())) == {
        f"urn:{kind}": id_ for kind, (_, id_) in kinds.items()
    }


def test_what_does_not_exist_is_forgotten() -> None:
    """By names that only begin as those do which exist."""
    kinds = made()
    others: dict[str, dict[str, Any]] = {
        kind: {
            name: 1 if isinstance(value, int) else value if name == "policy" else f"{value[:-1]}0"
            for name, value in inputs.items()
        }
        for kind, (inputs, _) in kinds.items()
    }
    assert set(became(*(pending(kind, **inputs) for kind, inputs in others.items())).values()) == {""}


def test_association_is_found_by_its_account_in_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto has none."""
    asked: list[dict[str, Any]] = []

    class Eks:
        def get_paginator(self, method: str) -> Any:
            assert method == "list_pod_identity_associations"
            return self

        def paginate(self, **request: Any) -> Any:
            asked.append(request)
            there = request["serviceAccount"] in ("worker", "triggerer")
            return [{"associations": [{"associationId": f"a-{request['serviceAccount']}"}] if there else []}]

        def describe_pod_identity_association(self, clusterName: str, associationId: str) -> Any:  # noqa: N803
            role = "ours" if associationId == "a-worker" else "theirs"
            return {"association": {"roleArn": f"arn:aws:iam::1:role/{role}"}}

    monkeypatch.setattr("automation.recovery.aws_creates.aws_clients", lambda region: lambda service: Eks())
    kind = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
    place = {"clusterName": "c", "namespace": "n", "roleArn": "arn:aws:iam::1:role/ours"}
    found = became(
        pending(kind, urn="worker", serviceAccount="worker", **place),
        pending(kind, urn="triggerer", serviceAccount="triggerer", **place),
        pending(kind, urn="other", serviceAccount="other", **place),
    )
    assert found == {"worker": "c,a-worker", "triggerer": "", "other": ""}, "and not one with another role"
    assert asked[0] == {"clusterName": "c", "namespace": "n", "serviceAccount": "worker"}


@each(
    "kind",
    [
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    ],
)
def test_what_the_update_writes_over_is_forgotten(kind: str) -> None:
    assert became(pending(kind, name="x")) == {f"urn:{kind}": ""}


def test_key_of_another_stack_or_of_the_state_is_not_taken() -> None:
    key("of the logs", stack="staging")
    own = key("of the logs")
    has = {"urn": "urn:has", "type": KEY, "id": own}
    assert became(pending(KEY, description="of the logs", policy=OWN_POLICY), resources=(has,)) == {f"urn:{KEY}": ""}


def test_key_with_another_policy_is_somebody_else_s() -> None:
    """Who may make keys could give one the stack's tags, and let himself read what it encrypts."""
    wanted = pending(KEY, description="of the dumps", policy=OWN_POLICY)
    key("of the dumps", policy("arn:aws:iam::123456789012:root", "arn:aws:iam::999999999999:root"))
    assert became(wanted) == {f"urn:{KEY}": ""}
    same = json.loads(OWN_POLICY)
    same["Statement"][0] |= {"Action": ["kms:B", "kms:A"], "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}
    # The provider sends a policy with its fields in another order.
    own = key("of the dumps", json.dumps(same, sort_keys=True))
    assert became(wanted) == {f"urn:{KEY}": own}


def test_instance_that_is_made_from_data_is_left_to_a_person() -> None:
    made()
    for source in ("snapshotIdentifier", "restoreToPointInTime"):
        assert became(pending(INSTANCE, identifier="airflow-prod", **{source: "x"})) == {}


def test_second_one_beside_that_of_the_state_is_left_to_a_person_but_not_a_replacement() -> None:
    made()
    role = {"urn": f"urn:{ROLE}", "type": ROLE, "id": "another"}
    alias = {"urn": f"urn:{ALIAS}", "type": ALIAS, "id": "alias/before"}
    creates = (pending(ROLE, name="role"), pending(ALIAS, name="alias/airflow-prod"))
    assert became(*creates, resources=(role, alias)) == {f"urn:{ALIAS}": "alias/airflow-prod"}
    assert became(creates[0], resources=({**role, "id": "role"},)) == {f"urn:{ROLE}": ""}
    assert became(creates[0], resources=({**role, "delete": True},)) == {f"urn:{ROLE}": "role"}


def test_two_creates_of_one_resource_that_both_came_to_their_end_are_left_to_a_person() -> None:
    made()
    client("iam").create_role(RoleName="second", AssumeRolePolicyDocument="{}")
    assert became(pending(ROLE, name="role"), pending(ROLE, name="second")) == {}


def test_nothing_else_is_asked() -> None:
    assert became(pending("aws:sqs/queue:Queue", name="x"), pending(ALIAS, operation="updating")) == {}
    decided = pending(ALIAS)
    assert what_became({"pending_operations": [decided]}, REGION, [decided["resource"]["urn"]]) == {}
    assert what_became({}, REGION) == {}
