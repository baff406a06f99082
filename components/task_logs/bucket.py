"""Task logs in S3: the bucket, the KMS key that encrypts it, and the IAM roles by which pods reach it.

The roles' prerequisites must exist: the add-on of EKS Pod Identity in the cluster, or the cluster's OIDC provider in
IAM. Access is not logged to another bucket: CloudTrail's data events do that for a whole account.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.aws.eks_cluster import EksCluster
from components.aws.kms_policy import key_policy
from components.aws.pod_identity import PodIdentity, PodRole
from components.aws.pod_role import PodRoleArgs, pod_role
from components.task_logs.lifecycle import FOLDER, lifecycle_rules

TYPE: Final = "airflow:index:TaskLogBucket"

_KMS_DELETION_WINDOW_DAYS = 30
POLICY_NAME: Final = "task-logs"
"""Name in IAM of a role's policy for logs."""


@dataclass(frozen=True, kw_only=True)
class TaskLogBucketArgs:
    """Arguments of `TaskLogBucket`."""

    cluster: EksCluster
    """Cluster whose pods write and read logs."""
    namespace: pulumi.Input[str]
    """Namespace of those pods."""
    writers: tuple[str, ...]
    """Service accounts of the pods that write and read logs, at least one."""
    readers: tuple[str, ...]
    """Service accounts of the pods that read logs, at least one. No others get access."""
    retention_days: int
    """Days that a log is kept, 1 or more."""
    protect: bool
    """Whether to refuse to delete the bucket and its key."""
    identity: PodIdentity = PodIdentity.EKS_POD_IDENTITY
    """How the pods get the role."""
    policy_arns: tuple[str, ...] = ()
    """ARNs of IAM policies that the writers need for other things than logs."""
    earlier_parent: pulumi.Input[str] | None = None
    """URN of the component that gave these pods their role while logs were elsewhere."""
    secrets: tuple[str, Mapping[str, Any]] | None = None
    """Name in IAM and document of the policy by which the readers also read secrets, or None."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of all resources that can have tags."""
    permissions_boundary: str | None = None
    """ARN of the policy that bounds the roles, None for none."""
    dumps: str | None = None
    """Prefix of the dumps of the database, which are deleted by what makes them; None where there are none."""

    def __post_init__(self) -> None:
        for argument in ("writers", "readers"):
            if not getattr(self, argument):
                raise ValueError(f"{argument}: expected one or more, found none")
        if self.retention_days < 1:
            raise ValueError(f"retention_days: expected 1 or more, found {self.retention_days}")
        if self.identity is PodIdentity.IRSA and self.cluster.oidc_issuer is None:
            raise ValueError(f"identity: expected an OIDC issuer of {self.cluster.name} with irsa, found none")


