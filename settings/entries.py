"""Checks the entries of maps in a list, and reports all problems of a map in one error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from components.texts import fields
from components.texts.likely_names import did_you_mean
from settings.keys import ConfigKey
from settings.parsers import NO_ENTRY, EntryError
from settings.reading import Config

Entries = Mapping[str, tuple[str, Callable[[Any], Any]]]
"""Entries of a map: the field that each becomes, and what checks its value or makes another of it."""
_MOST_NAME = 100


def checked_entries(
    given: Mapping[str, Any],
    entries: Entries,
    what: str,
    *,
    required: Iterable[str],
    instead: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the checked values of a map by field. Raises EntryError.

    Args:
        given: The map.
        entries: What it may have.
        what: What the map is, such as `a pool`.
        required: What it must have.
        instead: What to use in place of names that are not entries, but likely.
    """
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in entries:
            problems[key[:_MOST_NAME]] = no_entry(key, what, entries, instead or {})
            continue
        field, check = entries[key]
        try:
            values[field] = check(value)
        except ValueError as error:
            problems[key] = str(error)
    problems |= {key: "expected a value, found none" for key in required if key not in given}
    if problems:
        raise EntryError(problems)
    return values


def no_entry(key: str, what: str, known: Collection[str], instead: Mapping[str, str]) -> str:
    """Return the problem of a name that is no entry, with what may have been meant."""
    if key in instead:
        return f"{NO_ENTRY} of {what}; use {instead[key]}"
    return f"{NO_ENTRY} of {what}{did_you_mean(key, known)}"


def switch(value: Any) -> bool:
    """True or false."""
    return value if isinstance(value, bool) else fields.refuse(f"expected true or false, found {fields.shown(value)}")


def note_repeated(config: Config, key: ConfigKey[Any], names: Sequence[str], what: str) -> None:
    """Note each name that two maps of a list have. what: what a map is, such as `pool`."""
    for name in sorted({name for name in names if names.count(name) > 1}):
        config.problem(
            key, f"expected each {what} once, found {fields.shown(name)} twice", f"edit {key.full} in Pulumi.STACK.yaml"
        )
