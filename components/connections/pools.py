"""Pools of Airflow that a config gives, and how a Job hands them to Airflow. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from components.kube.env import variable

POOLS_VARIABLE: Final = "POOLS"
"""The variable with the pools."""
IMPORT: Final = f"""\
folder=$(mktemp -d)
printf '%s' "${POOLS_VARIABLE}" > "$folder/pools.json"
airflow pools import "$folder/pools.json"
"""
"""Lines of a shell script with `set -e`, for a container with `pool_variables`.

The import makes the pools, changes those that are there, and leaves all others alone (airflow 3.2.2, models/pool.py,
`create_or_update_pool`)."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A pool."""

    name: str
    """Its name, 1 to 256 characters."""
    slots: int
    """How many slots tasks may take at a time; -1 for any number."""
    description: str = ""
    """Its description in the UI."""
    include_deferred: bool = False
    """Whether a deferred task keeps its slots."""


def pool_variables(pools: Iterable[Pool]) -> list[dict[str, Any]]:
    """Return the variable that `IMPORT` reads; none without pools."""
    found = {
        pool.name: {
            "slots": pool.slots,
            "description": pool.description,
            "include_deferred": pool.include_deferred,
        }
        for pool in pools
    }
    if not found:
        return []
    # Kubernetes would put a variable in for $(NAME), and reads $$ as $.
    return [variable(POOLS_VARIABLE, json.dumps(found, sort_keys=True).replace("$", "$$"))]
