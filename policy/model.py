"""What rules look at and what they find, as plain values without engine, cluster or Pulumi."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, unique
from types import NoneType
from typing import Any, Final, Self, TypeVar

from components.kube.any_form import MAPS

_T = TypeVar("_T")


@unique
class Level(StrEnum):
    """What a violation does to an update."""

    MANDATORY = "mandatory"
    """The update is refused."""
    ADVISORY = "advisory"
    """The violation is reported, and the update goes on."""


class Unknown(Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
"""A value that is not known: in a preview, or because the engine masks it. It is neither missing nor false."""


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """What several rules look at."""

    _made: dict[Callable[[Any], Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def made_by(self, make: Callable[[Self], _T]) -> _T:
        """Return what a function makes of it, made once: several rules ask for it. Nobody may change it."""
        if make not in self._made:
            self._made[make] = make(self)
        found: _T = self._made[make]
        return found


@dataclass(frozen=True, kw_only=True)
class _InStack:
    """What has a type and a name in a stack."""

    type: str
    """Pulumi's type token."""
    name: str
    """The logical name."""
    urn: str = ""
    """The URN, which names the types of all parents."""

    @property
    def label(self) -> str:
        """Its name for people, such as `Release airflow`."""
        return f"{self.type.rpartition(':')[2]} {self.name}"

    def under(self, component: str) -> bool:
        """Tell whether a component of this type is among its parents.

        A URN is `urn:pulumi:STACK::PROJECT::PARENT-TYPE$…$TYPE::NAME` (pulumi.com/docs/iac/concepts/resources/names).
        """
        parts = self.urn.split("::")
        return len(parts) > 2 and component in parts[2].split("$")[:-1]


@dataclass(frozen=True, kw_only=True)
class JudgedResource(_InStack, _Judged):
    """One resource as a program registers it."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Plain values, UNKNOWN where one is not known; outputs will do for rules over a whole stack."""
    protect: bool = False
    """The option `protect`."""
    retain_on_delete: bool | None = None
    """The option `retainOnDelete`; None if the source does not tell."""
    parent: str = ""
    """The URN of the parent, or ""."""

    @property
    def is_kubernetes(self) -> bool:
        """Whether it is an object of the cluster or a Helm release."""
        return self.type.startswith("kubernetes:")


@dataclass(frozen=True, kw_only=True)
class RenderedObject(_Judged):
    """One object of Kubernetes, from a chart or from a resource."""

    kind: str
    """The kind, such as `Deployment`."""
    api_version: str = ""
    """The group and version, such as `apps/v1`."""
    name: str = ""
    """The name, "" if Kubernetes generates it."""
    namespace: str = ""
    """The namespace, "" if the object names none."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """The whole object."""
    urn: str = ""
    """The URN of the resource that makes it, "" for an object of a chart."""

    @property
    def label(self) -> str:
        """`Deployment airflow-scheduler`."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True)
class JudgedStep(_InStack):
    """What the engine does, or would do, to one resource."""

    operation: str
    """The engine's word, such as `create` or `delete-replaced`."""
    protect: bool = False
    """The option `protect` of the resource before the step."""
    retain_on_delete: bool = False
    """The option `retainOnDelete` of the resource before the step."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a rule says about one thing."""

    message: str
    """What is wrong: it names paths and never shows a secret."""
    label: str = ""
    """What the finding is about, if that is not what the rule was asked about."""
    urn: str = ""
    """The URN of what the finding is about, or ""."""
    unknown: bool = False
    """Whether nothing is wrong yet, but the value that decides is not known."""

    @classmethod
    def about(cls, subject: JudgedResource | RenderedObject, message: str, *, unknown: bool = False) -> Finding:
        """Return a finding of a rule that was asked about several things at once."""
        return cls(message=message, label=subject.label, urn=subject.urn, unknown=unknown)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What breaks a rule."""

    rule: str
    """The ID of the rule."""
    subject: str
    """What breaks it, in words."""
    message: str
    """What is wrong."""
    level: Level
    """What the violation does to an update."""
    urn: str = ""
    """The URN of the resource, or ""."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.message} [{self.rule}, {self.level}]"


# Ways through nested plain values, in which any part may be missing or unknown

Path = tuple[str | int, ...]
"""Keys and indexes to a value in nested values."""


_LEAVES: Final = frozenset({str, int, float, bool, NoneType, Unknown})
"""Types of values in which nothing is. Comparing the type is several times as fast as asking for an instance."""


def get(value: Any, path: str) -> Any:
    """Return what is at a dotted path: None where nothing is, UNKNOWN where a part of the way is not known."""
    for part in path.split("."):
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(value, MAPS):
            return None
        value = value.get(part)
    return value


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value at any depth with its path, containers before what is in them."""
    waiting = [(path, value)]
    while waiting:
        at, found = waiting.pop()
        yield at, found
        if type(found) in _LEAVES:
            continue
        if isinstance(found, list):
            waiting += [((*at, index), item) for index, item in enumerate(found)][::-1]
        elif isinstance(found, MAPS):
            waiting += [((*at, str(key)), item) for key, item in found.items()][::-1]


def maps(value: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield every map at any depth with its path, in the order of `walk`, which also yields the many other values."""
    waiting: list[tuple[Path, Any]] = [((), value)]
    while waiting:
        at, found = waiting.pop()
        if isinstance(found, list):
            waiting += [((*at, index), item) for index, item in enumerate(found) if type(item) not in _LEAVES][::-1]
        elif isinstance(found, MAPS):
            yield at, found
            waiting += [((*at, str(key)), item) for key, item in found.items() if type(item) not in _LEAVES][::-1]


def has_unknown(value: Any) -> bool:
    """Tell whether something in the value is not known, at any depth."""
    return any(item is UNKNOWN for _, item in walk(value))


def dotted(path: Path) -> str:
    """Return a path as `scheduler.env[0].value`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
