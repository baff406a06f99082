"""A managed database made worse in one way each: what a rule that passes must be able to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tests.aws.recorded import AwsResource

_INSTANCE: Final = "aws:rds/instance:Instance"
_KEY: Final = "aws:kms/key:Key"
_PARAMETERS: Final = "aws:rds/parameterGroup:ParameterGroup"
_GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
_LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
_ROLE: Final = "aws:iam/role:Role"

_ANYBODY: Final = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "%s:*", '
    '"Resource": "*"}]}'
)

WEAKENED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    # rule: (type, inputs that are other ones; None takes one out)
    "CKV_AWS_16": (_INSTANCE, {"storageEncrypted": False}),
    "CKV_AWS_17": (_INSTANCE, {"publiclyAccessible": True}),
    "CKV_AWS_118": (_INSTANCE, {"monitoringInterval": 0}),
    "CKV_AWS_129": (_INSTANCE, {"enabledCloudwatchLogsExports": None}),
    "CKV_AWS_133": (_INSTANCE, {"backupRetentionPeriod": 0}),
    "CKV_AWS_157": (_INSTANCE, {"multiAz": False}),
    "CKV_AWS_161": (_INSTANCE, {"iamDatabaseAuthenticationEnabled": False}),
    "CKV_AWS_211": (_INSTANCE, {"caCertIdentifier": "rds-ca-2019"}),
    "CKV_AWS_226": (_INSTANCE, {"autoMinorVersionUpgrade": False}),
    "CKV_AWS_293": (_INSTANCE, {"deletionProtection": None}),
    "CKV_AWS_353": (_INSTANCE, {"performanceInsightsEnabled": False}),
    "CKV_AWS_354": (_INSTANCE, {"performanceInsightsKmsKeyId": None}),
    "CKV2_AWS_60": (_INSTANCE, {"copyTagsToSnapshot": False}),
    "CKV2_AWS_5": (_INSTANCE, {"vpcSecurityGroupIds": ["sg-other"]}),
    "CKV2_AWS_69": (_PARAMETERS, {"parameters": [{"name": "rds.force_ssl", "value": "0"}]}),
    "CKV_AWS_7": (_KEY, {"enableKeyRotation": False}),
    "CKV_AWS_33": (_KEY, {"policy": _ANYBODY % "kms"}),
    "CKV2_AWS_64": (_KEY, {"policy": None}),
    "CKV_AWS_23": (_GROUP, {"description": None}),
    "CKV_AWS_60": (_ROLE, {"assumeRolePolicy": _ANYBODY % "sts"}),
    "CKV_AWS_158": (_LOGS, {"kmsKeyId": None}),
    "CKV_AWS_338": (_LOGS, {"retentionInDays": 7}),
}


def weakened(resources: Sequence[AwsResource]) -> list[tuple[str, str, list[AwsResource]]]:
    """(rule, type, the same resources with that type's made worse) for each of WEAKENED."""
    return [
        (rule, type_, [found.changed(inputs) if found.type == type_ else found for found in resources])
        for rule, (type_, inputs) in WEAKENED.items()
    ]