class TaskLogBucket(pulumi.ComponentResource):
    """A private, versioned bucket, encrypted with its own KMS key, and the roles that may use its logs.

    Raises: ValueError for arguments that AWS would refuse, and for irsa with a cluster that has no OIDC issuer.
    Replaces: neither bucket nor key nor roles. Another namespace, other service accounts and the other identity make
    other associations and change whom the roles trust.
    Survives a destroy: a bucket with logs in it, because AWS refuses to delete it and the destroy stops
    there. With `protect` set, Pulumi refuses to delete bucket and key. A deleted key can be restored for 30 days.
    """

    bucket: pulumi.Output[str]
    """Name of the bucket, generated because bucket names are unique across AWS."""
    read_role: PodRole
    """Role of the pods that read logs."""
    write_role: PodRole
    """Role of the pods that write and read logs."""
    log_policy: pulumi.Output[dict[str, Any]]
    """Policy of a role that writes and reads logs."""
    folder: pulumi.Output[str]
    """Where logs are, as Airflow takes it for `remote_base_log_folder`: `s3://BUCKET/logs`."""
    ready: tuple[pulumi.Resource, ...]
    """Resources that must exist before a pod starts: EKS gives a pod its credentials only at its start."""
    key: pulumi.Output[str]
    """ARN of the KMS key."""
    configured: tuple[pulumi.Resource, ...]
    """What must be in place before anything is stored."""

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
        # After the key: if a destroy stops at a bucket with logs, the key that reads them still exists.
        bucket = aws.s3.Bucket(name, force_destroy=False, tags=tags, opts=_after(kept, key))
        self.configured = _configure(name, bucket, key.arn, lifecycle_rules(args.retention_days, args.dumps), child)

        arns = pulumi.Output.all(bucket.arn, key.arn)
        account = cluster.account_id
        self.log_policy = arns.apply(lambda found: log_policy(found[0], found[1], account))
        common: dict[str, Any] = {
            "cluster": cluster,
            "namespace": args.namespace,
            "identity": args.identity,
            "earlier_parent": args.earlier_parent,
            "permissions_boundary": args.permissions_boundary,
            "tags": tags,
        }
        reader = pod_role(
            f"{name}-api-server",
            PodRoleArgs(
                description=f"Lets Airflow's API server on the EKS cluster {cluster.name} read task logs",
                accounts=_associations(name, args.readers),
                inline=(
                    POLICY_NAME,
                    arns.apply(lambda found: log_policy(found[0], found[1], account, write=False)),
                ),
                secrets=args.secrets,
                **common,
            ),
            child,
        )
        writer = pod_role(
            name,
            PodRoleArgs(
                description=f"Lets Airflow's pods on the EKS cluster {cluster.name} write and read task logs",
                accounts=_associations(name, args.writers),
                inline=(POLICY_NAME, self.log_policy),
                policy_arns=args.policy_arns,
                # In earlier versions the readers had this role too: it trusts them until they have theirs.
                after=reader.ready,
                **common,
            ),
            child,
        )

        self.read_role, self.write_role = reader.role, writer.role
        self.bucket, self.key = bucket.bucket, key.arn
        self.folder = pulumi.Output.concat("s3://", self.bucket, "/", FOLDER)
        self.ready = (*self.configured, *reader.ready, *writer.ready)
        self.register_outputs({"bucket": self.bucket, "role_arn": self.write_role.arn, "folder": self.folder})


def _associations(name: str, accounts: Iterable[str]) -> dict[str, str]:
    return {account: f"{name}-{account}" for account in accounts}


def _configure(
    name: str,
    bucket: aws.s3.Bucket,
    key_arn: pulumi.Output[str],
    rules: list[Any],
    child: pulumi.ResourceOptions,
) -> tuple[pulumi.Resource, ...]:
    """Configure the bucket. No log is written before all of this is in place."""
    private = aws.s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    # S3 accepts one change of a bucket's access at a time and refuses others: "conflicting conditional operation".
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
        rules=rules,
        # A rule for noncurrent versions needs versioning.
        opts=_after(child, versioning),
    )
    encryption = aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.bucket,
        rules=[
            {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn},
                # One request to KMS for many logs, instead of one for each.
                "bucket_key_enabled": True,
            }
        ],
        opts=child,
    )
    return private, owned, policy, versioning, lifecycle, encryption


def _after(opts: pulumi.ResourceOptions, resource: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[resource]))


def log_policy(bucket_arn: str, key_arn: str, account_id: str, *, write: bool = True) -> dict[str, Any]:
    """Return the policy of a role: read logs, and unless `write` is false write them. Only their age deletes logs.

    Not in a bucket that another account has made under the same name, after the stack's own was deleted.

    Airflow lists the bucket to find the logs of a task. S3 also requires the right to list before it reports that a log
    does not exist, which Airflow must know before it writes one; the prefix is then the log's whole key.
    """
    own = {"StringEquals": {"aws:ResourceAccount": account_id}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "WriteAndReadLogs" if write else "ReadLogs",
                "Effect": "Allow",
                "Action": ["s3:GetObject", *(["s3:PutObject"] if write else [])],
                "Resource": f"{bucket_arn}/{FOLDER}/*",
                "Condition": own,
            },
            {
                "Sid": "FindLogs",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket_arn,
                "Condition": {**own, "StringLike": {"s3:prefix": f"{FOLDER}/*"}},
            },
            {
                "Sid": "EncryptAndDecryptLogs" if write else "DecryptLogs",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", *(["kms:GenerateDataKey"] if write else [])],
                "Resource": key_arn,
            },
        ],
    }


def bucket_policy(bucket_arn: str) -> dict[str, Any]:
    """Return the policy of the bucket, which refuses access without TLS. IAM decides about everything else."""
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
