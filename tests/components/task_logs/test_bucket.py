"""The bucket of task logs as a program makes it: private, encrypted, versioned; and what pods may do with it."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_random as random
import pytest

from components.aws.pod_identity import PodIdentity, trust_policy
from components.task_logs.bucket import TaskLogBucket, TaskLogBucketArgs, bucket_policy, log_policy
from components.task_logs.lifecycle import FOLDER
from tests.cases import each
from tests.components.aws.test_eks_cluster import CLUSTER
from tests.recorded_once import once

if TYPE_CHECKING:
    from tests.conftest import Recorder, Registration

    Record = Callable[..., Recorder]

BUCKET: Final = "aws:s3/bucket:Bucket"
KEY: Final = "aws:kms/key:Key"
ROLE: Final = "aws:iam/role:Role"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
ASSOCIATION: Final = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
ENCRYPTION: Final = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
PUBLIC_ACCESS: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
OWNERSHIP: Final = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
VERSIONING: Final = "aws:s3/bucketVersioning:BucketVersioning"
CONFIGURED: Final = sorted([ENCRYPTION, LIFECYCLE, POLICY, PUBLIC_ACCESS, OWNERSHIP, VERSIONING])

WRITERS: Final = ("airflow-worker", "airflow-triggerer")
READERS: Final = ("airflow-api-server",)


@pytest.fixture
def record(record: Record) -> Record:
    """Records each program once for all tests."""
    return once(record)


@functools.cache
def logs(**changes: Any) -> Callable[[], TaskLogBucket]:
    args: dict[str, Any] = {
        "cluster": CLUSTER,
        "namespace": "ns",
        "writers": WRITERS,
        "readers": READERS,
        "retention_days": 90,
        "protect": True,
        "tags": {"owner": "data"},
    }
    return lambda: TaskLogBucket("logs", TaskLogBucketArgs(**args | changes))


def outputs(recorder: Recorder) -> dict[str, Any]:
    return recorder.outputs[recorder.one("airflow:index:TaskLogBucket").urn]


def bucket_name(recorder: Recorder) -> str:
    name = outputs(recorder)["bucket"]
    assert isinstance(name, str)
    return name


def arns(recorder: Recorder) -> tuple[str, str]:
    """ARNs of the bucket and of its key, as the recorder's AWS makes them."""
    encryption = recorder.one(ENCRYPTION).inputs["rules"][0]["applyServerSideEncryptionByDefault"]
    return f"arn:aws:s3:::{bucket_name(recorder)}", encryption["kmsMasterKeyId"]


# Bucket


def test_name_is_generated_because_all_of_aws_shares_the_names(record: Record) -> None:
    inputs = record(logs()).one(BUCKET).inputs
    assert "bucket" not in inputs
    assert inputs["forceDestroy"] is False, "a destroy must not take the logs along"
    assert inputs["tags"] == {"owner": "data"}


def test_bucket_is_encrypted_with_a_key_of_its_own(record: Record) -> None:
    recorder = record(logs())
    (rule,) = recorder.one(ENCRYPTION).inputs["rules"]
    default = rule["applyServerSideEncryptionByDefault"]
    assert default["sseAlgorithm"] == "aws:kms"
    assert default["kmsMasterKeyId"].startswith("arn:aws:kms:eu-central-1:123456789012:logs-")
    assert rule["bucketKeyEnabled"] is True
    key = recorder.one(KEY).inputs
    assert key["enableKeyRotation"] is True
    assert key["deletionWindowInDays"] == 30
    assert "s3.eu-central-1.amazonaws.com" in key["policy"]
    assert '"*"' not in json.dumps([found["Principal"] for found in json.loads(key["policy"])["Statement"]])


def test_nothing_of_it_is_public(record: Record) -> None:
    recorder = record(logs())
    blocked = recorder.one(PUBLIC_ACCESS).inputs
    for kind in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
        assert blocked[kind] is True, kind
    assert recorder.one(OWNERSHIP).inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


