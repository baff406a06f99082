"""The scoreboards themselves: that they see what they are for, and let nothing through unseen."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import botocore.session
import pulumi_aws as aws
import pytest
import yaml

from tests.aws import botocore_calls
from tests.aws.botocore_calls import CALLS, PROSE, PROVIDER_ONLY, play, problems, requests
from tests.aws.recorded import AwsResource, aws_resources
from tests.aws.samples import ACCOUNT, REGION, postgres
from tests.aws.terraform import TYPES, Finding, Waiver, needless, terraform, unwaived, waivers
from tests.cases import each

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

INSTANCE: Final = "aws:rds/instance:Instance"
POLICY: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": "s3:*",
                "Resource": "arn:aws:s3:::b/${aws:username}",
            }
        ],
    }
)
TRUST: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def everything_else() -> None:
    """One of each type that the managed database does not have, with most of what a program may say of it."""
    bucket = aws.s3.Bucket("logs", force_destroy=False, tags={"a": "b"})
    key = aws.kms.Key("logs")
    aws.s3.BucketMetric("logs", bucket=bucket.bucket, name="some", filter={"prefix": "logs/"})
    aws.s3.BucketVersioning("logs", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"})
    aws.s3.BucketServerSideEncryptionConfiguration(
        "logs",
        bucket=bucket.bucket,
        rules=[
            {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
                "bucket_key_enabled": True,
            }
        ],
    )
    aws.s3.BucketPublicAccessBlock(
        "logs",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
    aws.s3.BucketOwnershipControls("logs", bucket=bucket.bucket, rule={"object_ownership": "BucketOwnerEnforced"})
    aws.s3.BucketLifecycleConfiguration(
        "logs",
        bucket=bucket.bucket,
        rules=[
            {
                "id": "old",
                "status": "Enabled",
                "filter": {"prefix": "logs/"},
                "expiration": {"days": 90},
                "noncurrent_version_expiration": {"noncurrent_days": 30},
                "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
                "transitions": [{"days": 30, "storage_class": "STANDARD_IA"}],
            }
        ],
    )
    aws.s3.BucketPolicy("logs", bucket=bucket.bucket, policy=POLICY)
    role = aws.iam.Role("logs", assume_role_policy=TRUST, force_detach_policies=True, max_session_duration=3600)
    allowed = POLICY.replace('"Principal": {"AWS": "*"}, ', "")
    aws.iam.RolePolicy("logs", role=role.name, policy=allowed)
    policy = aws.iam.Policy("logs", policy=allowed, description="of a test")
    aws.iam.RolePolicyAttachment("logs", role=role.name, policy_arn=policy.arn)
    aws.eks.PodIdentityAssociation(
        "logs", cluster_name="cluster", namespace="airflow", service_account="airflow-worker", role_arn=role.arn
    )
    aws.kms.KeyPolicy("logs", key_id=key.key_id, policy=TRUST)
    secret = aws.secretsmanager.Secret(
        "keys", name="airflow/keys", kms_key_id=key.arn, recovery_window_in_days=30, description="of a test"
    )
    aws.secretsmanager.SecretVersion("keys", secret_id=secret.id, secret_string="sentinel")
    aws.secretsmanager.SecretPolicy("keys", secret_arn=secret.arn, policy=POLICY)
    aws.vpc.SecurityGroupEgressRule(
        "out",
        security_group_id="sg-1",
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
        referenced_security_group_id="sg-2",
        description="of a test",
    )


# Tables


def pulumi_class(type_: str) -> Any:
    module, _, name = type_.removeprefix("aws:").partition("/")
    return getattr(getattr(aws, module), name.partition(":")[2])


@each("type_", TYPES)
def test_type_is_one_of_pulumi_s(type_: str) -> None:
    assert pulumi_class(type_).pulumi_type == type_


def test_both_scoreboards_know_the_same_types() -> None:
    assert set(CALLS) == set(TYPES)


@each("type_", CALLS)
def test_table_names_inputs_and_parameters_that_there_are(type_: str) -> None:
    """A misspelt input would never be asked for; a misspelt parameter raises KeyError here."""
    known = {name.replace("_", "").lower() for name in inspect.signature(pulumi_class(type_)._internal_init).parameters}
    session = botocore.session.get_session()
    for call in CALLS[type_]:
        shape = session.get_service_model(call.service).operation_model(call.name).input_shape
        for key, path in call.inputs.items():
            assert key.lower() in known, key
            botocore_calls._member(shape, path)
        for path in (*call.fixed, *call.known, *filter(None, [call.rest_in])):
            botocore_calls._member(shape, path)
    for key in PROVIDER_ONLY.get(type_, {}):
        assert key.lower() in known, key


def test_prose_is_about_calls_that_are_made() -> None:
    made = {call.operation for calls in CALLS.values() for call in calls}
    assert {limit.partition(" ")[0] for limit in PROSE} <= made


def test_every_type_is_written_and_checked(record: Record) -> None:
    """The tables, used: whatever a program here may register becomes Terraform, and calls that AWS takes."""
    resources = [*aws_resources(record(everything_else)), *aws_resources(record(postgres()))]
    missing = {"aws:cloudwatch/metricAlarm:MetricAlarm"}
    assert {resource.type for resource in resources} == set(TYPES) - missing
    terraform(resources)
    assert not [problem for resource in resources for request in requests(resource) for problem in problems(request)]


def test_moto_makes_what_there_is_besides_the_database(record: Record, session: Any) -> None:
    resources = [
        resource
        for resource in aws_resources(record(everything_else))
        # Its groups are made up.
        if not resource.type.startswith("aws:vpc/")
    ]
    outputs = play(resources, session)
    s3 = session.client("s3")
    [bucket] = s3.list_buckets()["Buckets"]
    assert s3.get_bucket_versioning(Bucket=bucket["Name"])["Status"] == "Enabled"
    [rule] = s3.get_bucket_encryption(Bucket=bucket["Name"])["ServerSideEncryptionConfiguration"]["Rules"]
    key = next(found["arn"] for urn, found in outputs.items() if "aws:kms/key:Key" in urn)
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key, "of moto, not of the recorder"
    assert all(s3.get_public_access_block(Bucket=bucket["Name"])["PublicAccessBlockConfiguration"].values())
    secrets = session.client("secretsmanager")
    assert secrets.get_secret_value(SecretId="airflow/keys")["SecretString"] == "sentinel"


# Terraform


def test_reference_is_one_only_where_pulumi_knows_of_it(record: Record) -> None:
    """The instance, its database and its user are all called airflow, and none of them is another's output."""
    written = terraform(aws_resources(record(postgres())))
    assert 'db_name = "airflow"' in written
    assert 'kms_key_id = "${aws_kms_key.database-key.arn}"' in written
    assert 'vpc_security_group_ids = ["${aws_security_group.database.id}"]' in written


