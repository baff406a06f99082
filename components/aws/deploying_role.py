"""Which statement of the deploying role's policies in docs/ gives an IAM action."""

from __future__ import annotations

import fnmatch
import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).parents[2] / "docs"
_POLICIES: Final = (
    "deploying-role.json",
    "deploying-role-database.json",
    "deploying-role-new.json",
    "deploying-role-drill.json",
    "deploying-role-teardown.json",
)


def statements_for(action: str, resource: str = "") -> str:
    """Return which statements give an IAM action, such as "statement Roles of docs/deploying-role.json", or "".

    `resource` is the ARN that AWS names. Without one, or if no statement is for it, every statement with the action
    counts. A checkout without these files has none.
    """
    having = [(file, statement) for file, statement in _statements() if action in _listed(statement["Action"])]
    for_it = [(file, item) for file, item in having if resource and _covers(item, resource)]
    names: dict[str, list[str]] = {}
    for file, statement in for_it or having:
        names.setdefault(file, []).append(str(statement["Sid"]))
    return " and ".join(
        f"statement{'s' if len(sids) > 1 else ''} {', '.join(sids)} of docs/{file}" for file, sids in names.items()
    )


@functools.cache
def _statements() -> tuple[tuple[str, Mapping[str, Any]], ...]:
    return tuple(_read())


def _read() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in _POLICIES:
        try:
            document = json.loads((_FOLDER / file).read_text(encoding="utf-8"))
        except OSError:
            continue
        yield from ((file, statement) for statement in document["Statement"])


def _covers(statement: Mapping[str, Any], resource: str) -> bool:
    """Return whether a statement is for a resource, whatever its placeholders stand for."""
    patterns = (
        re.sub(r"\b(?:REGION|ACCOUNT|CLUSTER|STACK)\b", "*", pattern) for pattern in _listed(statement["Resource"])
    )
    return any(fnmatch.fnmatchcase(resource, pattern) for pattern in patterns)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
