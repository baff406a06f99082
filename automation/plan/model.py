"""A plan as data: masked, and the same after JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum, unique
from typing import Any, Final

RELEASE_TYPE: Final = "kubernetes:helm.sh/v3:Release"


@unique
class Why(StrEnum):
    """Why a placeholder stands for a secret config value."""

    ENCRYPTED = "encrypted"
    MISSING = "missing"
    """The stack needs it, and its file does not have it."""


@unique
class FailureKind(StrEnum):
    """The cause that stopped a plan."""

    NO_STACK = "no stack"
    """The stack has no file."""
    SETTINGS = "settings"
    """Its config is wrong."""
    SYNTAX = "syntax"
    PROGRAM = "program"
    """The program raised another error."""
    CHART = "chart"
    """Helm cannot render the chart with the program's values, or Kubernetes would refuse a pod of it."""
    PROCESS = "process"
    """The process that plans gave no plan."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why there is no plan."""

    kind: FailureKind
    text: str
    """The error's text, masked."""


@dataclass(frozen=True, kw_only=True)
class Placeholder:
    """A made-up value in place of a secret config value."""

    key: str
    """The short config key."""
    why: Why


@dataclass(frozen=True, kw_only=True)
class PolicyResult:
    """A result of a policy."""

    rule: str
    """The rule's id."""
    level: str
    """`mandatory` or `advisory`."""
    subject: str
    """What it is about, in words."""
    message: str


@dataclass(frozen=True, kw_only=True)
class PlannedResource:
    """A resource that the program registers."""

    urn: str
    type: str
    """Pulumi's type token."""
    name: str
    """Pulumi's logical name."""
    component: bool
    """It only groups other resources."""
    inputs: Mapping[str, Any]
    """Masked."""
    protect: bool = False
    """Pulumi's option."""
    retain_on_delete: bool = False
    """Pulumi's option."""
    ignore_changes: tuple[str, ...] = ()
    """Pulumi's option: paths of inputs."""
    made_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """URNs of the resources whose outputs an input is made of, by input."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that the program registers for a stack."""

    stack: str
    resources: tuple[PlannedResource, ...] = ()
    """Ordered by URN."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The stack's outputs."""
    objects: tuple[Mapping[str, Any], ...] | None = None
    """What Helm would install, as manifests; None where they are not rendered."""
    no_objects: str = ""
    """Why the objects are not rendered."""
    policies: tuple[PolicyResult, ...] = ()
    decided: tuple[str, ...] = ()
    """What the program's list of decisions says of the stack (`policy.context.decided_in`)."""
    placeholders: tuple[Placeholder, ...] = ()
    """Secret config values that were not known."""
    stand_ins: tuple[str, ...] = ()
    """What else was not known, one clause each."""
    messages: tuple[str, ...] = ()
    """What the program logged."""
    encryption: Mapping[str, str] = field(default_factory=dict)
    """What encrypts the stack's secrets, as its file says: `by` what, and the digest of the `key` that it encrypts."""
    failure: Failure | None = None
    """Why there is no plan; everything else is then empty."""

    @property
    def release(self) -> PlannedResource | None:
        """The Helm release."""
        return next((resource for resource in self.resources if resource.type == RELEASE_TYPE), None)

    def to_json(self) -> dict[str, Any]:
        """Return the plan for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Plan:
        """Read what `to_json` of this or another version of the program gave; unknown fields are left out.

        Raises:
            ValueError, KeyError, TypeError: The document is no plan.
        """
        given = _known(cls, document)
        failure = given.get("failure")
        objects = given.get("objects")
        return cls(
            **{
                **given,
                "resources": tuple(_resource(item) for item in given.get("resources", ())),
                "objects": None if objects is None else tuple(objects),
                "policies": tuple(PolicyResult(**_known(PolicyResult, item)) for item in given.get("policies", ())),
                "decided": tuple(given.get("decided", ())),
                "placeholders": tuple(
                    Placeholder(key=str(item["key"]), why=Why(item["why"])) for item in given.get("placeholders", ())
                ),
                "stand_ins": tuple(given.get("stand_ins", ())),
                "messages": tuple(given.get("messages", ())),
                "failure": failure and Failure(kind=FailureKind(failure["kind"]), text=str(failure["text"])),
            }
        )


def _resource(document: Mapping[str, Any]) -> PlannedResource:
    known = _known(PlannedResource, document)
    made_of = {key: tuple(urns) for key, urns in known.get("made_of", {}).items()}
    return PlannedResource(**{**known, "ignore_changes": tuple(known.get("ignore_changes", ())), "made_of": made_of})


def _known(cls: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(cls)}
    return {key: value for key, value in document.items() if key in names}
