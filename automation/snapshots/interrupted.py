"""What became of what a killed update was making in AWS: the engine cannot tell, but the names can be looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from automation.recovery.result import Decisions
from components.aws.client import AwsError, aws_call, aws_clients

_INSTANCE: Final = "aws:rds/instance:Instance"
_ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"


def what_became(deployment: Mapping[str, Any], region: str) -> Decisions:
    """Return what becomes of interrupted creates of what a move makes. Others are left to a person. Raises AwsError.

    The instance must have been deleted before, because nobody knows whether it has its password yet. An alarm is
    written over.
    """
    exists = _Existing(region)
    looks: Mapping[str, Callable[[str], bool]] = {
        "aws:kms/alias:Alias": exists.alias,
        "aws:cloudwatch/logGroup:LogGroup": exists.log_group,
    }
    adopt: dict[str, str] = {}
    forget: set[str] = set()
    for operation in deployment.get("pending_operations") or ():
        resource = operation["resource"]
        kind, urn, name = resource["type"], resource["urn"], str((resource.get("inputs") or {}).get("name") or "")
        if operation["type"] != "creating":
            continue
        if kind in (_INSTANCE, _ALARM) or (kind in looks and not looks[kind](name)):
            forget.add(urn)
        elif kind in looks:
            adopt[urn] = name
    return Decisions(adopt=adopt, forget=frozenset(forget))


class _Existing:
    def __init__(self, region: str) -> None:
        self._clients = aws_clients(region)

    def alias(self, name: str) -> bool:
        try:
            aws_call("kms:DescribeKey", lambda: self._clients("kms").describe_key(KeyId=name))
        except AwsError as error:
            if error.code == "NotFoundException":
                return False
            raise
        return True

    def log_group(self, name: str) -> bool:
        found = aws_call(
            "logs:DescribeLogGroups",
            lambda: self._clients("logs").describe_log_groups(logGroupNamePrefix=name),
        )
        return any(group["logGroupName"] == name for group in found["logGroups"])
