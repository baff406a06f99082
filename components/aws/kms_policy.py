"""Who may use a KMS key through one AWS service: for a secret, for a bucket, or for a database. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.aws.region import domain, partition


def key_policy(account_id: str, region: str, service: str) -> dict[str, Any]:
    """Return a policy by which the account's IAM policies decide who administers the key, and who uses it by `service`.

    `service` is the name in the service's endpoint, such as `s3`. It must use a key with the permissions of its caller,
    as these do (docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html,
    docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html). The account's root stands for its IAM
    policies; without it, nobody could ever administer the key.
    """
    account = {"AWS": f"arn:{partition(region)}:iam::{account_id}:root"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AdministeredByThoseWhomIamAllows",
                "Effect": "Allow",
                "Principal": account,
                "Action": [
                    "kms:CancelKeyDeletion",
                    "kms:CreateAlias",
                    "kms:DeleteAlias",
                    "kms:DescribeKey",
                    "kms:DisableKey*",
                    "kms:EnableKey*",
                    "kms:Get*",
                    "kms:List*",
                    "kms:PutKeyPolicy",
                    "kms:RevokeGrant",
                    "kms:RotateKeyOnDemand",
                    "kms:ScheduleKeyDeletion",
                    "kms:TagResource",
                    "kms:UntagResource",
                    "kms:UpdateAlias",
                    "kms:UpdateKeyDescription",
                ],
                "Resource": "*",
            },
            {
                "Sid": "UsedThroughTheService",
                "Effect": "Allow",
                "Principal": account,
                "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                "Resource": "*",
                "Condition": {"StringEquals": _through(service, region)},
            },
        ],
    }


def any_key(account_id: str, region: str, service: str, context: str, used_for: str | Sequence[str]) -> dict[str, Any]:
    """Return resource and condition of a statement about any key of the account, used by `service` for some things.

    Args:
        account_id: The account.
        region: Its region.
        service: See `key_policy`.
        context: What the service calls the ARN of what it encrypts, in its encryption context.
        used_for: ARNs of what is encrypted, with `*` for any part.
    """
    return {
        "Resource": f"arn:{partition(region)}:kms:{region}:{account_id}:key/*",
        "Condition": {
            "StringEquals": _through(service, region),
            "StringLike": {f"kms:EncryptionContext:{context}": used_for},
        },
    }


def _through(service: str, region: str) -> dict[str, str]:
    return {"kms:ViaService": f"{service}.{region}.{domain(region)}"}
