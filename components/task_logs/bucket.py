"""Task logs in S3: the bucket, the KMS key that encrypts it, and the IAM role by which pods reach it.

Does not make what the role's way needs in the cluster or the account: the add-on of EKS Pod Identity, or the OIDC
provider of the cluster. Access is not logged to another bucket: CloudTrail's data events do that for a whole account.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.aws.eks_cluster import EksCluster
from components.aws.kms_policy import key_policy
from components.aws.pod_identity import PodIdentity, trust_policy

TYPE: Final = "airflow:index:TaskLogBucket"

FOLDER: Final = "logs"
"""Prefix of every log in the bucket; all that the role can reach."""

_NONCURRENT_DAYS = 30  # a log that was written over can be had back for so long
_UNFINISHED_UPLOAD_DAYS = 7
_KMS_DELETION_WINDOW_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class TaskLogBucketArgs:
    """Arguments of `TaskLogBucket`.

    cluster: whose pods write and read logs.
    namespace, service_accounts: of those pods; no others may.
    retention_days: that a log is kept, 1 or more.
    protect: refuse to delete the bucket and its key.
    identity: how the pods come by the role.
    tags: on all that can have some.
    """

    cluster: EksCluster
    namespace: pulumi.Input[str]
    service_accounts: tuple[str, ...]
    retention_days: int
    protect: bool
    identity: PodIdentity = PodIdentity.EKS_POD_IDENTITY
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.service_accounts:
            raise ValueError("service_accounts: expected one or more, found none")
        if self.retention_days < 1:
            raise ValueError(f"retention_days: expected 1 or more, found {self.retention_days}")
        if self.identity is PodIdentity.IRSA and self.cluster.oidc_issuer is None:
            raise ValueError(f"identity: expected an OIDC issuer of {self.cluster.name} with irsa, found none")


class TaskLogBucket(pulumi.ComponentResource):
    """A private, versioned bucket, encrypted with a KMS key of its own, and the role that may use its logs.

    Raises: ValueError for arguments that AWS would refuse, and for irsa with a cluster that has no OIDC issuer.
    Replaces: neither bucket nor key nor role; another namespace makes other associations, and changes whom the role
    trusts, as other service accounts and the other identity do.
    Survives a destroy: a bucket with logs in it: AWS refuses to delete one that is not empty, and the destroy stops
    there. With `protect` set, bucket and key refuse it before that. The key can be had back for 30 days.
    """

    bucket: pulumi.Output[str]
    """Name of the bucket: generated, because no two in all of AWS may have one name."""
    role_arn: pulumi.Output[str]
    """ARN of the role that the pods assume."""
    folder: pulumi.Output[str]
    """Where logs are, as Airflow takes it for `remote_base_log_folder`: `s3://BUCKET/logs`."""
    ready: tuple[pulumi.Resource, ...]
    """What must be there before a pod starts: EKS gives a pod its credentials when it starts, or never."""

    def __init__(self, name: str, args: TaskLogBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=args.protect)
        cluster, tags = args.cluster, dict(args.tags)

        key = aws.kms.Key(
            name,
            description=f"Encrypts the task logs of Airflow on the EKS cluster {cluster.name}",
            enable_key_rotation=True,
            deletion_window_in_days=_KMS_DELETION_WINDOW_DAYS,
            policy=json.dumps(key_policy(cluster.account_id, cluster.region, "s3")),
            tags=tags,
            opts=kept,
        )
        # After the key: where a destroy stops at a bucket with logs, the key that reads them must still be there.
        bucket = aws.s3.Bucket(name, force_destroy=False, tags=tags, opts=_after(kept, key))
        configured = _configure(name, bucket, key.arn, args.retention_days, child)

        role = aws.iam.Role(
            name,
            description=f"Lets Airflow's pods on the EKS cluster {cluster.name} write and read task logs",
            assume_role_policy=pulumi.Output.from_input(args.namespace).apply(
                lambda namespace: json.dumps(trust_policy(args.identity, cluster, namespace, args.service_accounts))
            ),
            tags=tags,
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            name,
            role=role.name,
            policy=pulumi.Output.all(bucket.arn, key.arn).apply(lambda arns: json.dumps(log_policy(*arns))),
            opts=child,
        )
        associations: list[pulumi.Resource] = []
        if args.identity is PodIdentity.EKS_POD_IDENTITY:
            associations = [
                aws.eks.PodIdentityAssociation(
                    f"{name}-{service_account}",
                    cluster_name=cluster.name,
                    namespace=args.namespace,
                    service_account=service_account,
                    role_arn=role.arn,
                    tags=tags,
                    # By then IAM has made the role known everywhere, or nearly, and it is good for something.
                    opts=_after(child, policy),
                )
                for service_account in args.service_accounts
            ]

        self.bucket = bucket.bucket
        self.role_arn = role.arn
        self.folder = pulumi.Output.concat("s3://", self.bucket, "/", FOLDER)
        self.ready = (*configured, policy, *associations)
        self.register_outputs({"bucket": self.bucket, "role_arn": self.role_arn, "folder": self.folder})


def _configure(
    name: str,
    bucket: aws.s3.Bucket,
    key_arn: pulumi.Output[str],
    retention_days: int,
    child: pulumi.ResourceOptions,
) -> tuple[pulumi.Resource, ...]:
    """All that S3 keeps beside the bucket itself; no log is written before it is so."""
    private = aws.s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    # S3 takes one change of a bucket's access at a time, and refuses the other: "conflicting conditional operation".
    owned = aws.s3.BucketOwnershipControls(
        name,
        bucket=bucket.bucket,
        rule={"object_ownership": "BucketOwnerEnforced"},
        opts=_after(child, private),
    )
    policy = aws.s3.BucketPolicy(
        name,
        bucket=bucket.bucket,
        policy=bucket.arn.apply(lambda arn: json.dumps(bucket_policy(arn))),
        opts=_after(child, owned),
    )
    versioning = aws.s3.BucketVersioning(
        name,
        bucket=bucket.bucket,
        versioning_configuration={"status": "Enabled"},
        opts=child,
    )
    lifecycle = aws.s3.BucketLifecycleConfiguration(
        name,
        bucket=bucket.bucket,
        rules=[
            {
                "id": "expire",
                "status": "Enabled",
                "filter": {"prefix": ""},
                # S3 removes the delete markers that this makes by itself, once nothing is left behind them.
                "expiration": {"days": retention_days},
                "noncurrent_version_expiration": {"noncurrent_days": _NONCURRENT_DAYS},
                "abort_incomplete_multipart_upload": {"days_after_initiation": _UNFINISHED_UPLOAD_DAYS},
            }
        ],
        # A rule for noncurrent versions means something only where there are versions.
        opts=_after(child, versioning),
    )
    encryption = aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.bucket,
        rules=[
            {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn},
                # One request to KMS for many logs, and not one each.
                "bucket_key_enabled": True,
            }
        ],
        opts=child,
    )
    return private, owned, policy, versioning, lifecycle, encryption


def _after(opts: pulumi.ResourceOptions, resource: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[resource]))


def log_policy(bucket_arn: str, key_arn: str) -> dict[str, Any]:
    """What the pods' role may do: write and read logs. Not delete any: only their age does that.

    Listing is what finds the logs of a task. S3 also asks for it before it says that a log is not there yet, which
    Airflow must hear before it writes one; it then takes the log's whole key for the prefix.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "WriteAndReadLogs",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": f"{bucket_arn}/{FOLDER}/*",
            },
            {
                "Sid": "FindLogs",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket_arn,
                "Condition": {"StringLike": {"s3:prefix": f"{FOLDER}/*"}},
            },
            {
                "Sid": "EncryptAndDecryptLogs",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": key_arn,
            },
        ],
    }


def bucket_policy(bucket_arn: str) -> dict[str, Any]:
    """Nobody reaches the bucket without TLS. Who else may is for IAM to say."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "RefuseWithoutTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket_arn, f"{bucket_arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
