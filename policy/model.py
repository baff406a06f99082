"""What rules look at, and what they say of it: plain values. No engine, no cluster, no Pulumi."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, unique
from typing import Any, Final


@unique
class Level(StrEnum):
    """`mandatory`: the update is refused. `advisory`: it is told, and goes on."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"


class Unknown(Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
"""A value that nobody can tell yet: of a preview, or one that the engine masks. Neither missing nor false."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource as a program registers it.

    type, name, urn: as Pulumi has them; the URN names the types of all parents.
    inputs: plain values, with UNKNOWN where one is not known; for rules over a whole stack the outputs will do.
    protect: the option. retain_on_delete: the option, or None where the source does not tell.
    parent: URN, or "".
    """

    type: str
    name: str
    urn: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool | None = None
    parent: str = ""

    @property
    def label(self) -> str:
        """How a person calls it: `Release airflow`."""
        return _label(self.type, self.name)

    @property
    def is_kubernetes(self) -> bool:
        """An object of the cluster, or a Helm release."""
        return self.type.startswith("kubernetes:")

    def under(self, component: str) -> bool:
        """A component of this type is among its parents."""
        return _under(self.urn, component)


@dataclass(frozen=True, kw_only=True)
class RenderedObject:
    """One object of Kubernetes, whoever makes it. namespace: "" where none is named. body: all of it.

    urn: of the resource that makes it, or "" of an object that comes from a chart.
    """

    kind: str
    api_version: str = ""
    name: str = ""
    namespace: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    urn: str = ""

    @property
    def label(self) -> str:
        """`Deployment airflow-scheduler`."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the engine does, or would do, to one resource.

    operation: the engine's word: `create`, `delete-replaced`, …
    protect, retain_on_delete: options of what is there, not of what shall be.
    """

    operation: str
    type: str
    name: str
    urn: str = ""
    protect: bool = False
    retain_on_delete: bool = False

    @property
    def label(self) -> str:
        """`Instance airflow-postgres`."""
        return _label(self.type, self.name)

    def under(self, component: str) -> bool:
        """A component of this type is among its parents."""
        return _under(self.urn, component)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a rule says of one thing. The message names paths, never a secret.

    label, urn: of what it is about, where that is not what the rule was asked about.
    unknown: nothing is wrong yet, but a value that decides it is not known.
    """

    message: str
    label: str = ""
    urn: str = ""
    unknown: bool = False

    @classmethod
    def about(cls, subject: Resource | RenderedObject, message: str, *, unknown: bool = False) -> Finding:
        """A finding of a rule that was asked about several things at once."""
        return cls(message=message, label=subject.label, urn=subject.urn, unknown=unknown)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A finding of a rule. subject: what it is about, in words. urn: of the resource, or ""."""

    rule: str
    subject: str
    message: str
    level: Level
    urn: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.message} [{self.rule}, {self.level}]"


def _label(type_: str, name: str) -> str:
    return f"{type_.rpartition(':')[2]} {name}"


def _under(urn: str, component: str) -> bool:
    """A URN is `urn:pulumi:STACK::PROJECT::PARENT-TYPE$…$TYPE::NAME` (pulumi.com/docs/iac/concepts/resources/names)."""
    parts = urn.split("::")
    return len(parts) > 2 and component in parts[2].split("$")[:-1]


# Ways through nested plain values, in which any part may be missing or unknown

Path = tuple[str | int, ...]
"""Keys and indexes to a value in nested values."""


def get(value: Any, path: str) -> Any:
    """Return what is at a dotted path: None where nothing is, UNKNOWN where a part of the way is not known."""
    for part in path.split("."):
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a map, else an empty map."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """Return the value if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def entries(value: Any) -> list[Mapping[str, Any]]:
    """Return the maps in a list."""
    return [item for item in items(value) if isinstance(item, Mapping)]


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value at any depth with its path, containers before what is in them."""
    yield path, value
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, (*path, index))


def has_unknown(value: Any) -> bool:
    """Tell whether something in the value is not known, at any depth."""
    return any(item is UNKNOWN for _, item in walk(value))


def dotted(path: Path) -> str:
    """Return a path as `scheduler.env[0].value`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