def test_nobody_reaches_it_without_tls(record: Record) -> None:
    recorder = record(logs())
    bucket, _ = arns(recorder)
    assert json.loads(recorder.one(POLICY).inputs["policy"]) == bucket_policy(bucket)
    (statement,) = bucket_policy(bucket)["Statement"]
    assert statement.pop("Sid")
    assert statement == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_logs_go_when_they_are_old_and_not_before(record: Record) -> None:
    recorder = record(logs(retention_days=7))
    (rule,) = recorder.one(LIFECYCLE).inputs["rules"]
    assert rule["status"] == "Enabled"
    assert rule["filter"] == {"prefix": ""}, "everything in the bucket"
    assert rule["expiration"] == {"days": 7}
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 30}
    assert rule["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}


def test_age_of_logs_does_not_delete_dumps(record: Record) -> None:
    logs_go, dumps_stay = record(logs(retention_days=7, dumps="backups")).one(LIFECYCLE).inputs["rules"]
    assert (logs_go["filter"], logs_go["expiration"]) == ({"prefix": "logs/"}, {"days": 7})
    assert dumps_stay["filter"] == {"prefix": "backups/"}
    assert "days" not in dumps_stay["expiration"]
    assert dumps_stay["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}


def test_log_that_is_written_over_can_be_had_back(record: Record) -> None:
    recorder = record(logs())
    assert recorder.one(VERSIONING).inputs["versioningConfiguration"] == {"status": "Enabled"}
    assert recorder.one(VERSIONING).urn in recorder.one(LIFECYCLE).request.dependencies


def test_all_of_it_is_about_the_one_bucket(record: Record) -> None:
    recorder = record(logs())
    parts = [found for found in recorder.every() if found.type.startswith("aws:s3/bucket") and found.type != BUCKET]
    assert len(parts) == 6
    assert {found.inputs["bucket"] for found in parts} == {bucket_name(recorder)}


def test_changes_of_access_come_one_after_another(record: Record) -> None:
    """S3 refuses the second of two at a time."""
    recorder = record(logs())
    chain = [recorder.one(type_) for type_ in (PUBLIC_ACCESS, OWNERSHIP, POLICY)]
    for before, after in itertools.pairwise(chain):
        assert before.urn in after.request.dependencies


@pytest.mark.parametrize("protect", [True, False])
def test_what_holds_logs_is_protected_and_nothing_else(record: Record, protect: bool) -> None:
    recorder = record(logs(protect=protect))
    assert {found.type for found in recorder.every() if found.protected} == ({BUCKET, KEY} if protect else set())


def test_destroy_that_stops_at_a_bucket_with_logs_leaves_the_key_that_reads_them(record: Record) -> None:
    recorder = record(logs(protect=False))
    assert recorder.one(KEY).urn in recorder.one(BUCKET).request.dependencies


# Role


@pytest.mark.parametrize("identity", PodIdentity)
def test_each_role_trusts_its_service_accounts_only(record: Record, identity: PodIdentity) -> None:
    recorder = record(logs(identity=identity))
    for name, accounts in (("logs", WRITERS), ("logs-api-server", READERS)):
        role = recorder.one(ROLE, name).inputs
        assert json.loads(role["assumeRolePolicy"]) == trust_policy(identity, CLUSTER, "ns", accounts)
        assert role["tags"] == {"owner": "data"}
        assert not {"managedPolicyArns", "inlinePolicies"} & set(role)


def test_role_of_writers_may_write_and_read_logs_and_nothing_else(record: Record) -> None:
    recorder = record(logs())
    bucket, key = arns(recorder)
    policy = recorder.one(ROLE_POLICY, "logs").inputs
    assert json.loads(policy["policy"]) == log_policy(bucket, key, CLUSTER.account_id)
    assert policy["role"] == outputs(recorder)["role_arn"].rpartition(":")[2]
    allowed = log_policy("B", "K", "123456789012")["Statement"]
    own = {"StringEquals": {"aws:ResourceAccount": "123456789012"}}
    for statement in allowed:
        assert statement.pop("Sid")
    assert allowed == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "B/logs/*",
            "Condition": own,
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "B",
            "Condition": {**own, "StringLike": {"s3:prefix": "logs/*"}},
        },
        {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "K"},
    ]


def test_role_of_readers_writes_nothing(record: Record) -> None:
    recorder = record(logs())
    document = json.loads(recorder.one(ROLE_POLICY, "logs-api-server").inputs["policy"])
    assert document == log_policy(*arns(recorder), CLUSTER.account_id, write=False)
    actions = [action for statement in document["Statement"] for action in listed(statement["Action"])]
    assert sorted(actions) == ["kms:Decrypt", "s3:GetObject", "s3:ListBucket"]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_policies_of_tasks_are_for_the_writers(record: Record) -> None:
    wanted = ("arn:aws:iam::123456789012:policy/a", "arn:aws:iam::aws:policy/b")
    recorder = record(logs(policy_arns=wanted))
    attached = recorder.every(ATTACHMENT)
    assert {found.inputs["policyArn"] for found in attached} == set(wanted)
    assert {found.inputs["role"] for found in attached} == {recorder.one(ROLE_POLICY, "logs").inputs["role"]}
    reversed_ = record(logs(policy_arns=wanted[::-1]))
    assert {found.urn for found in reversed_.every(ATTACHMENT)} == {found.urn for found in attached}, "no replacement"


