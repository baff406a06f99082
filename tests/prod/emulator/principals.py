"""Who calls, with which policies; and the tags of what is called, by moto's own account."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.backends import get_backend

from tests.prod.emulator.control import Orders
from tests.prod.emulator.policies import Statement, given_by
from tests.prod.emulator.rights import ACCOUNT, Right


@dataclass(frozen=True)
class Principal:
    """Somebody who calls."""

    arn: str
    statements: Sequence[Statement]

    def statement_for(self, right: Right) -> Statement | None:
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
                return Principal(assumed.arn, list(_statements_of(assumed.role_arn.rpartition("/")[2])))
        return None


def _statements_of(role: str) -> list[Statement]:
    """Return the statements of a role's inline policies."""
    iam: Any = get_backend("iam")[ACCOUNT]["aws"]
    found = next((item for item in iam.roles.values() if item.name == role), None)
    documents = [] if found is None else found.policies.values()
    return [statement for document in documents for statement in json.loads(document)["Statement"]]


def tags_of(arn: str) -> Mapping[str, str]:
    """Return the tags of a KMS key or of something in EC2; nothing for all else, whose tags no policy here asks for."""
    _, _, service, region, _, resource = arn.split(":", 5) if arn.count(":") >= 5 else ("", "", "", "", "", "")
    name = resource.rpartition("/")[2]
    if service == "kms" and resource.startswith("key/"):
        backend: Any = get_backend("kms")[ACCOUNT][region]
        if name not in backend.keys:
            return {}
        return {tag["TagKey"]: tag["TagValue"] for tag in backend.list_resource_tags(name)["Tags"]}
    if service == "ec2":
        return {
            tag["key"]: tag["value"]
            for tag in get_backend("ec2")[ACCOUNT][region].describe_tags({"resource-id": [name]})
        }
    return {}
