"""Dumps of the database in the bucket of the task logs: where they are, and who may reach them. Pure.

Task logs and dumps have folders of their own beside each other. The pods of Airflow reach the first, and the pods that
make and restore dumps the second. Other storage than S3, and what speaks its API, has no such pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final
from urllib.parse import urlsplit

import pulumi

from components.aws.eks_cluster import EksCluster
from components.aws.kms_policy import any_key
from components.aws.pod_identity import PodIdentity
from components.aws.region import partition

FOLDER: Final = "backups"
"""The folder of dumps in a bucket that the stack makes."""
ACCOUNT: Final = "airflow-backups"
"""Service account of the pods that make and restore dumps."""
LABELS: Final = {"tier": "airflow", "component": "database-backup"}
"""The network policy of these pods selects them by it."""
POLICY_NAME: Final = "backups"
"""Name in IAM of the policy of their role."""
FOLDER_VARIABLE: Final = "BACKUP_FOLDER"
CONNECTION_VARIABLE: Final = "BACKUP_CONNECTION"
"""What `in_image/dump_bucket.py` reads."""


@unique
class BackupStore(StrEnum):
    """`volume`: a volume in the namespace. `bucket`: that of the task logs, in a folder of its own."""

    VOLUME = "volume"
    BUCKET = "bucket"


@dataclass(frozen=True, kw_only=True)
class BackupRole:
    """The inputs of the IAM role of the pods."""

    name: str
    """Logical name of the role and its association, with which its name in IAM begins."""
    cluster: EksCluster
    """The cluster that they run on."""
    identity: PodIdentity
    """How they get the role."""
    key: pulumi.Input[str] | None = None
    """ARN of the KMS key of the stack's own bucket, None for a bucket that exists."""
    permissions_boundary: str | None = None
    """ARN of the policy that bounds the role, None for none."""


@dataclass(frozen=True, kw_only=True)
class BackupBucket:
    """Where dumps are, and how pods reach it."""

    folder: pulumi.Input[str]
    """`s3://BUCKET/FOLDER`."""
    connection_id: str
    """The connection of Airflow that leads there: that of the task logs."""
    variables: tuple[Mapping[str, Any], ...]
    """Variables with this connection, and with the region."""
    role: BackupRole | None = None
    """The role of the pods, None where the connection holds credentials."""
    after: tuple[pulumi.Resource, ...] = ()
    """The resources that must exist before a dump is stored."""


def folder_beside(logs: str) -> str:
    """Return the folder of dumps beside one of task logs that exists: `s3://BUCKET/FOLDER-backups`.

    Beside it, because rules for the logs' age, and the rights of who may read logs, apply to what is in their folder.
    """
    return f"{logs}-{FOLDER}"


def dump_policy(folder: str, cluster: EksCluster, key: str | None) -> dict[str, Any]:
    """Return the policy of the pods' role: store, read, list and delete dumps, and nothing else in the bucket.

    Args:
        folder: `s3://BUCKET/FOLDER`.
        cluster: The cluster that the pods run on, in the region of the bucket.
        key: ARN of the KMS key of the stack's own bucket. None: the bucket may be of another account, and whichever
            key it uses is allowed, through S3 and for it alone.
    """
    address = urlsplit(folder)
    bucket = f"arn:{partition(cluster.region)}:s3:::{address.netloc}"
    dumps = f"{bucket}{address.path}/*"
    actions = ["kms:Decrypt", "kms:GenerateDataKey"]
    keys: dict[str, Any] = {"Resource": key}
    own = {"StringEquals": {"aws:ResourceAccount": cluster.account_id}} if key is not None else {}
    if key is None:
        # The bucket's ARN where it uses bucket keys, else that of the object
        # (docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html).
        keys = any_key(cluster.account_id, cluster.region, "s3", "aws:s3:arn", [bucket, dumps])
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "StoreReadAndDeleteDumps",
                "Effect": "Allow",
                "Action": ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                "Resource": dumps,
                **({"Condition": own} if own else {}),
            },
            {
                "Sid": "FindDumps",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket,
                "Condition": {**own, "StringLike": {"s3:prefix": f"{address.path.lstrip('/')}/*"}},
            },
            {"Sid": "EncryptAndDecryptDumps", "Effect": "Allow", "Action": actions, **keys},
        ],
    }
