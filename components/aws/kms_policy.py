"""Policy of a KMS key that one AWS service uses: for a secret, for a bucket, or for a database. Pure."""

from __future__ import annotations

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
                "Condition": {"StringEquals": {"kms:ViaService": f"{service}.{region}.{domain(region)}"}},
            },
        ],
    }
