"""A rule: what must be so, why, and the functions that look for violations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TypeVar

from policy.context import Context
from policy.model import Finding, JudgedResource, JudgedStep, Level, RenderedObject

_T = TypeVar("_T")
Check = Callable[[_T, Context], Iterable[Finding]]


@unique
class WhenUnknown(StrEnum):
    """What a rule says about a value that is not known in a preview. The update judges the value in any case."""

    NOTHING = "nothing"
    """The rule says nothing."""
    WARNING = "warning"
    """The rule gives an advisory finding."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. Its functions have no side effects. It has one for each kind of thing that it judges."""

    id: str
    """The name in kebab-case."""
    description: str
    """What must be so, in one line."""
    remedy: str
    """What to do about a violation."""
    source: str
    """The reason: a link, or a document of this repository."""
    level: Level = Level.MANDATORY
    """What a violation does to an update."""
    when_unknown: WhenUnknown = WhenUnknown.NOTHING
    """What the rule says about a value that is not known in a preview."""
    decidable: bool = False
    """Whether a line with a stack and this rule's ID in policy/decided.txt makes it advisory for that stack."""
    needs_stack: bool = False
    """Whether it must know the whole stack; otherwise each resource is judged before anything is done to it."""
    resource: Check[JudgedResource] | None = None
    """Judges one resource."""
    stack: Check[Sequence[JudgedResource]] | None = None
    """Judges all resources of a stack."""
    objects: Check[Sequence[RenderedObject]] | None = None
    """Judges objects that belong together, whether rendered from a chart or made by resources."""
    step: Check[JudgedStep] | None = None
    """Judges one step of the engine."""
