"""AWS policy documents around an RDS instance: for its KMS key, and for the role of its enhanced monitoring. Pure.

No principal is "*", and a service is allowed only for this account's instance.
"""

from __future__ import annotations

from typing import Any, Final

from components.aws.kms_policy import key_policy
from components.aws.region import partition

LOG_EXPORTS: Final = ("postgresql", "upgrade")
"""Logs that the instance exports to CloudWatch."""


def log_group_name(identifier: str, kind: str) -> str:
    """Return the log group to which RDS exports a kind of log.

    docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Procedural.UploadtoCloudWatch.html
    """
    return f"/aws/rds/instance/{identifier}/{kind}"


def monitoring_policy_arn(region: str) -> str:
    """Return the ARN of AWS's own policy for the role of enhanced monitoring."""
    return f"arn:{partition(region)}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"


def database_key_policy(account_id: str, region: str, identifier: str) -> dict[str, Any]:
    """Return the policy of the instance's key, which RDS and the log groups of the instance use.

    RDS and Performance Insights act with the permissions of their caller, and keep a grant
    (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html,
    USER_PerfInsights.access-control.cmk-policy.html). CloudWatch Logs acts on its own
    (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html).
    """
    policy = key_policy(account_id, region, "rds")
    administered, used = policy["Statement"]
    groups = f"arn:{partition(region)}:logs:{region}:{account_id}:log-group:"
    kept = {
        "Sid": "KeptByRdsForTheInstance",
        "Effect": "Allow",
        "Principal": used["Principal"],
        "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
        "Resource": "*",
        "Condition": {**used["Condition"], "Bool": {"kms:GrantIsForAWSResource": "true"}},
    }
    # Copying a snapshot to another key needs ReEncrypt.
    copied = {**used, "Sid": "CopiedThroughRds", "Action": ["kms:Encrypt", "kms:ReEncrypt*"]}
    logged = {
        "Sid": "UsedByTheLogGroups",
        "Effect": "Allow",
        "Principal": {"Service": f"logs.{region}.amazonaws.com"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        "Resource": "*",
        "Condition": {
            "ArnEquals": {
                "kms:EncryptionContext:aws:logs:arn": [
                    f"{groups}{log_group_name(identifier, kind)}" for kind in LOG_EXPORTS
                ]
            }
        },
    }
    return {**policy, "Statement": [administered, used, copied, kept, logged]}


def monitoring_trust(account_id: str, region: str, identifier: str) -> dict[str, Any]:
    """Return the trust policy of the monitoring role: only RDS, and only for this account's instance.

    docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html
    """
    source = f"arn:{partition(region)}:rds:{region}:{account_id}:db:{identifier}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "LetRdsMonitorTheInstance",
                "Effect": "Allow",
                "Principal": {"Service": "monitoring.rds.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id, "aws:SourceArn": source}},
            }
        ],
    }
