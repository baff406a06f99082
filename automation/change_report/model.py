"""A change report as data. All of it is masked, without digests, and JSON can hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum, unique
from typing import Any, Final

from automation.plan.model import Failure, PolicyResult

_NAMED: Final = 8
"""A warning names no more things than these."""


@unique
class ChangeKind(StrEnum):
    """The kind of a change, in the order of a report."""

    DELETE = "delete"
    REPLACE = "replace"
    """In a report of two plans: the update may replace it."""
    UPDATE = "update"
    CREATE = "create"


@unique
class Severity(StrEnum):
    """How grave a warning is."""

    DANGER = "danger"
    """Data or keys are lost, or the update is refused."""
    WARNING = "warning"
    """Something is interrupted, or less safe than before."""
    NOTE = "note"
    """Good to know."""


@unique
class Category(StrEnum):
    """The subject of a warning, in the order of a report."""

    FAILED = "failed"
    REFUSED = "refused"
    PROTECTED = "protected"
    DELETE = "delete"
    REPLACE = "replace"
    DATABASE = "database"
    KEYS = "keys"
    DOWNTIME = "downtime"
    ISOLATION = "isolation"
    CHART = "chart"
    PLACEHOLDERS = "placeholders"
    POLICY = "policy"


@unique
class ReportSource(StrEnum):
    """The source of a report."""

    PLAN = "plan"
    """Two plans. A plan cannot tell that a resource is replaced, only that it may be."""
    PREVIEW = "preview"
    """The engine's preview against what is deployed."""


@dataclass(frozen=True, kw_only=True)
class PropertyChange:
    """One input that changes."""

    path: str
    """A path such as `spec.template.spec.containers[scheduler].image`; a list's item is named where it has a name."""
    before: Any = None
    """None where the input is new."""
    after: Any = None
    """None where the input goes."""
    secret: bool = False
    """The value is hidden; that it changes is known."""
    replaces: bool = False
    """The provider replaces the resource for this; in a report of two plans, it may."""


@dataclass(frozen=True, kw_only=True)
class ResourceChange:
    """The change of one resource."""

    kind: ChangeKind
    urn: str
    type: str
    name: str
    component: bool = False
    """Whether it only groups other resources."""
    protected: bool = False
    """Whether the existing resource must not be deleted or replaced (Pulumi's option `protect`)."""
    kept: bool = False
    """Whether deleting it leaves the real thing as it is (Pulumi's option `retain_on_delete`)."""
    changes: tuple[PropertyChange, ...] = ()
    """The changed properties by path; empty for a deletion."""

    @property
    def label(self) -> str:
        """Its name for people, such as `Release airflow`."""
        return f"{self.type.rpartition(':')[2]} {self.name}"

    def changes_input(self, path: str) -> bool:
        """Return whether the input at exactly this path changes."""
        return any(change.path == path for change in self.changes)


@dataclass(frozen=True, kw_only=True)
class ObjectChange:
    """The change of one rendered Kubernetes object."""

    kind: ChangeKind
    label: str
    """Kind and name: `Deployment airflow-scheduler`."""
    changes: tuple[PropertyChange, ...] = ()
    """Ordered by path."""
    refused: tuple[str, ...] = ()
    """Fields that change although Kubernetes refuses it."""


@dataclass(frozen=True, kw_only=True)
class Roll:
    """A workload whose pods are replaced."""

    component: str
    """The part of Airflow, `worker-NAME` for a worker group, or the workload's own name."""
    kind: str
    """The workload's kind, such as `Deployment`."""
    replicas: int
    """Pods after the change."""
    interrupts: bool
    """Whether none of its pods serves for a moment."""
    grace_seconds: int
    """How long an old pod may take to end."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A sentence for a reviewer."""

    severity: Severity
    category: Category
    text: str
    """The sentence, with `{0}`, `{1}`, … in place of the names."""
    names: tuple[str, ...] = ()
    """Foreign texts in the sentence; they may hold anything."""

    @classmethod
    def danger(cls, category: Category, text: str, *names: str) -> Remark:
        """Return a warning that data or keys are lost, or that the update is refused."""
        return cls(severity=Severity.DANGER, category=category, text=text, names=names)

    @classmethod
    def warning(cls, category: Category, text: str, *names: str) -> Remark:
        """Return a warning that something is interrupted, or less safe than before."""
        return cls(severity=Severity.WARNING, category=category, text=text, names=names)

    @classmethod
    def note(cls, category: Category, text: str, *names: str) -> Remark:
        """Return what is good to know."""
        return cls(severity=Severity.NOTE, category=category, text=text, names=names)

    def __str__(self) -> str:
        return self.text.format(*self.names)


