"""EKS Pod Identity associations, which moto lacks, as the API reference of EKS describes them."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import replace
from typing import Any, Final

from tests.prod.emulator.operations import Operation
from tests.prod.emulator.policies import listed
from tests.prod.emulator.refusals import Answer, refused
from tests.prod.emulator.rights import ACCOUNT, Right

OPERATIONS: Final = frozenset(
    {
        "CreatePodIdentityAssociation",
        "DeletePodIdentityAssociation",
        "DescribePodIdentityAssociation",
        "ListPodIdentityAssociations",
        "UpdatePodIdentityAssociation",
    }
)


class PodIdentity:
    """The associations of an account."""

    def __init__(self) -> None:
        self.by_id: dict[str, dict[str, Any]] = {}

    def answers(self, operation: Operation) -> bool:
        """Return whether the operation is one on associations."""
        of_tags = "podidentityassociation" in str(operation.parameters.get("resourceArn"))
        return operation.service == "eks" and (operation.name in OPERATIONS or of_tags)

    def answer(self, operation: Operation) -> Answer:
        said = operation.parameters
        if "resourceArn" in said:
            return self._tags(operation)
        if operation.name == "ListPodIdentityAssociations":
            wanted = {"clusterName": said["name"]}
            wanted |= {key: said[key] for key in ("namespace", "serviceAccount") if key in said}
            found = [item for item in self.by_id.values() if wanted.items() <= item.items()]
            return _json({"associations": found})
        if operation.name == "CreatePodIdentityAssociation":
            return self._create(operation)
        association = self.by_id.get(str(said["associationId"]))
        if association is None:
            return _gone(operation)
        if operation.name == "UpdatePodIdentityAssociation":
            association |= {key: said[key] for key in ("roleArn", "disableSessionTags") if key in said}
        if operation.name == "DeletePodIdentityAssociation":
            del self.by_id[association["associationId"]]
        return _json({"association": association})

    def asked_of(self, right: Right) -> Right:
        """Return the right with the tags of the association that it is asked about."""
        found = next((item for item in self.by_id.values() if item["associationArn"] == right.resource), None)
        if found is None:
            return right
        owned = {f"aws:ResourceTag/{key}": value for key, value in found["tags"].items()}
        return replace(right, context={**owned, **right.context})

    def role_of(self, namespace: str, service_account: str) -> str | None:
        """Return the ARN of the role that pods of a service account get."""
        wanted = {"namespace": namespace, "serviceAccount": service_account}.items()
        return next((str(item["roleArn"]) for item in self.by_id.values() if wanted <= item.items()), None)

    def _create(self, operation: Operation) -> Answer:
        said = operation.parameters
        if self.role_of(said["namespace"], said["serviceAccount"]):
            return refused(operation, "409 Conflict", "ResourceInUseException", "Association already exists")
        identifier, now = f"a-{secrets.token_hex(9)[:17]}", time.time()
        arn = f"arn:aws:eks:{operation.region}:{ACCOUNT}:podidentityassociation/{said['name']}/{identifier}"
        self.by_id[identifier] = {
            "clusterName": said["name"],
            "namespace": said["namespace"],
            "serviceAccount": said["serviceAccount"],
            "roleArn": said["roleArn"],
            "associationArn": arn,
            "associationId": identifier,
            "tags": dict(said.get("tags", {})),
            "createdAt": now,
            "modifiedAt": now,
            "disableSessionTags": said.get("disableSessionTags", False),
        }
        return _json({"association": self.by_id[identifier]})

    def _tags(self, operation: Operation) -> Answer:
        said = operation.parameters
        found = [item for item in self.by_id.values() if item["associationArn"] == said["resourceArn"]]
        if not found:
            return _gone(operation)
        tags = found[0]["tags"]
        if operation.name == "TagResource":
            tags |= said["tags"]
        if operation.name == "UntagResource":
            for key in listed(said["tagKeys"]):
                tags.pop(key, None)
        return _json({"tags": tags} if operation.name == "ListTagsForResource" else {})


def _json(content: Any) -> Answer:
    return Answer.of("200 OK", "application/json", json.dumps(content).encode())


def _gone(operation: Operation) -> Answer:
    return refused(operation, "404 Not Found", "ResourceNotFoundException", "No association found")
