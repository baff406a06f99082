"""What a rule is: what it says, why, and the functions that look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TypeVar

from policy.context import Context
from policy.model import Finding, Level, RenderedObject, Resource, Step

_T = TypeVar("_T")
Check = Callable[[_T, Context], Iterable[Finding]]


@unique
class WhenUnknown(StrEnum):
    """What a rule says of a value that is not known in a preview.

    `nothing`: it is judged when it is known, in the update. `warning`: the same, and an advisory finding before.
    """

    NOTHING = "nothing"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. Every check is pure, and any may be missing: a rule looks where there is something to see.

    id: kebab-case. description: one line, what must be so. remedy: what to do about a finding. source: why, as a link
    or a document of this repository.
    needs_stack: the checks need to know the whole stack, as context or because things are compared; a rule without it
    judges each resource by itself, and so before anything is done to it.
    resource, stack: over one resource, and over all of a stack. objects: over objects that belong together, whether
    rendered from a chart or resources of a program. step: over one step of the engine.
    """

    id: str
    description: str
    remedy: str
    source: str
    level: Level = Level.MANDATORY
    when_unknown: WhenUnknown = WhenUnknown.NOTHING
    needs_stack: bool = False
    resource: Check[Resource] | None = None
    stack: Check[Sequence[Resource]] | None = None
    objects: Check[Sequence[RenderedObject]] | None = None
    step: Check[Step] | None = None
