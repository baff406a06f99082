"""The emulator knows what each request is, what it needs, and who has that: tested without an engine or a server."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final

import boto3
import botocore.exceptions
import pytest
from botocore.awsrequest import AWSRequest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tests.prod.account import TEARDOWN, statements
from tests.prod.emulator import cbor
from tests.prod.emulator.operations import Operation, operation_of
from tests.prod.emulator.policies import given_by
from tests.prod.emulator.principals import asked_of, tags_of
from tests.prod.emulator.refusals import Answer, denied, throttled
from tests.prod.emulator.rights import Right, rights
from tests.prod.emulator.settling import Settling

REGION: Final = "eu-central-1"
EVERY_DAY: Final = ("deploying-role.json", "deploying-role-database.json")
ROLE: Final = "arn:aws:iam::123456789012:role/airflow-postgres-monitoring-0123abc"
TAGS: Final = [{"Key": "application", "Value": "airflow"}]


def client(service: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        aws_access_key_id="somebody",
        aws_secret_access_key="made-up",
        endpoint_url="http://127.0.0.1:1",
    )


def sent(service: str, method: str, **parameters: Any) -> Operation:
    """The operation of the request that boto3 sends for a call."""
    caller, requests = client(service), []

    def stop(request: AWSRequest, **_: Any) -> None:
        requests.append(request)
        raise botocore.exceptions.HTTPClientError(error="not sent")

    caller.meta.events.register_last("before-send.*", stop)
    with pytest.raises(botocore.exceptions.HTTPClientError):
        getattr(caller, method)(**parameters)
    [request, *_] = requests
    headers = {key.lower(): _text(value) for key, value in request.headers.items()}
    path, _, query = request.url.removeprefix("http://127.0.0.1:1").partition("?")
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    environ = {f"HTTP_{key.upper().replace('-', '_')}": value for key, value in headers.items()}
    environ |= {"REQUEST_METHOD": request.method, "PATH_INFO": path, "QUERY_STRING": query}
    return operation_of({**environ, "CONTENT_TYPE": headers.get("content-type", "")}, body)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def needed(operation: Operation, tags: Mapping[str, str] = {}) -> dict[str, str]:
    return {right.action: right.resource for right in rights(operation, lambda _: tags)}


def test_a_request_is_known_whatever_its_protocol() -> None:
    calls: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("cloudwatch", "put_metric_alarm", {"AlarmName": "a", "ComparisonOperator": "x", "EvaluationPeriods": 1}),
        ("ec2", "describe_subnets", {}),
        ("eks", "describe_cluster", {"name": "example"}),
        ("iam", "create_role", {"RoleName": "r", "AssumeRolePolicyDocument": "{}"}),
        ("kms", "create_key", {}),
        ("s3", "get_bucket_policy", {"Bucket": "b-1"}),
        ("s3", "put_object", {"Bucket": "b-1", "Key": "a/b", "Body": b"x"}),
        ("s3", "create_multipart_upload", {"Bucket": "b-1", "Key": "a/b"}),
        ("s3", "upload_part", {"Bucket": "b-1", "Key": "a/b", "UploadId": "u", "PartNumber": 1, "Body": b"x"}),
        ("s3", "abort_multipart_upload", {"Bucket": "b-1", "Key": "a/b", "UploadId": "u"}),
        ("secretsmanager", "get_secret_value", {"SecretId": "airflow/prod/keys"}),
    )
    for service, method, parameters in calls:
        found = sent(service, method, **parameters)
        assert (found.service, found.name) == (service, "".join(map(str.title, method.split("_"))))
        assert (found.access_key, found.region) == ("somebody", REGION)


def test_what_iam_asks_beside_the_action_of_the_operation() -> None:
    made = needed(
        sent(
            "rds",
            "create_db_instance",
            DBInstanceIdentifier="airflow-prod",
            DBInstanceClass="db.m7g.large",
            Engine="postgres",
            MonitoringRoleArn=ROLE,
            Tags=TAGS,
        )
    )
    assert {"rds:CreateDBInstance", "rds:AddTagsToResource", "iam:CreateServiceLinkedRole", "kms:CreateGrant"} <= set(
        made
    )
    assert made["iam:PassRole"] == ROLE
    bucket = {"LocationConstraint": REGION, "Tags": TAGS}
    tagged = needed(sent("s3", "create_bucket", Bucket="airflow-task-logs-1", CreateBucketConfiguration=bucket))
    assert set(tagged) == {"s3:CreateBucket", "s3:TagResource"}
    more = needed(sent("ec2", "create_tags", Resources=["sg-0a000000"], Tags=TAGS))
    assert more == {"ec2:CreateTags": f"arn:aws:ec2:{REGION}:123456789012:security-group/sg-0a000000"}
    read = needed(sent("secretsmanager", "get_secret_value", SecretId="airflow/prod/keys"))
    assert set(read) == {"secretsmanager:GetSecretValue", "kms:Decrypt"}


def test_a_name_of_iam_that_is_not_the_operations() -> None:
    assert needed(sent("s3", "head_bucket", Bucket="airflow-task-logs-1")) == {
        "s3:ListBucket": "arn:aws:s3:::airflow-task-logs-1"
    }
    put = needed(sent("s3", "put_bucket_encryption", Bucket="b-1", ServerSideEncryptionConfiguration={"Rules": []}))
    assert set(put) == {"s3:PutEncryptionConfiguration"}


def test_conditions_decide() -> None:
    policies = statements(*EVERY_DAY)
    passed = {"iam:PassedToService": "monitoring.rds.amazonaws.com"}
    right = Right(action="iam:PassRole", resource=ROLE, context=passed)
    found = given_by(right, policies)
    assert found is not None
    assert found["Sid"] == "MonitoringRole"
    for other in ({"iam:PassedToService": "ec2.amazonaws.com"}, {}):
        assert given_by(Right(action="iam:PassRole", resource=ROLE, context=other), policies) is None
    elsewhere = Right(action="iam:PassRole", resource="arn:aws:iam::123456789012:role/admin", context=passed)
    assert given_by(elsewhere, policies) is None


def test_a_key_of_somebody_else_is_not_changed() -> None:
    operation = sent("kms", "put_key_policy", KeyId="0123", Policy="{}")
    for tags, may in (
        ({"application": "airflow", "stack": "prod"}, True),
        ({"application": "airflow", "stack": "staging"}, False),
        ({"application": "other"}, False),
        ({}, False),
    ):
        [right] = rights(operation, lambda _, found=tags: found)  # type: ignore[misc]
        assert (given_by(right, statements(*EVERY_DAY)) is not None) is may, tags


@mock_aws
def test_what_conditions_ask_of_a_key_and_a_role_is_looked_up() -> None:
    kms, iam = boto3.client("kms", region_name=REGION), boto3.client("iam", region_name=REGION)
    key = kms.create_key(Tags=[{"TagKey": "application", "TagValue": "payments"}])["KeyMetadata"]["KeyId"]
    operation = sent("kms", "tag_resource", KeyId=key, Tags=[{"TagKey": "application", "TagValue": "airflow"}])
    [right] = (asked_of(right, operation) for right in rights(operation, tags_of))
    assert right.context["aws:ResourceTag/application"] == "payments"
    assert "kms:ResourceAliases" not in right.context
    kms.create_alias(AliasName="alias/payments", TargetKeyId=key)
    assert asked_of(right, operation).context["kms:ResourceAliases"] == "alias/payments"
    bound = "arn:aws:iam::123456789012:policy/bound"
    iam.create_role(RoleName="bounded", AssumeRolePolicyDocument="{}", PermissionsBoundary=bound, Tags=TAGS)
    for name, wanted in (("bounded", bound), ("free", None)):
        operation = sent("iam", "put_role_policy", RoleName=name, PolicyName="p", PolicyDocument="{}")
        [right] = (asked_of(right, operation) for right in rights(operation, tags_of))
        assert right.context.get("iam:PermissionsBoundary") == wanted
        assert ("aws:ResourceTag/application" in right.context) is (wanted is not None)


def test_a_denial_wins() -> None:
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    right = Right(action="s3:GetObject", resource="arn:aws:s3:::b/k")
    assert given_by(right, [allow]) == allow
    assert given_by(right, [allow, {**allow, "Effect": "Deny", "Action": "s3:GetObject"}]) is None


def test_deleting_the_instance_needs_the_teardown_policy() -> None:
    operation = sent(
        "rds", "delete_db_instance", DBInstanceIdentifier="airflow-prod", FinalDBSnapshotIdentifier="airflow-prod-f"
    )
    asked = rights(operation, lambda _: {})
    assert [right.action for right in asked if given_by(right, statements(*EVERY_DAY)) is None] == [
        "rds:DeleteDBInstance",
    ]
    assert all(given_by(right, statements(*EVERY_DAY, TEARDOWN)) for right in asked)


def test_a_refusal_is_one_that_the_sdk_understands() -> None:
    calls: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("cloudwatch", "describe_alarms", {}),
        ("ec2", "describe_subnets", {}),
        ("eks", "describe_cluster", {"name": "example"}),
        ("iam", "list_roles", {}),
        ("kms", "list_aliases", {}),
        ("s3", "get_bucket_policy", {"Bucket": "b-1"}),
    )
    for service, method, parameters in calls:
        operation = sent(service, method, **parameters)
        for answer, code in (
            (denied(operation, "arn:me", "x:Y", "*"), "AccessDenied|Unauthorized"),
            (throttled(operation), ""),
        ):
            error = _parsed(service, method, answer.status, dict(answer.headers), answer.body)
            assert error["Code"]
            if code:
                assert error["Code"].startswith(tuple(code.split("|")))
                assert "arn:me is not authorized to perform: x:Y because" in error["Message"]


def _parsed(service: str, method: str, status: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
    caller = client(service)
    model = caller.meta.service_model.operation_model("".join(map(str.title, method.split("_"))))
    response = {"status_code": int(status.split()[0]), "headers": headers, "body": body, "context": {}}
    parsed = caller._response_parser.parse(response, model.output_shape)
    return dict(parsed["Error"])


@settings(max_examples=30)
@given(
    st.recursive(
        st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    )
)
def test_cbor_is_read_as_it_was_written(value: Any) -> None:
    assert cbor.loads(cbor.dumps(value)) == value


def test_what_was_just_made_is_not_found_by_every_call() -> None:
    made, now = Settling(Random(0)), sent("kms", "create_key")
    made.note(now, Answer.of("200 OK", "application/json", b'{"KeyMetadata": {"KeyId": "0123"}}'))
    for service, method, parameters, found in (
        ("kms", "describe_key", {"KeyId": "0123"}, False),
        ("kms", "describe_key", {"KeyId": "arn:aws:kms:eu-central-1:123456789012:key/0123"}, False),
        ("kms", "describe_key", {"KeyId": "4567"}, True),
        ("kms", "create_key", {}, True),
        ("rds", "describe_db_instances", {"DBInstanceIdentifier": "0123"}, True),
    ):
        assert (made.refusal(sent(service, method, **parameters), 1) is None) is found, (method, parameters)
    assert made.refusal(sent("kms", "describe_key", KeyId="0123"), 0) is None
