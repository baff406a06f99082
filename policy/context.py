"""What a stack is allowed: read from its own resources, and from the committed list of registries. Never its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from policy.model import Resource

ALLOWED_REGISTRIES: Final = Path(__file__).with_name("allowed-registries.txt")

CONTAINER_DATABASE: Final = "airflow:index:PostgresContainer"


@cache
def allowed_registries() -> tuple[str, ...]:
    """The committed list: one beginning of image names a line, `#` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in ALLOWED_REGISTRIES.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line)


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
