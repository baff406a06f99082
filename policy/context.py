"""What a stack is allowed: read from its own resources, and from the committed lists of registries and decisions.

The name of a stack only selects the decisions about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from components.texts.unseen import hiding
from policy.model import JudgedResource

ALLOWED_REGISTRIES: Final = Path(__file__).with_name("allowed-registries.txt")

DECIDED: Final = Path("policy", "decided.txt")
"""The list of decisions, in the folder of a program."""

CONTAINER_DATABASE: Final = "airflow:index:PostgresContainer"


@cache
def allowed_registries() -> tuple[str, ...]:
    """Return the committed list. Each line is the beginning of image names; `#` begins a comment."""
    return tuple(line for _, line in _listed(ALLOWED_REGISTRIES))


class DecisionsInvalid(ValueError):  # noqa: N818 - it names what is wrong
    """A committed list has a line that cannot be read, or not as a reviewer sees it."""


def decided_in(project: Path, stack: str) -> frozenset[str]:
    """Return what a program has decided on for a stack, for `context_of`.

    Without a list, nothing is decided. Raises DecisionsInvalid.
    """
    decided = set()
    for number, line in _listed(project / DECIDED) if (project / DECIDED).is_file() else ():
        words = line.split()
        if len(words) != 2:
            raise DecisionsInvalid(
                f"{DECIDED.as_posix()}:{number}: expected a stack and the name or the URN of a resource, or a rule's "
                f"name, found {len(words)} words"
            )
        if words[0] == stack:
            decided.add(words[1])
    return frozenset(decided)


def _listed(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a list with their numbers, without comments and empty lines.

    A line ends only where a reviewer sees its end: another separator could hide a line in a comment. Raises
    DecisionsInvalid.
    """
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise DecisionsInvalid(f"policy/{path.name}: expected text in UTF-8, found something else") from None
    if found := hiding(text):
        place, sign = found
        raise DecisionsInvalid(f"policy/{path.name}:{place}: expected characters that everybody sees, found {sign}")
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.partition("#")[0].strip()
        if content:
            yield number, content


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a rule may use besides the resource that it judges."""

    disposable: bool = False
    """Whether the stack is a laptop's, whose data may be lost: see `context_of`."""
    registries: tuple[str, ...] = field(default_factory=allowed_registries)
    """The beginnings of the names of images that may run."""
    decided: frozenset[str] = frozenset()
    """What is decided on and written down: URNs or logical names of resources that may be replaced or deleted, and IDs
    of rules that the stack may break (`Rule.decidable`)."""


def context_of(resources: Iterable[JudgedResource], *, decided: Iterable[str] = ()) -> Context:
    """Return the context of a stack.

    A stack is disposable if its database is a container of its own, nothing in it is protected (`airflow:protect` is
    false) and nothing of it is in AWS. One of these is not enough: an unprotected stack with a real database is a
    mistake, or about to be removed.

    Args:
        resources: All resources of the stack.
        decided: Names of resources and IDs of rules, as `Context.decided` has them.
    """
    found = list(resources)
    disposable = (
        any(resource.type == CONTAINER_DATABASE for resource in found)
        and not any(resource.protect for resource in found)
        and not any(resource.type.startswith("aws:") for resource in found)
    )
    return Context(disposable=disposable, decided=frozenset(decided))
