"""A plan as data. All of it is masked, and survives JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum, unique
from typing import Any, Final

RELEASE_TYPE: Final = "kubernetes:helm.sh/v3:Release"


@unique
class Why(StrEnum):
    """Why a secret config value is stood in for: it is encrypted, or it is needed and not in the stack's file."""

    ENCRYPTED = "encrypted"
    MISSING = "missing"


@unique
class FailureKind(StrEnum):
    """What stopped a plan: no file of the stack, its config, an error of syntax, another one, or no plan at all."""

    NO_STACK = "no stack"
    SETTINGS = "settings"
    SYNTAX = "syntax"
    PROGRAM = "program"
    PROCESS = "process"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """kind, and what was said; masked."""

    kind: FailureKind
    text: str


@dataclass(frozen=True, kw_only=True)
class Placeholder:
    """key: a secret config key, short. why: see `Why`."""

    key: str
    why: Why


@dataclass(frozen=True, kw_only=True)
class PolicyResult:
    """What a policy says. rule: its id. level: `mandatory` or `advisory`. subject: what it is about."""

    rule: str
    level: str
    subject: str
    message: str


@dataclass(frozen=True, kw_only=True)
class PlannedResource:
    """What the program registers.

    urn, type, name: Pulumi's. component: it is only a group of others. inputs: masked.
    protect, retain_on_delete, ignore_changes: Pulumi's options.
    made_of: by input, the URNs of resources whose outputs are in it.
    """

    urn: str
    type: str
    name: str
    component: bool
    inputs: Mapping[str, Any]
    protect: bool = False
    retain_on_delete: bool = False
    ignore_changes: tuple[str, ...] = ()
    made_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that the program registers for a stack.

    resources: ordered by URN. outputs: of the stack.
    objects: what Helm would install, as manifests; None where they are not rendered, and then no_objects says why.
    policies: what they say of all of it. decided: names and URNs of what an update may replace or delete, because the
    program's list of decisions says so.
    placeholders, stand_ins: what was not known, and is stood in for. messages: what the program logged.
    failure: why there is no plan; all else is then empty.
    """

    stack: str
    resources: tuple[PlannedResource, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    objects: tuple[Mapping[str, Any], ...] | None = None
    no_objects: str = ""
    policies: tuple[PolicyResult, ...] = ()
    decided: tuple[str, ...] = ()
    placeholders: tuple[Placeholder, ...] = ()
    stand_ins: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def release(self) -> PlannedResource | None:
        """The Helm release."""
        return next((found for found in self.resources if found.type == RELEASE_TYPE), None)

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Plan:
        """What `to_json` gave, of this or another version of the program: unknown fields are left out.

        Raises ValueError, KeyError or TypeError for anything else.
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
