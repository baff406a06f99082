"""Look up the RDS instance in AWS before the program registers anything. Read-only.

The rules for what the lookup finds are in rds_existing.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi

from components.aws.client import AwsError, aws_call, aws_clients
from components.database.rds_existing import (
    RESTORED_FROM_TAG,
    ExistingInstance,
    Replacement,
    replacements,
    status_problem,
)
from components.database.rds_settings import ManagedDatabase

_ACTION: Final = "rds:DescribeDBInstances"
_NO_SUCH_INSTANCE: Final = "DBInstanceNotFound"


class InstanceError(pulumi.RunError):
    """The existing instance cannot be updated to the wanted settings. Raised before anything is registered."""

    replacements: tuple[Replacement, ...]
    """The changes that would replace it."""

    def __init__(self, text: str, found: Sequence[Replacement] = ()) -> None:
        self.replacements = tuple(found)
        super().__init__("\n".join([text, *(f"  - {item}" for item in found)]))


def read_existing_instance(identifier: str, region: str) -> ExistingInstance | None:
    """Return the instance with this identifier in the account of the current credentials, or None.

    Raises AwsError, which never contains credentials.
    """
    client = aws_clients(region)
    try:
        found = aws_call(_ACTION, lambda: client("rds").describe_db_instances(DBInstanceIdentifier=identifier))
    except AwsError as error:
        if error.code == _NO_SUCH_INSTANCE:
            return None
        raise
    return _parsed(found["DBInstances"][0])


def check_existing_instance(wanted: ManagedDatabase, region: str) -> ExistingInstance | None:
    """Return the existing instance if it can be updated to `wanted`, or None if there is none yet.

    Raises InstanceError for a status in which nothing may be updated, else with all changes that would replace the
    instance. Raises AwsError.
    """
    existing = read_existing_instance(wanted.identifier, region)
    if existing is None:
        return None
    if problem := status_problem(existing):
        raise InstanceError(problem)
    if found := replacements(existing, wanted):
        raise InstanceError(f"the RDS instance {wanted.identifier} in {region} cannot be updated:", found)
    return existing


def _parsed(description: Mapping[str, Any]) -> ExistingInstance:
    tags = {tag["Key"]: tag["Value"] for tag in description.get("TagList", [])}
    return ExistingInstance(
        identifier=description["DBInstanceIdentifier"],
        status=description["DBInstanceStatus"],
        engine=description["Engine"],
        engine_version=description["EngineVersion"],
        name=description.get("DBName"),
        username=description["MasterUsername"],
        storage_gib=description["AllocatedStorage"],
        max_storage_gib=description.get("MaxAllocatedStorage"),
        storage_encrypted=description["StorageEncrypted"],
        restored_from=tags.get(RESTORED_FROM_TAG),
    )