def listed(text: str, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return a sentence with places for the first names in place of `{}`, and these names."""
    shown = tuple(names[:_NAMED])
    places = ", ".join(f"{{{index}}}" for index in range(len(shown)))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return text.replace("{}", places + more), shown


@dataclass(frozen=True, kw_only=True)
class PolicyChange:
    """What a policy says about the stack after the change."""

    result: PolicyResult
    new: bool
    """The base does not have it."""
    decided: bool = False
    """The list of decisions says that it is meant; the result is then advisory."""


@dataclass(frozen=True, kw_only=True)
class StackReport:
    """What a change does to one stack."""

    stack: str
    source: ReportSource = ReportSource.PLAN
    base_failure: Failure | None = None
    """Why there is no plan of the base; there are then no steps."""
    head_failure: Failure | None = None
    """Why there is no plan of the head; there are then no steps."""
    unchanged: int = 0
    """Number of resources that stay as they are."""
    steps: tuple[ResourceChange, ...] = ()
    """Ordered by kind, type and name; without those of the preflight."""
    checks: tuple[str, ...] = ()
    """What the preflight checks before anything is changed, by the names of its checks."""
    objects: tuple[ObjectChange, ...] | None = None
    """Changes of the chart's objects, or None where they were not rendered."""
    no_objects: str = ""
    """Why the chart's objects were not rendered."""
    rolls: tuple[Roll, ...] = ()
    """Workloads whose pods are replaced, as far as is known."""
    warnings: tuple[Remark, ...] = ()
    """The gravest first."""
    policies: tuple[PolicyChange, ...] = ()
    decided: tuple[str, ...] = ()
    """What the list of decisions says of the stack (`policy.context.decided_in`)."""
    encryption: tuple[str, str] | None = None
    """What encrypts the stack's secrets before and after, where it or its key changes."""
    placeholders: tuple[str, ...] = ()
    """Secrets that were stood in for, one clause each."""
    stand_ins: tuple[str, ...] = ()
    """What else was stood in for, one clause each."""
    messages: tuple[str, ...] = ()
    """What the program or the engine logged."""

    def of(self, *kinds: ChangeKind, type_: str | None = None) -> list[ResourceChange]:
        """Return the steps of some kinds on resources, all or those of a type, without components."""
        return [step for step in self.steps if step.kind in kinds and not step.component and type_ in (None, step.type)]

    @property
    def counts(self) -> Mapping[ChangeKind, int]:
        """Number of resources by what is done to them, without components."""
        return {kind: len(self.of(kind)) for kind in ChangeKind}

    @property
    def changes_anything(self) -> bool:
        """Something is done, or nothing is known about it."""
        failed = self.head_failure or self.base_failure
        return bool(self.steps or self.checks or self.objects or self.encryption or failed)


@dataclass(frozen=True, kw_only=True)
class ChangeReport:
    """What a change does to all stacks."""

    base: str
    """What is there, in words."""
    head: str
    """What shall be, in words."""
    stacks: tuple[StackReport, ...] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """Return all fields for `json.dumps`, with each stack's counts and each warning as a sentence."""
        document = asdict(self)
        for stack, written in zip(self.stacks, document["stacks"], strict=True):
            written["counts"] = {kind.value: count for kind, count in stack.counts.items()}
            for warning, sentence in zip(written["warnings"], stack.warnings, strict=True):
                warning["sentence"] = str(sentence)
        return document
