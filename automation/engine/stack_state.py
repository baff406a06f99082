"""A stack's state as the engine exports it: what it holds, what was interrupted, and how a finished create is entered.

Pure functions on the JSON of `pulumi stack export` (pulumi: sdk/go/common/apitype/core.go, DeploymentV3). Encrypted
values are moved as they are and never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from automation.results import Result
from components.chart_values.value_paths import at

CREATING: Final = "creating"
_DELETING: Final = "deleting"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
NAMESPACE: Final = "kubernetes:core/v1:Namespace"
_STACK: Final = "pulumi:pulumi:Stack"
_STATE_ONLY: Final = ("random:", "pulumi:")
"""Types of what exists in the state alone: an interrupted create of it left nothing anywhere."""


@dataclass(frozen=True, kw_only=True)
class Resource(Result):
    """A custom resource in the state."""

    urn: str
    """Its URN."""
    type: str
    """Its Pulumi type."""
    id: str
    """The provider's id."""
    protected: bool
    """The engine refuses to delete it."""
    being_replaced: bool = False
    """Whether its replacement exists or is about to be made."""

    @property
    def name(self) -> str:
        """Its logical name."""
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True, kw_only=True)
class Pending(Result):
    """A step that was interrupted before its end was recorded.

    The provider chooses an object's name before it creates the object, so the name of a pending object is known.
    """

    operation: str
    """`creating`, `updating`, `deleting`, …"""
    urn: str
    """The URN of its resource."""
    type: str
    """The Pulumi type of its resource."""
    api_version: str = ""
    """The object's `apiVersion`, "" if it is no Kubernetes object."""
    kind: str = ""
    """The object's kind."""
    namespace: str = ""
    """The object's namespace, "" if it is in none."""
    object_name: str = ""
    """The object's name, "" if it is encrypted or unknown."""

    SHOWN = ("name",)

    @property
    def name(self) -> str:
        """The logical name of its resource."""
        return self.urn.rpartition("::")[2]

    @property
    def is_create(self) -> bool:
        """Whether it is a create: only a pending create stays in the state, with a warning, until a person decides."""
        return self.operation == CREATING

    @property
    def is_delete(self) -> bool:
        """Whether it is a delete: the engine keeps the resource in the state, as if it still existed."""
        return self.operation == _DELETING

    @property
    def is_object(self) -> bool:
        """It is a Kubernetes object with a name, which can be looked for."""
        return bool(self.kind and self.object_name and self.type != RELEASE)

    @property
    def is_of_state_only(self) -> bool:
        """Nothing of it can be left anywhere, or the program itself repairs it, as it does Helm's release."""
        return self.type.startswith(_STATE_ONLY) or self.type == RELEASE

    @property
    def id(self) -> str:
        """The id that the Kubernetes provider would form."""
        return f"{self.namespace}/{self.object_name}" if self.namespace else self.object_name

    def __str__(self) -> str:
        return f"{self.operation} {self.type.rpartition(':')[2]} {self.name}"


@dataclass(frozen=True)
class StackState:
    """What a stack's state holds."""

    resources: tuple[Resource, ...] = ()
    """Its custom resources."""
    pending: tuple[Pending, ...] = ()
    """The steps that were interrupted."""
    written: str = ""
    """When it was written, in ISO 8601; "" if it does not say."""
    stack_urn: str = ""
    """The URN of the stack itself, "" in an empty state."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The stack's outputs, by name."""
    image: str = ""
    """Reference of the Airflow image that was given to the release last; "" if the state does not say."""

    @staticmethod
    def of(deployment: Mapping[str, Any]) -> StackState:
        """Read an exported deployment."""
        resources = deployment.get("resources") or ()
        stack: Mapping[str, Any] = next((item for item in resources if item["type"] == _STACK), {})
        return StackState(
            resources=tuple(
                Resource(
                    urn=str(item["urn"]),
                    type=str(item["type"]),
                    id=str(item.get("id") or ""),
                    protected=bool(item.get("protect")),
                    being_replaced=bool(item.get("delete") or item.get("pendingReplacement")),
                )
                for item in resources
                if item.get("custom")
            ),
            pending=tuple(_pending(item) for item in deployment.get("pending_operations") or ()),
            written=str((deployment.get("manifest") or {}).get("time") or ""),
            stack_urn=str(stack.get("urn") or ""),
            outputs=stack.get("outputs") or {},
            image=_image(resources),
        )

    def current(self, urn: str) -> Resource | None:
        """Return the resource of a URN, but not one that is being replaced."""
        return next((item for item in self.resources if item.urn == urn and not item.being_replaced), None)

    def knows(self, type_prefix: str, id_: str) -> bool:
        """Return whether a resource with this id and such a type is in the state, or was about to be."""
        known = [(item.type, item.id) for item in self.resources]
        known += [(item.type, item.id) for item in self.pending]
        return any(type_.startswith(type_prefix) and item == id_ for type_, item in known)