def test_policy_is_written_so_that_checkov_can_read_it(record: Record) -> None:
    written = terraform(aws_resources(record(everything_else)))
    assert "policy = jsonencode({" in written
    assert "$${aws:username}" in written, "a variable of the policy, not of Terraform"


def test_unknown_type_is_an_error(record: Record) -> None:
    resources = aws_resources(record(lambda: aws.sqs.Queue("queue")))
    with pytest.raises(KeyError, match="aws:sqs/queue:Queue"):
        terraform(resources)
    with pytest.raises(KeyError, match="aws:sqs/queue:Queue"):
        requests(resources[0])


# Waivers

FAILED: Final = Finding("program", "aws_s3_bucket.logs", "CKV_AWS_1", False, "title")
PASSED: Final = replace(FAILED, passed=True)


@pytest.mark.parametrize("resource", ["*", "aws_s3_bucket.logs"])
def test_waiver_covers_what_it_names(resource: str) -> None:
    waiver = Waiver("CKV_AWS_1", resource, "because of a reason")
    assert unwaived([FAILED], [waiver]) == []
    assert needless([FAILED], [waiver]) == []


@pytest.mark.parametrize(
    "waiver", [Waiver("CKV_AWS_2", "*", "reason"), Waiver("CKV_AWS_1", "aws_s3_bucket.other", "reason")]
)
def test_waiver_covers_nothing_else(waiver: Waiver) -> None:
    assert unwaived([FAILED], [waiver]) == [FAILED]
    assert needless([FAILED], [waiver]) == [waiver]


def test_waiver_of_what_passes_is_needless() -> None:
    waiver = Waiver("CKV_AWS_1", "*", "reason")
    assert unwaived([PASSED], []) == []
    assert needless([PASSED], [waiver]) == [waiver]


def test_waiver_without_a_reason_is_none(tmp_path: Path) -> None:
    file = tmp_path / "waivers.yaml"
    file.write_text(yaml.safe_dump([{"rule": "CKV_AWS_1", "resource": "*"}]))
    with pytest.raises(TypeError, match="reason"):
        waivers(file)


# Calls


def alarm(record: Record, **inputs: Any) -> AwsResource:
    arguments: dict[str, Any] = {
        "name": "alarm",
        "comparison_operator": "LessThanThreshold",
        "evaluation_periods": 1,
        "metric_name": "CPUUtilization",
        "namespace": "AWS/RDS",
        "period": 60,
        "statistic": "Average",
        "threshold": 1,
        **inputs,
    }
    [found] = aws_resources(record(lambda: aws.cloudwatch.MetricAlarm("alarm", **arguments)))
    return found


def problems_of(resource: AwsResource) -> list[str]:
    return [problem for request in requests(resource) for problem in problems(request)]


def test_good_call_has_no_problem(record: Record) -> None:
    assert problems_of(alarm(record)) == []


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"comparison_operator": "Less"}, "'Less' is none of GreaterThanOrEqualToThreshold"),
        ({"alarm_description": "a" * 1025}, "1025 is not within 0 to 1024"),
        ({"ok_actions": ["a"] * 6}, "6 is not within … to 5"),
        ({"namespace": ":x"}, "does not match"),
        ({"evaluation_periods": 0}, "EvaluationPeriods"),
        ({"threshold": "high"}, "Threshold"),
        ({"treat_missing_data": "silent"}, "TreatMissingData"),
    ],
)
def test_value_that_aws_would_refuse_is_seen(record: Record, inputs: dict[str, Any], problem: str) -> None:
    assert any(problem in found for found in problems_of(alarm(record, **inputs)))


def test_input_that_no_call_takes_is_an_error(record: Record) -> None:
    unknown = alarm(record).changed({"snooze": True})
    with pytest.raises(ValueError, match="parameter for snooze"):
        requests(unknown)


def test_member_that_the_model_lacks_is_seen(record: Record) -> None:
    [found] = aws_resources(
        record(lambda: aws.s3.BucketVersioning("v", bucket="b", versioning_configuration={"status": "Enabled"}))
    )
    assert problems_of(found) == []
    bad = found.changed({"versioningConfiguration": {"status": "Enabled", "speed": "high"}})
    assert any('"speed"' in problem for problem in problems_of(bad))


def test_missing_parameter_is_seen(record: Record) -> None:
    assert any('"AlarmName"' in found for found in problems_of(alarm(record).changed({"name": None})))


def test_recorder_and_moto_are_of_one_account_and_region(record: Record) -> None:
    [found] = aws_resources(record(lambda: aws.kms.Key("key")))
    assert found.outputs["arn"].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:")
