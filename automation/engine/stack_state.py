"""A stack's state as the engine exports it: what it holds, what was interrupted, and how that is put right.

Pure functions on the JSON of `pulumi stack export` (pulumi: sdk/go/common/apitype/core.go, DeploymentV3). Encrypted
values are moved as they are and never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from automation.results import Result

CREATING: Final = "creating"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
NAMESPACE: Final = "kubernetes:core/v1:Namespace"
_STATE_ONLY: Final = ("random:", "pulumi:")
"""Types of what is in the state alone: where its creation was interrupted, nothing of it is anywhere."""


@dataclass(frozen=True, kw_only=True)
class Resource(Result):
    """A custom resource in the state. id: the provider's. being_replaced: a new one stands beside it, or will."""

    urn: str
    type: str
    id: str
    protected: bool
    being_replaced: bool = False

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True, kw_only=True)
class Pending(Result):
    """An operation that was interrupted: nobody recorded how it ended.

    operation: `creating`, `updating`, `deleting`, … api_version, kind, namespace, object_name: of the Kubernetes
    object, where it is one; its name is known because the provider chooses it before it creates.
    """

    operation: str
    urn: str
    type: str
    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    object_name: str = ""

    SHOWN = ("name",)

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def is_create(self) -> bool:
        """The only kind that the engine keeps, and warns of, for ever."""
        return self.operation == CREATING

    @property
    def is_object(self) -> bool:
        """A Kubernetes object with a name, which can be looked for."""
        return bool(self.kind and self.object_name and self.type != RELEASE)

    @property
    def is_of_state_only(self) -> bool:
        """Nothing of it can be anywhere, or the program itself looks after it: Helm's release."""
        return self.type.startswith(_STATE_ONLY) or self.type == RELEASE

    @property
    def id(self) -> str:
        """As the Kubernetes provider forms it."""
        return f"{self.namespace}/{self.object_name}" if self.namespace else self.object_name

    def __str__(self) -> str:
        return f"{self.operation} {self.type.rpartition(':')[2]} {self.name}"


@dataclass(frozen=True)
class StackState:
    """resources: custom ones. pending: what was interrupted. written: when, in ISO 8601, or ""."""

    resources: tuple[Resource, ...] = ()
    pending: tuple[Pending, ...] = ()
    written: str = ""

    @staticmethod
    def of(deployment: Mapping[str, Any]) -> StackState:
        """Of an exported deployment."""
        return StackState(
            resources=tuple(
                Resource(
                    urn=str(item["urn"]),
                    type=str(item["type"]),
                    id=str(item.get("id") or ""),
                    protected=bool(item.get("protect")),
                    being_replaced=bool(item.get("delete") or item.get("pendingReplacement")),
                )
                for item in deployment.get("resources") or ()
                if item.get("custom")
            ),
            pending=tuple(_pending(item) for item in deployment.get("pending_operations") or ()),
            written=str((deployment.get("manifest") or {}).get("time") or ""),
        )

    def current(self, urn: str) -> Resource | None:
        """The resource of a URN, but for one that is being replaced."""
        return next((found for found in self.resources if found.urn == urn and not found.being_replaced), None)

    def knows(self, type_prefix: str, id_: str) -> bool:
        """A resource with this id, of a type with this beginning, is in the state, or was about to be."""
        known = [(found.type, found.id) for found in self.resources]
        known += [(found.type, found.id) for found in self.pending]
        return any(type_.startswith(type_prefix) and found == id_ for type_, found in known)


def settle(deployment: Mapping[str, Any], adopted: Mapping[str, str]) -> dict[str, Any]:
    """The deployment without pending operations; what is there has its place among the resources.

    adopted: ids of interrupted creates that came to their end, by URN; the others are forgotten.
    Resources stand in an order in which each comes after what it depends on. What was pending depended on what the
    interrupted update had finished; those come first. So a resource of its own goes to the end; one that was to
    replace another goes where that one is, which then waits for its deletion, as after any replacement.
    """
    resources: list[dict[str, Any]] = [dict(item) for item in deployment.get("resources") or ()]
    operations = list(deployment.get("pending_operations") or ())
    for urn, id_ in adopted.items():
        found = [item for item in operations if item["type"] == CREATING and item["resource"]["urn"] == urn]
        # Two updates may have been interrupted at the same resource, each with a name of its own for it.
        exact = [item for item in found if _pending(item).id == id_]
        if found:
            _insert(resources, _made((exact or found)[-1]["resource"], id_))
    return {**deployment, "resources": resources, "pending_operations": None}


def _made(resource: Mapping[str, Any], id_: str) -> dict[str, Any]:
    """A resource as the provider would have recorded it: there, but not known to be ready.

    The next refresh reads the rest of its outputs. Should it never come, nothing differs from the program's inputs, and
    an update still waits until it is ready, because of the error.
    """
    inputs = resource.get("inputs") or {}
    if not str(resource["type"]).startswith("kubernetes:"):
        return {**resource, "id": id_}
    made = {**resource, "id": id_, "outputs": kubernetes_outputs(inputs)}
    return {**made, "initErrors": ["its creation was interrupted"]}


def kubernetes_outputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Of an object nothing more is known of: the provider compares a program's inputs with what is in `__inputs`."""
    return {**inputs, "__inputs": inputs, "__initialApiVersion": inputs.get("apiVersion")}


def _insert(resources: list[dict[str, Any]], new: dict[str, Any]) -> None:
    at = next((index for index, item in enumerate(resources) if item["urn"] == new["urn"]), None)
    if at is None:
        resources.append(new)
        return
    if resources[at].get("pendingReplacement"):
        resources[at] = new  # deleted already, before its replacement
        return
    resources[at] = {**resources[at], "delete": True}
    resources.insert(at, new)


def _pending(operation: Mapping[str, Any]) -> Pending:
    resource = operation["resource"]
    inputs: Mapping[str, Any] = resource.get("inputs") or {}
    metadata = inputs.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    is_object = str(resource["type"]).startswith("kubernetes:")
    return Pending(
        operation=str(operation["type"]),
        urn=str(resource["urn"]),
        type=str(resource["type"]),
        api_version=_text(inputs.get("apiVersion")) if is_object else "",
        kind=_text(inputs.get("kind")) if is_object else "",
        namespace=_text(metadata.get("namespace")) if is_object else "",
        object_name=_text(metadata.get("name")) if is_object else "",
    )


def _text(value: Any) -> str:
    """A plain text; an encrypted or unknown value is none."""
    return value if isinstance(value, str) else ""


def protected(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Those that the engine refuses to delete."""
    return tuple(found for found in resources if found.protected)