def _image(resources: Iterable[Mapping[str, Any]]) -> str:
    release = next((item for item in resources if item["type"] == RELEASE and not item.get("delete")), {})
    found = at(release, "inputs.values.images.airflow")
    if not isinstance(found, Mapping) or not found.get("repository"):
        return ""
    repository, digest = found["repository"], found.get("digest")
    return f"{repository}@{digest}" if digest else f"{repository}:{found.get('tag')}"


def with_created(deployment: Mapping[str, Any], created: Mapping[str, str]) -> dict[str, Any]:
    """Return the deployment without pending operations, with what an interrupted create made among its resources.

    The engine's own `refresh --import-pending-creates` cannot do this. It turns the pending create into a pending
    import, and the refresh then drops that without reading the resource, so that the next update would create it a
    second time. Seen with pulumi 3.259.0; see pendingCreatesToImports in pkg/cmd/pulumi/operations/refresh.go, and
    pkg/backend/snapshot.go, which keeps only pending creates.

    In a state each resource comes after what it depends on. A pending one depends on what the interrupted update had
    finished, which stands first. So a new resource goes to the end. One that was to replace another goes before that
    one, which then waits for its deletion, as after any replacement.

    Args:
        deployment: As exported; it stays as it is.
        created: The ids of the interrupted creates that came to their end, by URN.
    """
    resources: list[dict[str, Any]] = [dict(item) for item in deployment.get("resources") or ()]
    pending = list(deployment.get("pending_operations") or ())
    for urn, id_ in created.items():
        creates = [item for item in pending if item["type"] == CREATING and item["resource"]["urn"] == urn]
        # Two updates may have been interrupted at the same resource, each with a name of its own for it.
        exact = [item for item in creates if _pending(item).id == id_]
        if creates:
            _insert(resources, _as_created((exact or creates)[-1]["resource"], id_))
    return {**deployment, "resources": resources, "pending_operations": None}


def _as_created(resource: Mapping[str, Any], id_: str) -> dict[str, Any]:
    """Return a resource as the provider would have recorded it: it exists, but is not known to be ready.

    The next refresh reads the rest of its outputs. Without one, nothing differs from the program's inputs, and because
    of the error an update still waits until the resource is ready.
    """
    inputs = resource.get("inputs") or {}
    if not str(resource["type"]).startswith("kubernetes:"):
        return {**resource, "id": id_}
    created = {**resource, "id": id_, "outputs": kubernetes_outputs(inputs)}
    return {**created, "initErrors": ["its creation was interrupted"]}


def kubernetes_outputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of an object of which only the inputs are known.

    The provider keeps the last inputs in `__inputs`, and compares the program's inputs with them.
    """
    return {**inputs, "__inputs": inputs, "__initialApiVersion": inputs.get("apiVersion")}


def _insert(resources: list[dict[str, Any]], new: dict[str, Any]) -> None:
    at = next((index for index, item in enumerate(resources) if item["urn"] == new["urn"]), None)
    if at is None:
        resources.append(new)
        return
    if resources[at].get("pendingReplacement"):
        resources[at] = new  # the old one was deleted before its replacement was created
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
    """Return a plain text; "" for an encrypted or unknown value."""
    return value if isinstance(value, str) else ""


def protected(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return those that the engine refuses to delete."""
    return tuple(item for item in resources if item.protected)
