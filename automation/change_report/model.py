"""A change report as data. All of it is masked, without digests, and JSON can hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum, unique
from typing import Any

from automation.plan.model import Failure, PolicyResult


@unique
class Kind(StrEnum):
    """What is done to a resource or an object; in the order in which reports tell of it."""

    DELETE = "delete"
    REPLACE = "replace"
    UPDATE = "update"
    CREATE = "create"


@unique
class Severity(StrEnum):
    """`danger`: data or keys are lost, or the update is refused. `warning`: somebody notices. `note`: good to know."""

    DANGER = "danger"
    WARNING = "warning"
    NOTE = "note"


@unique
class Category(StrEnum):
    """What a warning is about; in the order in which reports tell of it."""

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
class Source(StrEnum):
    """Where a report comes from: two plans, or the engine's preview against what is deployed."""

    PLAN = "plan"
    PREVIEW = "preview"


@dataclass(frozen=True, kw_only=True)
class PropertyChange:
    """One input that changes.

    path: such as `spec.template.spec.containers[scheduler].image`; an item of a list that has a name is named.
    before, after: None where there is none. secret: its value is hidden; that it changes is known.
    replaces: the provider cannot change it in place.
    """

    path: str
    before: Any = None
    after: Any = None
    secret: bool = False
    replaces: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is done to one resource.

    component: it is only a group of others. protected: what is there must not be deleted or replaced.
    kept: what is there is left alone when it is deleted. changes: ordered by path; of an update or a replacement.
    """

    kind: Kind
    urn: str
    type: str
    name: str
    component: bool = False
    protected: bool = False
    kept: bool = False
    changes: tuple[PropertyChange, ...] = ()

    @property
    def label(self) -> str:
        """How a person calls it: `Release airflow`."""
        return f"{self.type.rpartition(':')[2]} {self.name}"

    def change(self, path: str) -> PropertyChange | None:
        """The change of an input, or None."""
        return next((found for found in self.changes if found.path == path), None)


@dataclass(frozen=True, kw_only=True)
class ObjectChange:
    """What is done to one rendered Kubernetes object.

    label: kind and name. changes: ordered by path. refused: fields that change, and that Kubernetes lets nobody change.
    """

    kind: Kind
    label: str
    changes: tuple[PropertyChange, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Roll:
    """A workload whose pods are replaced.

    component: the part of Airflow, or the workload's own name. kind, replicas: of the workload, as it shall be.
    interrupts: for a moment no pod of it serves. grace_seconds: that an old pod may take to end.
    """

    component: str
    kind: str
    replicas: int
    interrupts: bool
    grace_seconds: int


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A sentence for a reviewer. text: with `{0}`, `{1}`, … for the names in `names`, which may hold anything."""

    severity: Severity
    category: Category
    text: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text.format(*self.names)


@dataclass(frozen=True, kw_only=True)
class PolicyChange:
    """A policy's result for what shall be.

    new: it is not so in what there is now. decided: it is meant, as the list of decisions says; then it is advisory.
    """

    result: PolicyResult
    new: bool
    decided: bool = False


@dataclass(frozen=True, kw_only=True)
class StackReport:
    """What a change does to one stack.

    source: see `Source`. base_failure, head_failure: why one of the plans is missing; there are then no steps.
    unchanged: number of resources that stay as they are. steps: ordered by kind, type and name.
    objects: of the chart, or None where they were not rendered; no_objects then says why.
    rolls: workloads whose pods are replaced, as far as is known. warnings: the gravest first.
    decided: names and URNs of resources that may be replaced or deleted, because somebody decided so.
    placeholders, stand_ins: what was not known, and is stood in for, as clauses. messages: what the program logged.
    """

    stack: str
    source: Source = Source.PLAN
    base_failure: Failure | None = None
    head_failure: Failure | None = None
    unchanged: int = 0
    steps: tuple[Step, ...] = ()
    objects: tuple[ObjectChange, ...] | None = None
    no_objects: str = ""
    rolls: tuple[Roll, ...] = ()
    warnings: tuple[Alert, ...] = ()
    policies: tuple[PolicyChange, ...] = ()
    decided: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[Kind, int]:
        """Resources by what is done to them; components are not counted."""
        return {kind: sum(step.kind is kind and not step.component for step in self.steps) for kind in Kind}

    @property
    def changes_anything(self) -> bool:
        """Something is done, or nobody can tell."""
        return bool(self.steps or self.objects or self.head_failure or self.base_failure)


@dataclass(frozen=True, kw_only=True)
class ChangeReport:
    """What a change does to all stacks. base, head: what is compared, for people."""

    base: str
    head: str
    stacks: tuple[StackReport, ...] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`: all fields, the counts of each stack, and each warning as a sentence."""
        document = asdict(self)
        for stack, written in zip(self.stacks, document["stacks"], strict=True):
            written["counts"] = {kind.value: count for kind, count in stack.counts.items()}
            for warning, sentence in zip(written["warnings"], stack.warnings, strict=True):
                warning["sentence"] = str(sentence)
        return document
