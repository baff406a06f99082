"""Pools of Airflow that the stack gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from components.connections.pools import Pool, pool_variables
from components.texts import fields
from settings.entries import Entries, checked_entries, note_repeated, switch
from settings.keys import Section
from settings.reading import Config

SECTION = Section("Pools", "in addition to those that people make in the UI")

_MOST_SLOTS: Final = 2_147_483_647
"""The largest number of the database's column (airflow 3.2.2, models/pool.py)."""
_LONGEST_NAME: Final = 256
_MOST_BYTES: Final = 100_000
"""Size of all pools as JSON. Linux starts no program with a variable above 128 KiB (`MAX_ARG_STRLEN` in execve(2))."""


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


_ENTRIES: Final[Entries] = {
    "name": ("name", _name),
    "slots": ("slots", _slots),
    "description": ("description", _text),
    "includeDeferred": ("include_deferred", switch),
}


def _pool(entry: Mapping[str, Any]) -> Pool:
    """Return a pool. Raises EntryError."""
    return Pool(**checked_entries(entry, _ENTRIES, "a pool", required=("name", "slots")))


POOLS = SECTION.entries(
    "pools",
    _pool,
    description="Pools, each a map of name, slots (-1 for any number), description, includeDeferred. default_pool is "
    "resized. A pool that is taken out here stays in Airflow.",
)


def read_pools(config: Config) -> tuple[Pool, ...]:
    """Return the pools, and note names that are not unique."""
    pools = config[POOLS]
    note_repeated(config, POOLS, [pool.name for pool in pools], "pool")
    size = sum(len(entry["value"]) for entry in pool_variables(pools))
    if size > _MOST_BYTES:
        config.problem(
            POOLS,
            f"expected at most {_MOST_BYTES} bytes as JSON, which a variable can hold, found {size}",
            f"edit {POOLS.full} in Pulumi.STACK.yaml",
        )
    return pools
