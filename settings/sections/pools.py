"""Pools of Airflow that the stack gives."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from components import fields
from components.connections.pools import Pool, pool_variables
from settings.keys import NO_ENTRY, EntryError, Section
from settings.reading import Config

SECTION = Section("Pools", "beside those that people make in the UI")

_MOST_SLOTS: Final = 2_147_483_647
"""The largest number of the database's column (airflow 3.2.2, models/pool.py)."""
_LONGEST_NAME: Final = 256
_MOST_BYTES: Final = 100_000
"""Of all pools as JSON. Linux starts no program with a variable above 128 KiB (`MAX_ARG_STRLEN` in execve(2))."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        fields.refuse(f"expected a text, found {fields.shown(value)}")
    if re.search("[\0\ud800-\udfff]", value):
        fields.refuse("expected a text without the character NUL and halves of characters, which no database keeps")
    return value


def _name(value: Any) -> str:
    _text(value)
    if len(value) > _LONGEST_NAME:
        fields.refuse(f"expected a name of at most {_LONGEST_NAME} characters, found {fields.shown(value)}")
    return fields.one_line(value)


def _slots(value: Any) -> int:
    if type(value) is not int or not -1 <= value <= _MOST_SLOTS:
        fields.refuse(f"expected a whole number of slots, or -1 for any number, found {fields.shown(value)}")
    return int(value)


def _switch(value: Any) -> bool:
    return value if isinstance(value, bool) else fields.refuse(f"expected true or false, found {fields.shown(value)}")


_ENTRIES: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "name": ("name", _name),
    "slots": ("slots", _slots),
    "description": ("description", _text),
    "includeDeferred": ("include_deferred", _switch),
}
"""Entries of a pool: the field that each becomes, and what checks its value."""


def _pool(entry: Mapping[str, Any]) -> Pool:
    """Return a pool. Raises EntryError."""
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key not in _ENTRIES:
            words = {found.lower(): found for found in _ENTRIES}
            close = difflib.get_close_matches(key[:100].replace("_", "").lower(), words, n=1)
            problems[key[:100]] = f"{NO_ENTRY} of a pool{f'; did you mean {words[close[0]]}?' if close else ''}"
            continue
        field, check = _ENTRIES[key]
        try:
            values[field] = check(value)
        except ValueError as error:
            problems[key] = str(error)
    for key in ("name", "slots"):
        if key not in entry:
            problems[key] = "expected a value, found none"
    if problems:
        raise EntryError(problems)
    return Pool(**values)


POOLS = SECTION.entries(
    "pools",
    _pool,
    description="Pools, each a map of name, slots (-1 for any number), description, includeDeferred. default_pool is "
    "resized. A pool that is taken out here stays in Airflow.",
)


def read_pools(config: Config) -> tuple[Pool, ...]:
    """Return the pools, and note names that are not unique."""
    pools = config[POOLS]
    names = [pool.name for pool in pools]
    for name in sorted({name for name in names if names.count(name) > 1}):
        config.problem(
            POOLS,
            f"expected each pool once, found {fields.shown(name)} twice",
            f"edit {POOLS.full} in Pulumi.STACK.yaml",
        )
    size = sum(len(entry["value"]) for entry in pool_variables(pools))
    if size > _MOST_BYTES:
        config.problem(
            POOLS,
            f"expected at most {_MOST_BYTES} bytes as JSON, which a variable can hold, found {size}",
            f"edit {POOLS.full} in Pulumi.STACK.yaml",
        )
    return pools