def test_pod_identity_gives_each_service_account_its_role(record: Record) -> None:
    recorder = record(logs())
    made = {found.inputs["serviceAccount"]: found for found in recorder.every(ASSOCIATION)}
    assert set(made) == {*WRITERS, *READERS}
    for account, found in made.items():
        name = "logs" if account in WRITERS else "logs-api-server"
        policy = recorder.one(ROLE_POLICY, name)
        assert found.name == f"logs-{account}", "as ever: EKS takes one for each account"
        assert found.inputs["clusterName"] == "prod"
        assert found.inputs["namespace"] == "ns"
        assert found.inputs["roleArn"].rpartition(":")[2] == policy.inputs["role"]
        assert found.inputs["tags"] == {"owner": "data"}
        assert policy.urn in found.request.dependencies, "never a role that may do nothing"


def test_readers_have_their_role_before_the_writers_role_stops_to_trust_them(record: Record) -> None:
    """In earlier versions all had one role. A pod whose credentials end in between would read no log."""
    recorder = record(logs())
    waited_for = recorder.one(ROLE, "logs").request.dependencies
    assert recorder.one(ASSOCIATION, "logs-airflow-api-server").urn in waited_for


def test_accounts_that_had_their_role_elsewhere_keep_the_association(record: Record) -> None:
    """EKS takes one for each account, and the engine makes the new before it deletes the old."""
    recorder = record(logs(earlier_parent="urn:pulumi:dev::airflow::a:b:C::roles"))
    for found in recorder.every(ASSOCIATION):
        assert [alias.spec.parentUrn for alias in found.request.aliases] == ["urn:pulumi:dev::airflow::a:b:C::roles"]


def test_irsa_needs_no_association(record: Record) -> None:
    assert record(logs(identity=PodIdentity.IRSA)).every(ASSOCIATION) == []


# What others take from it


def test_folder_is_where_the_role_may_write(record: Record) -> None:
    recorder = record(logs())
    assert outputs(recorder)["folder"] == f"s3://{bucket_name(recorder)}/{FOLDER}"
    assert outputs(recorder)["role_arn"].startswith("arn:aws:iam::123456789012:")
    assert set(outputs(recorder)) == {"bucket", "role_arn", "folder"}


@pytest.mark.parametrize(
    ("identity", "types"),
    [
        (PodIdentity.EKS_POD_IDENTITY, [*[ASSOCIATION] * 3, ATTACHMENT, *[ROLE_POLICY] * 2, *CONFIGURED]),
        (PodIdentity.IRSA, [ATTACHMENT, *[ROLE_POLICY] * 2, *CONFIGURED]),
    ],
)
def test_what_waits_for_it_has_credentials_that_are_good_for_something(
    record: Record, identity: PodIdentity, types: list[str]
) -> None:
    def program() -> None:
        ready = logs(identity=identity, policy_arns=("arn:aws:iam::aws:policy/a",))().ready
        random.RandomId("release", byte_length=1, opts=pulumi.ResourceOptions(depends_on=ready))

    recorder = record(program)
    waited_for: list[Registration] = [
        recorder.registrations[urn] for urn in recorder.one("random:index/randomId:RandomId").request.dependencies
    ]
    assert sorted(found.type for found in waited_for) == sorted(types)


def test_policy_has_a_fixed_name_and_one_that_exists_keeps_its_own(record: Record) -> None:
    """A stack that lost its state would otherwise leave the old policy beside a new one, owned by nobody."""
    for policy in record(logs()).every(ROLE_POLICY):
        assert policy.inputs["name"] == "task-logs"
        assert list(policy.request.ignoreChanges) == ["name"]


def test_every_child_is_the_component_s(record: Record) -> None:
    recorder = record(logs())
    component = recorder.one("airflow:index:TaskLogBucket")
    assert {found.request.parent for found in recorder.every() if found is not component} == {component.urn}


def test_namespace_of_another_resource_may_be_given(record: Record) -> None:
    recorder = record(lambda: logs(namespace=pulumi.Output.from_input("other"))())
    assert json.loads(recorder.one(ROLE, "logs").inputs["assumeRolePolicy"]) == trust_policy(
        PodIdentity.EKS_POD_IDENTITY, CLUSTER, "other", WRITERS
    )


def test_preview_works(record: Record) -> None:
    assert len(record(logs(), preview=True).every(ASSOCIATION)) == 3


@each(
    ("changes", "message"),
    [
        ({"writers": ()}, "writers: expected one or more, found none"),
        ({"readers": ()}, "readers: expected one or more, found none"),
        ({"retention_days": 0}, "retention_days: expected 1 or more, found 0"),
        (
            {"identity": PodIdentity.IRSA, "cluster": replace(CLUSTER, oidc_issuer=None)},
            "identity: expected an OIDC issuer of prod with irsa, found none",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        logs(**changes)()
