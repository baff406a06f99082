"""Who calls, with which policies; and what conditions can ask of what is called, by moto's own account."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from moto.backends import get_backend

from tests.prod.emulator.control import Orders
from tests.prod.emulator.operations import Operation
from tests.prod.emulator.policies import Statement, given_by
from tests.prod.emulator.rights import ACCOUNT, KEY_OF_WHAT_EXISTS, Right


@dataclass(frozen=True)
class Principal:
    """Somebody who calls."""

    arn: str
    statements: Sequence[Statement]
    bounds: Sequence[Statement] | None = None
    """Statements of the permissions boundary, or None without one."""

    def statement_for(self, right: Right) -> Statement | None:
        if self.bounds is not None and given_by(right, self.bounds) is None:
            return None
        return given_by(right, self.statements)


class Principals:
    """Finds who calls by the access key."""

    def of(self, access_key: str, orders: Orders) -> Principal | None:
        """Return the caller, or None for an administrator."""
        if access_key in orders.identities:
            return Principal(f"arn:aws:iam::{ACCOUNT}:user/deploys", orders.identities[access_key])
        for sts in get_backend("sts")[ACCOUNT].values():
            assumed = sts.get_assumed_role_from_access_key(access_key)
            if assumed is not None:
                role = role_named(assumed.role_arn.rpartition("/")[2])
                return Principal(assumed.arn, _statements_of(role), _bounds_of(role))
        return None


def role_named(name: str) -> Any:
    """Return a role, or None."""
    iam: Any = get_backend("iam")[ACCOUNT]["aws"]
    return next((item for item in iam.roles.values() if item.name == name), None)


def _statements_of(role: Any) -> list[Statement]:
    """Return the statements of a role's inline policies."""
    documents = [] if role is None else role.policies.values()
    return [statement for document in documents for statement in json.loads(document)["Statement"]]


def _bounds_of(role: Any) -> list[Statement] | None:
    """Return the statements of a role's boundary: none, and so no right, where that policy does not exist."""
    if role is None or not role.permissions_boundary_arn:
        return None
    iam: Any = get_backend("iam")[ACCOUNT]["aws"]
    policy = iam.managed_policies.get(role.permissions_boundary_arn)
    return (
        []
        if policy is None
        else list(json.loads(next(item.document for item in policy.versions if item.is_default))["Statement"])
    )


def asked_of(right: Right, operation: Operation) -> Right:
    """Return the right with what is known of its resource: tags, a key's aliases, a role's boundary."""
    resource = _key_in_use(operation) if right.resource.endswith(KEY_OF_WHAT_EXISTS) else right.resource
    owned = {f"aws:ResourceTag/{key}": value for key, value in tags_of(resource).items()}
    return replace(right, resource=resource, context={**owned, **_state_of(resource), **right.context})


def _state_of(arn: str) -> dict[str, str]:
    _, _, service, region, _, resource = arn.split(":", 5) if arn.count(":") >= 5 else ("", "", "", "", "", "")
    kind, _, name = resource.partition("/")
    if service == "kms" and kind == "key":
        backend: Any = get_backend("kms")[ACCOUNT][region]
        aliases = sorted(backend.keys[name].aliases) if name in backend.keys else []
        return {"kms:ResourceAliases": aliases[0]} if aliases else {}
    if service == "iam" and kind == "role":
        bound = getattr(role_named(name), "permissions_boundary_arn", None)
        return {"iam:PermissionsBoundary": bound} if bound else {}
    return {}


def _key_in_use(operation: Operation) -> str:
    """Return the ARN of the key of the secret, snapshot or instance that a request names."""
    if operation.service == "rds":
        return _key_of_database(operation)
    backend: Any = get_backend("secretsmanager")[ACCOUNT][operation.region]
    secret = str(operation.parameters.get("SecretId", ""))
    found = next((item for item in backend.secrets.values() if secret in (item.arn, item.name, item.secret_id)), None)
    key = str(getattr(found, "kms_key_id", None) or "key/unknown")
    return key if key.startswith("arn:") else f"arn:aws:kms:{operation.region}:{ACCOUNT}:{key}"


def _key_of_database(operation: Operation) -> str:
    rds: Any = get_backend("rds")[ACCOUNT][operation.region]
    said = operation.parameters
    snapshot = str(said.get("DBSnapshotIdentifier", "")).rpartition(":snapshot:")[2]
    found = rds.database_snapshots.get(snapshot) or rds.databases.get(str(said.get("SourceDBInstanceIdentifier", "")))
    return str(getattr(found, "kms_key_id", None) or f"arn:aws:kms:{operation.region}:{ACCOUNT}:key/unknown")


def tags_of(arn: str) -> Mapping[str, str]:
    """Return the tags of a KMS key, of a role, of something in EC2, or nothing for all else."""
    _, _, service, region, _, resource = arn.split(":", 5) if arn.count(":") >= 5 else ("", "", "", "", "", "")
    name = resource.rpartition("/")[2]
    if service == "kms" and resource.startswith("key/"):
        backend: Any = get_backend("kms")[ACCOUNT][region]
        if name not in backend.keys:
            return {}
        return {tag["TagKey"]: tag["TagValue"] for tag in backend.list_resource_tags(name)["Tags"]}
    if service == "iam" and resource.startswith("role/"):
        role = role_named(name)
        return {} if role is None else {tag["Key"]: tag["Value"] for tag in role.tags}
    if service == "ec2":
        return {
            tag["key"]: tag["value"]
            for tag in get_backend("ec2")[ACCOUNT][region].describe_tags({"resource-id": [name]})
        }
    return {}
