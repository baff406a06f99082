"""The policy of a KMS key of ours that one AWS service uses: for a secret, for objects, for a database."""

from __future__ import annotations

from typing import Any, Final

_PLACES: Final = {
    # beginning of the region: partition, domain
    "cn-": ("aws-cn", "amazonaws.com.cn"),
    "eusc-": ("aws-eusc", "amazonaws.eu"),
    "us-gov-": ("aws-us-gov", "amazonaws.com"),
}
_COMMERCIAL: Final = ("aws", "amazonaws.com")


def key_policy(account_id: str, region: str, service: str) -> dict[str, Any]:
    """Whom IAM in the account allows it may administer the key, and may use it through `service`; nobody else may.

    service: as in its endpoint's name, `s3`. It must use a key with the permissions of whoever calls it, as these do
    (docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html,
    docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html). The account's root stands for its IAM
    policies; without it the key would be out of reach for good.
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
                "Condition": {"StringEquals": {"kms:ViaService": f"{service}.{region}.{_place(region)[1]}"}},
            },
        ],
    }


def partition(region: str) -> str:
    """The part of AWS that a region is in, which every ARN begins with: `aws`, but for China and governments."""
    return _place(region)[0]


def _place(region: str) -> tuple[str, str]:
    return next((place for beginning, place in _PLACES.items() if region.startswith(beginning)), _COMMERCIAL)
