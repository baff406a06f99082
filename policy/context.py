"""What a stack is allowed: read from its own resources, and from the committed lists of registries and decisions.

Its name says nothing, but for which decisions are about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from policy.model import Resource

ALLOWED_REGISTRIES: Final = Path(__file__).with_name("allowed-registries.txt")

DECIDED: Final = Path("policy", "decided.txt")
"""The list of decisions, in the folder of a program."""

CONTAINER_DATABASE: Final = "airflow:index:PostgresContainer"


@cache
def allowed_registries() -> tuple[str, ...]:
    """The committed list: one beginning of image names a line, `#` begins a comment."""
    return tuple(line for _, line in _listed(ALLOWED_REGISTRIES))


class DecisionsInvalid(ValueError):  # noqa: N818 - it names what is wrong
    """The list of decisions has a line that says nothing."""


def decided_in(project: Path, stack: str) -> frozenset[str]:
    """What the program in `project` has decided on for a stack: names and URNs of resources, for `context_of`.

    None of it is decided where there is no list. Raises DecisionsInvalid.
    """
    found = set()
    for number, line in _listed(project / DECIDED) if (project / DECIDED).is_file() else ():
        words = line.split()
        if len(words) != 2:
            raise DecisionsInvalid(
                f"{DECIDED.as_posix()}:{number}: expected a stack and the name or the URN of a resource, found "
                f"{len(words)} words"
            )
        if words[0] == stack:
            found.add(words[1])
    return frozenset(found)


def _listed(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a list by number, without comments and without those that are empty."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if content:
            yield number, content


@dataclass(frozen=True, kw_only=True)
class Context:
    """What rules know beside the thing itself.

    disposable: a laptop's stack, whose data nobody would miss: see `context_of`.
    registries: beginnings of the names of images that may run.
    decided: URNs or logical names of resources whose replacement or deletion somebody decided on, and said so.
    """

    disposable: bool = False
    registries: tuple[str, ...] = field(default_factory=allowed_registries)
    decided: frozenset[str] = frozenset()


def context_of(
    resources: Iterable[Resource], *, registries: Iterable[str] = (), decided: Iterable[str] = ()
) -> Context:
    """The context of a stack that has these resources, all of them. registries: more of them than the committed ones.

    Disposable is a stack whose database is a container of its own, in which nothing is protected (`airflow:protect` is
    false) and nothing lies in AWS. One of these alone is not enough: an unprotected stack with a real database is a
    mistake, or about to be removed.
    """
    found = list(resources)
    disposable = (
        any(resource.type == CONTAINER_DATABASE for resource in found)
        and not any(resource.protect for resource in found)
        and not any(resource.type.startswith("aws:") for resource in found)
    )
    return Context(
        disposable=disposable,
        registries=(*allowed_registries(), *registries),
        decided=frozenset(decided),
    )
